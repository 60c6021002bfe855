"""The short form of `sources`, `extends`, and where files are looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import load_config, parse_config
from pipeline.errors import UserError
from pipeline.settings import dump_settings, parse_settings
from stages.load.paths import locate
from tests.places import ROOT


def short(**more: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "source_defaults": {"path": "{name}.jsonl", "limit": 5, "verify": ["number"]},
        "sources": [{"names": ["a", "b"], "verify": ["text"]}, {"name": "c", "limit": 7}],
        **more,
    }


def test_names_and_defaults_become_full_entries() -> None:
    sources = parse_config(short()).sources
    assert [(source.name, source.path, source.limit, source.verify) for source in sources] == [
        ("a", "a.jsonl", 5, ("text",)),
        ("b", "b.jsonl", 5, ("text",)),
        ("c", "c.jsonl", 7, ("number",)),
    ]


def test_the_benchmarks_of_the_example_have_names_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "configs/examples/contamination.yaml"
    contamination = load_config(path).contamination
    assert contamination is not None
    names = "MMMU MathVista MathVision MathVerse DynaMath WeMath LogicVista".split()
    assert [source.path for source in contamination.against] == [
        *(f"$BENCHMARKS/{name}/questions.jsonl" for name in names),
        "$BENCHMARKS/VisualProcessBench/test.jsonl",
    ]
    monkeypatch.setenv("BENCHMARKS", "/no/such/place")
    with pytest.raises(UserError, match=r"'MMMU', path /no/such/place/MMMU/questions.jsonl: .*\(8 of 8 sources"):
        locate(contamination.against, None)


def test_a_saved_configuration_reads_back_the_same() -> None:
    import yaml

    config = parse_config(short())
    assert parse_settings(type(config), yaml.safe_load(dump_settings(config))) == config


def test_overrides_reach_the_short_form() -> None:
    config = parse_config(short(), ["source_defaults.limit=2", "sources.0.max_tiles=9"])
    assert [(source.limit, source.max_tiles) for source in config.sources] == [(2, 9), (2, 9), (7, 6)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sources": [{"names": ["a"], "name": "b"}]}, "in place of `name`"),
        ({"sources": [{"names": "a"}]}, "`names` is a list"),
        ({"sources": [{"names": ["a", "a"]}]}, "share the name 'a'"),
        ({"source_defaults": ["a"]}, "source_defaults: expected keys"),
        ({"source_defaults": {"pth": "x"}}, "sources.0.pth: unknown key (did you mean 'path'?)"),
        ({"sources": ["a"]}, "sources.0"),
        ({"contamination": {"against": []}}, "contamination.against"),
        (
            {"contamination": {"against": [{"name": "m", "path": "1"}, {"name": "m", "path": "2"}]}},
            "contamination.against share the name 'm'",
        ),
    ],
)
def test_mistakes_are_one_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_config(short(**change))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_extends_another(tmp_path: Path) -> None:
    (tmp_path / "under.yaml").write_text(
        "name: x\nsources: [{name: a, path: a.jsonl}]\nsampling: {top_k: 5, top_p: 0.5}"
    )
    (tmp_path / "over.yaml").write_text("extends: under.yaml\nname: y\nsampling: {top_k: 7}")
    config = load_config(tmp_path / "over.yaml", ["sampling.num_solutions=2"])
    assert (config.name, config.sources[0].name) == ("y", "a")
    assert (config.sampling.top_k, config.sampling.top_p, config.sampling.num_solutions) == (7, 0.5, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: c.yaml", "extends itself"),
        ("extends: [c.yaml]", "name one file"),
        ("extends: d.yaml", "no such config"),
    ],
)
def test_what_can_not_be_extended(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        load_config(tmp_path / "c.yaml")


def located(data_root: str | None, **source: Any) -> tuple[str | None, str | None]:
    config = parse_config({"name": "x", "data_root": data_root, "sources": [{"name": "a", **source}]})
    (found,) = locate(config.sources, config.data_root)
    return found.path, found.images


def test_relative_paths_start_at_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.jsonl").touch()
    monkeypatch.setenv("PLACE", str(tmp_path))
    rows = str(tmp_path / "rows.jsonl")
    assert located("$PLACE", path="rows.jsonl", images="pictures") == (rows, str(tmp_path / "pictures"))
    assert located("${PLACE}", path=rows) == (rows, None)
    assert located(None, path="$PLACE/rows.jsonl", images="/pictures") == (rows, "/pictures")
    monkeypatch.chdir(tmp_path)
    assert located(None, path="rows.jsonl") == ("rows.jsonl", None)


@pytest.mark.parametrize(
    ("data_root", "words"),
    [
        ("$NO_SUCH_PLACE", "data_root: $NO_SUCH_PLACE is not set: `export NO_SUCH_PLACE=…`"),
        ("/no/such/folder", "data_root: /no/such/folder is not a folder"),
    ],
)
def test_a_wrong_data_root_is_one_line(data_root: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        located(data_root, path="rows.jsonl")
    assert words in str(caught.value)


def test_all_missing_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").touch()
    config = parse_config(short(data_root=str(tmp_path)))
    with pytest.raises(UserError, match=r"source 'a', path .*a\.jsonl: no such file; .*\(2 of 3 sources' files are"):
        locate(config.sources, config.data_root)
