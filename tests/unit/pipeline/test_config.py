"""The configuration: defaults, overrides, and one clear line for each kind of mistake."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import ledger_view, load_config, parse_config
from pipeline.engine.policy import policy_key
from pipeline.errors import UserError
from pipeline.settings import dump_settings
from pipeline.source_config import AtLeast
from tests.places import ROOT

SMALL = {"name": "x", "sources": [{"name": "a", "path": "rows.jsonl"}]}


def small() -> dict:
    return yaml.safe_load(yaml.safe_dump(SMALL))


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_config_in_the_repository_parses(path: Path) -> None:
    # Those of trainings and judges are parsed by tests of their own stages.
    if not path.name.startswith("judge_") and "train" not in path.name:
        assert load_config(path).sources


def test_paper_defaults() -> None:
    config = parse_config(small())
    assert config.sampling.num_solutions == 4
    assert config.split.max_steps == 12
    assert config.rollout.num_draws == 16
    assert config.label.threshold == 0
    assert (config.run_dir, config.output_dir) == ("runs/x", "data/x")


def test_overrides_reach_nested_keys_and_list_items() -> None:
    config = parse_config(small(), ["sampling.temperature=0.7", "sources.0.limit=5", "engine.args.seed=3"])
    assert config.sampling.temperature == 0.7
    assert config.sources[0].limit == 5
    assert config.engine.args == {"seed": 3}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sampling.temprature=1", "sampling.temprature: unknown key (did you mean 'temperature'?)"),
        ("sources.0.pth=x", "sources.0.pth: unknown key (did you mean 'path'?)"),
        (
            "sampling.num_solutions=0",
            "sampling.num_solutions: Input should be greater than or equal to 1 (got 0)",
        ),
        ("rollout.strategy=fastest", "rollout.strategy: Input should be 'fixed', "),
        ("rollout.strategy=fist_success", "(got \"fist_success\"; did you mean 'first_success'?)"),
        ("rollout.strategy=[fixed]", "(got [\"fixed\"]; did you mean 'fixed'?)"),
        ("rollout.strategy=3", "or 'binary_search' (got 3)"),
        ("sources.0.verify=[number,choise]", "sources.0.verify.1: Input should be 'exact', "),
        ("sources.0.verify=[number,choise]", "(got \"choise\"; did you mean 'choice'?)"),
        (
            "engine.kind=vlm",
            "engine.kind: Input should be 'vllm', 'server', 'scripted' or 'function' (got \"vlm\"; did you mean 'vllm'?)",
        ),
        ("sampling.max_tokens=9999", "sampling.max_tokens=9999 leaves no room"),
        ("sources.0.function=a:b", "give exactly one"),
        ("sources.7.limit=1", "'7' is not an index below 1"),
        ("noequals", "write it as key.sub=value"),
        ("name.deeper=1", "'name' holds a value, not keys"),
    ],
)
def test_a_mistake_is_named_with_its_mend(override: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(small(), [override])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_is_told_before_the_key_that_is_missing_for_it() -> None:
    with pytest.raises(UserError) as caught:
        parse_config({"name": "x", "sources": [{"nmae": "a", "path": "a.jsonl"}]})
    told = "config: sources.0.nmae: unknown key (did you mean 'name'?); remove it or correct its spelling; and 1 more"
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: [1", "not valid YAML at line"), ("- 1", "expected keys and values"), (None, "no such config file")],
)
def test_unreadable_files(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "c.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=words):
        load_config(path)


def test_the_ledger_view_leaves_out_what_only_moves_or_publishes() -> None:
    before = ledger_view(parse_config(small()))
    moved = ledger_view(parse_config(small(), ["engine.replicas=8", "label.threshold=0.25", "ray.address=auto"]))
    hotter = ledger_view(parse_config(small(), ["sampling.temperature=0.3"]))
    assert before == moved
    assert {key for key in before if before[key] != hotter[key]} == {"sampling.temperature"}


def test_limits_are_recorded_only_where_they_are_set_and_change_no_ledger() -> None:
    plain, limited = parse_config(small()), parse_config(small(), ["limits.truncated=0.5"])
    assert "limits" not in yaml.safe_load(dump_settings(plain))
    assert yaml.safe_load(dump_settings(limited))["limits"]["truncated"] == 0.5
    assert parse_config(yaml.safe_load(dump_settings(limited))) == limited
    assert ledger_view(plain) == ledger_view(limited)


def test_settings_of_golds_and_references_are_recorded_only_where_they_are_set() -> None:
    """So that runs of before stay the same run."""
    source = {"name": "s", "path": "rows.jsonl"}
    plain = ledger_view(parse_config({"name": "x", "sources": [{**source, "gold": "auto"}]}))
    assert not [key for key in plain if "gold" in key or "references" in key]
    changed = {**source, "gold": "index0", "references": {"at_least": 3}}
    view = ledger_view(parse_config({"name": "x", "sources": [changed]}))
    assert {key: view[key] for key in view.keys() - plain.keys()} == {
        "sources[s].gold": "index0",
        "sources[s].references.at_least": 3,
    }
    again = parse_config(yaml.safe_load(dump_settings(parse_config({"name": "x", "sources": [changed]}))))
    assert (again.sources[0].gold, again.sources[0].references) == ("index0", AtLeast(at_least=3))


@pytest.mark.parametrize("verify", [["text"], ["anls", "list"]])
def test_all_references_need_a_mode_that_compares_several(verify: list[str]) -> None:
    source = {"name": "s", "path": "rows.jsonl", "references": "all", "verify": verify}
    with pytest.raises(UserError, match="references: all"):
        parse_config({"name": "x", "sources": [source]})


def test_what_the_settings_are_read_from_stays_as_it_is() -> None:
    data = {"name": "x", "sources": [{"name": "a", "path": "a.jsonl", "verify": ["choice"]}]}
    parse_config(data, ["sources.0.verify=[exact]", "seed=7"])
    assert data == {"name": "x", "sources": [{"name": "a", "path": "a.jsonl", "verify": ["choice"]}]}


SERVER = ["engine.kind=server", "engine.urls=[http://a:8000, http://b:8000]", "engine.dtype=float32"]


def test_a_run_on_servers_has_the_ids_of_a_run_inside_and_may_move() -> None:
    inside, outside = parse_config(small(), ["engine.dtype=float32"]), parse_config(small(), SERVER)
    moved = parse_config(
        small(), [*SERVER, "engine.urls=[http://c:8000]", "engine.key_env=K", "budget.prompt_tokens=9"]
    )
    assert policy_key("m", "p", inside) == policy_key("m", "p", outside)
    assert ledger_view(moved) == ledger_view(outside)
    assert yaml.safe_load(dump_settings(outside))["engine"]["urls"] == ["http://a:8000", "http://b:8000"]
    held = yaml.safe_load(dump_settings(inside))
    assert "budget" not in held
    assert not {"urls", "api", "key_env", "max_tiles", "max_pixels", "wait_s"} & set(held["engine"])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["engine.kind=server"], "kind=server: urls is empty: name at least one, as http://host:8000"),
        (["engine.urls=[http://a:8000]"], "urls is heeded by kind=server alone, and kind is vllm"),
        (["engine.api=openai"], "api is heeded by kind=server alone"),
        ([*SERVER, "engine.dtype=auto"], "dtype is the server's: state its --dtype"),
        ([*SERVER, "engine.urls=[localhost:8000]"], "'localhost:8000' is no address: write http://host:8000"),
        ([*SERVER, "engine.urls=[http://me:sekret@a:8000]"], "urls: a: an address holds no user, key or query"),
        ([*SERVER, "engine.urls=[http://a, http://a]"], "urls: one of them is there twice"),
        ([*SERVER, "engine.tensor_parallel_size=2"], "tensor_parallel_size is the server's own"),
        ([*SERVER, "engine.gpus=0.5"], "gpus is the server's own"),
        ([*SERVER, "engine.max_tiles=12"], "source a: max_tiles=6, and the servers have engine.max_tiles=12: set both"),
        ([*SERVER, "sources.0.max_pixels=9"], "source a: max_pixels=9, and the servers have engine.max_pixels=None"),
        (["budget.prompt_tokens=1"], "budget is heeded by engine.kind=server alone"),
    ],
)
def test_a_mistake_about_servers_is_named_with_its_mend(overrides: list[str], words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(small(), overrides)
    assert words in str(caught.value)
    assert "sekret" not in str(caught.value)
    assert parse_config(small(), [*SERVER, "engine.max_tiles=6"]).engine.max_tiles == 6


@pytest.mark.parametrize(
    ("replicas", "bounds"), [("3", (3, 3)), ("auto", (1, None)), ("{max: 4}", (1, 4)), ("{min: 2}", (2, None))]
)
def test_engines_are_a_number_or_bounds(replicas: str, bounds: tuple[int, int | None]) -> None:
    engine = parse_config(small(), [f"engine.replicas={replicas}"]).engine
    assert engine.bounds == bounds
    assert parse_config({**small(), "engine": engine.model_dump(mode="json")}).engine == engine


@pytest.mark.parametrize(
    ("replicas", "words"),
    [
        ("0", "engine.replicas: Input should be greater than or equal to 1 (got 0)"),
        ("many", "engine.replicas: Input should be 'auto' (got \"many\""),
        ("{mx: 4}", "engine.replicas.mx: unknown key (did you mean 'max'?)"),
        ("{min: 4, max: 2}", "engine.replicas: max=2 is below min=4"),
    ],
)
def test_a_wrong_number_of_engines_is_named(replicas: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(small(), [f"engine.replicas={replicas}"])
    assert words in str(caught.value)
