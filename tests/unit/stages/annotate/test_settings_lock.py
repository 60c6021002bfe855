"""A run directory belongs to the settings that made its ledger."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import RunConfig, parse_config
from pipeline.engine.policy import check_model, model_fingerprint, policy_key
from pipeline.errors import UserError
from pipeline.seeds import base_seed
from pipeline.store import Store
from stages.annotate.settings_lock import lock_settings, read_templates, with_number_type


def config(*overrides: str) -> RunConfig:
    data = {"name": "x", "prompt": "prompts/demo_v1.txt", "sources": [{"name": "a", "path": "rows.jsonl"}]}
    return parse_config(data, overrides)


def loaded(folder: Path) -> Store:
    """A run directory whose sources have been read."""
    store = Store(str(folder))
    store.write_json("problems.json", {})
    return store


def test_a_call_that_read_nothing_binds_nothing(tmp_path: Path) -> None:
    """Over a wrong path, say: the mended command must not be told to restore it."""
    store = Store(str(tmp_path))
    lock_settings(store, config("sources.0.path=nowhere.jsonl"), {"p": "{question}"}, "model@1")
    lock_settings(store, config(), {"p": "{question}"}, "model@1")
    assert "nowhere.jsonl" not in store.read_text("config.yaml") + store.read_text("ledger.json")
    store.write_json("problems.json", {})
    with pytest.raises(UserError, match=r"rows\.jsonl, now nowhere\.jsonl"):
        lock_settings(store, config("sources.0.path=nowhere.jsonl"), {"p": "{question}"}, "model@1")


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ((), None),
        (("engine.replicas=4", "label.threshold=0.5", "publish.row_group_rows=8"), None),
        (("rollout.num_draws=8",), "rollout.num_draws (16, now 8)"),
        (("sources.0.limit=3",), "sources[a].limit (null, now 3)"),
    ],
)
def test_only_what_changes_the_ledger_is_refused(tmp_path: Path, overrides: tuple[str, ...], named: str | None) -> None:
    store = loaded(tmp_path)
    lock_settings(store, config(), {"p": "{question}"}, "model@1")
    if named is None:
        lock_settings(store, config(*overrides), {"p": "{question}"}, "model@1")
    else:
        with pytest.raises(UserError) as caught:
            lock_settings(store, config(*overrides), {"p": "{question}"}, "model@1")
        assert named in str(caught.value)


def test_an_engine_may_be_fitted_to_its_machine_between_calls(tmp_path: Path) -> None:
    fits = ("engine.args.gpu_memory_utilization=0.92", "engine.args.max_num_seqs=64")
    smaller = ("engine.args.gpu_memory_utilization=0.85", "engine.args.enforce_eager=true")
    store = loaded(tmp_path)
    for overrides in (fits, smaller, (), fits):
        lock_settings(store, config(*overrides), {"p": "{question}"}, "model@1")
        assert policy_key("m", "p", config(*overrides)) == policy_key("m", "p", config())
    other = config(*fits, "engine.args.quantization=fp8")
    with pytest.raises(UserError, match=r"engine\.args\.quantization"):
        lock_settings(store, other, {"p": "{question}"}, "model@1")
    assert policy_key("m", "p", other) != policy_key("m", "p", config())


def test_a_run_older_than_a_setting_goes_on_with_its_default(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    lock_settings(store, config(), {"p": "{question}"}, "model@1")
    held = store.read_json("ledger.json")
    assert held.pop("sampling.greedy_first") is False
    store.write_json("ledger.json", held)
    old = yaml.safe_load(store.read_text("config.yaml"))
    del old["sampling"]["greedy_first"]
    store.write_text("config.yaml", yaml.safe_dump(old))
    lock_settings(store, config(), {"p": "{question}"}, "model@1")
    with pytest.raises(UserError, match=r"sampling.greedy_first \(false, now true\)"):
        lock_settings(store, config("sampling.greedy_first=true"), {"p": "{question}"}, "model@1")


def test_another_prompt_text_or_model_is_refused(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    lock_settings(store, config(), {"p": "{question}"}, "model@1")
    with pytest.raises(UserError, match=r"prompt text of p"):
        lock_settings(store, config(), {"p": "Now: {question}"}, "model@1")
    with pytest.raises(UserError, match="model@1, now model@2"):
        lock_settings(store, config(), {"p": "{question}"}, "model@2")


def test_a_prompt_without_a_question_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("Think.")
    with pytest.raises(UserError, match=r"has no \{question\}"):
        read_templates(config(f"prompt={tmp_path / 'p.txt'}"))


def test_a_closing_text_that_would_be_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("{question}\n{close_thinking}\nI stop here\n</think>")
    (tmp_path / "two.txt").write_text("{question}\n{close_thinking}\nNo time. I stop here.\n</think>")

    def read(name: str, *overrides: str) -> None:
        read_templates(config(f"prompt={name}", "sampling.max_thinking_tokens=100", *overrides))

    one, two, sentences = f"{tmp_path}/one.txt", f"{tmp_path}/two.txt", "split.kind=sentences"
    for name, overrides in ((one, (sentences,)), (two, ()), (two, (sentences, "split.part=answer"))):
        read(name, *overrides)
    read("prompts/thinking_v1.txt")
    with pytest.raises(UserError, match="sentences cuts the text that closes the thinking into 3 steps"):
        read(two, sentences)
    with pytest.raises(UserError, match="into 2 steps, which no policy wrote"):
        read(two, sentences, "split.part=thinking")


def test_a_folder_without_a_model_is_refused_and_a_hub_id_is_not(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no config\.json"):
        check_model(config(f"engine.model={tmp_path}").engine)
    check_model(config("engine.model=OpenGVLab/InternVL3-8B-hf").engine)


def test_a_local_model_is_named_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = model_fingerprint(config(f"engine.model={tmp_path}").engine)
    (tmp_path / "model.safetensors").write_bytes(b"123")
    after = model_fingerprint(config(f"engine.model={tmp_path}").engine)
    assert before != after
    assert before.startswith(f"{tmp_path.name}@")


def test_the_policy_key_follows_sampling_but_not_the_number_of_solutions() -> None:
    key = policy_key("m", "p", config("engine.dtype=bfloat16"))
    assert key == "e8d20270810c"  # It names rows and seeds of older ledgers.
    assert key == policy_key("m", "p", config("engine.dtype=bfloat16", "engine.replicas=3"))
    key = policy_key("m", "p", config())
    assert key == policy_key("m", "p", config("sampling.num_solutions=8"))
    assert key != policy_key("m", "p", config("sampling.temperature=0.5"))
    assert key != policy_key("m", "q", config())
    assert key != policy_key("m", "p", config("sampling.greedy_first=true"))


@pytest.mark.parametrize("recorded", ["bfloat16", "auto"])
def test_a_run_keeps_its_number_type_whatever_the_default_is(tmp_path: Path, recorded: str) -> None:
    """`auto` was handed to vLLM in runs that recorded it; runs without a word of it had bfloat16."""
    new, old = Store(str(tmp_path / "new")), loaded(tmp_path / "old")
    lock_settings(old, config(f"engine.dtype={recorded}"), {"p": "{question}"}, "model@1")
    assert with_number_type(config(), old).engine.dtype == recorded
    assert with_number_type(config(), new, old).engine.dtype == recorded  # a top-up of an earlier run
    lock_settings(old, with_number_type(config(), old), {"p": "{question}"}, "model@1")
    with pytest.raises(UserError, match=r"engine\.dtype .*, now float32"):
        lock_settings(old, with_number_type(config("engine.dtype=float32"), old), {"p": "{question}"}, "model@1")


def test_the_type_that_is_taken_is_recorded(tmp_path: Path) -> None:
    store = loaded(tmp_path)
    taken = with_number_type(config("engine.kind=scripted"), store)
    lock_settings(store, taken, {"p": "{question}"}, "model@1")
    assert store.read_json("ledger.json")["engine.dtype"] == taken.engine.dtype == "bfloat16"


def test_seeds_fit_48_bits_and_keep_their_parts_apart() -> None:
    assert base_seed("a", "b") != base_seed("ab", "") != base_seed("", "ab")
    assert 0 <= base_seed(0, "x", 1) < 2**48
    assert base_seed(0, "p", "k", "s0", 1) == base_seed(0, "p", "k", "s0", 1)
