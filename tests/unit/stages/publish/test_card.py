from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from pipeline.config import RunConfig, SplitConfig, parse_config
from pipeline.errors import UserError
from pipeline.records import VERDICT_STATUSES
from pipeline.schemas import PUBLISHED_SCHEMA, PUBLISHED_STEP
from stages.publish.card import COLUMNS, STEP_COLUMNS, card, documents, stats_json, summary_table
from stages.publish.reading import stated_split
from stages.publish.stats import statistics

VERSIONS = {"vllm": "0.32.0", "pyarrow": "26.0.1"}


def config(**more: Any) -> RunConfig:
    return parse_config({"name": "demo", "sources": [{"name": "bars", "path": "rows.jsonl"}], **more})


def document() -> dict[str, Any]:
    """Two sources, the second of which has nothing to publish."""
    bars = {
        "problems": 10,
        "solutions": 40,
        "steps": 100,
        "scored_steps": 80,
        "score_sum": 60.0,
        "labelled_steps": 80,
        "incorrect_steps": 8,
        "mixed_solutions": 6,
        "tokens": 12_345,
        "pending": 0,
        "responses.correct": 30,
        "responses.truncated": 10,
        "draws.correct": 900,
        "draws.incorrect": 300,
        "origins.measured": 60,
        "origins.own_answer": 20,
        "origins.not_sampled": 20,
        "quarantined.missing_image": 3,
    }
    return {
        "sources": {"bars": bars, "empty": {"problems": 0, "pending": 2, "quarantined.no_solutions": 1}},
        "policies": [{"policy_model": "demo/policy", "prompt_sha": "c" * 64, "strategy": "fixed", "solutions": 40}],
        "shards": [{"name": "train-00000-of-00001.parquet", "rows": 40, "bytes": 1000}],
    }


def front_matter(text: str) -> dict[str, Any]:
    _, head, _ = text.split("---\n", 2)
    parsed: dict[str, Any] = yaml.safe_load(head)
    return parsed


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def cells(text: str, first: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_means_and_shares_are_over_what_was_measured() -> None:
    bars = statistics(document())["sources"]["bars"]
    assert bars["mean_steps"] == 2.5
    assert bars["mean_mc"] == 0.75
    assert bars["incorrect_step_share"] == 0.1
    assert bars["mixed_solution_share"] == 0.15
    assert bars["correct_response_share"] == 0.75
    assert bars["draws"] == {**dict.fromkeys(VERDICT_STATUSES, 0), "correct": 900, "incorrect": 300}
    assert bars["origins"] == {"measured": 60, "not_sampled": 20, "own_answer": 20}


def test_nothing_measured_is_null() -> None:
    empty = statistics(document())["sources"]["empty"]
    for name in ("mean_steps", "mean_mc", "incorrect_step_share", "mixed_solution_share"):
        assert empty[name] is None


def test_the_total_is_the_sum_of_the_sources() -> None:
    total = statistics(document())["total"]
    assert (total["problems"], total["pending"], total["mean_mc"]) == (10, 2, 0.75)
    assert total["quarantined"] == {"missing_image": 3, "no_solutions": 1}


def test_stats_json_is_sorted_json_with_nulls() -> None:
    text = stats_json(statistics(document()))
    parsed = json.loads(text)
    assert parsed == statistics(document())
    assert list(parsed) == sorted(parsed)
    assert '"mean_mc": null' in text
    assert text.endswith("}\n")


def test_front_matter_names_the_shards_and_leaves_the_licence_to_the_sources() -> None:
    head = front_matter(card(statistics(document()), config(), VERSIONS))
    assert head["license"] == "other"
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "train-*.parquet"}]}
    ]


@pytest.mark.parametrize(
    ("solutions", "expected"), [(999, "n<1K"), (1000, "1K<n<10K"), (400_000, "100K<n<1M"), (10**6, "n>1M")]
)
def test_size_categories(solutions: int, expected: str) -> None:
    counts = document()
    counts["sources"]["bars"]["solutions"] = solutions
    assert front_matter(card(statistics(counts), config(), {}))["size_categories"] == [expected]


def test_tables_hold_each_source_and_all() -> None:
    text = card(statistics(document()), config(), VERSIONS)
    sources = section(text, "Sources")
    assert cells(sources, "bars") == [
        "bars",
        "10",
        "40",
        "100",
        "2.50",
        "0.7500",
        "10.0 %",
        "15.0 %",
        "75.0 %",
    ]
    assert cells(sources, "empty") == ["empty", "0", "0", "0", *["–"] * 5]
    assert cells(sources, "all")[1:4] == ["10", "40", "100"]
    assert "| bars   | continuations | 1,200 |" in section(text, "Verdicts")
    assert cells(section(text, "Left out"), "`missing_image`") == ["`missing_image`", "3"]
    assert cells(section(text, "Left out"), "not annotated yet") == ["not annotated yet", "2"]


def test_the_recipe_says_how_it_was_made() -> None:
    text = section(card(statistics(document()), config(seed=7, label={"threshold": 0.25}), VERSIONS), "How it was made")
    for words in (
        "`demo/policy`, prompt `cccccccccccc`",
        "16 a prefix",
        "above 0.25",
        "pyarrow 26.0.1, vllm 0.32.0",
    ):
        assert words in text
    assert cells(text, "seed") == ["seed", "7"]


def test_the_statistics_state_how_labels_were_made() -> None:
    stated = config(label={"threshold": 0.25, "missing": "drop"})
    figures = json.loads(documents(document(), stated, VERSIONS)["stats.json"])
    assert figures.pop("label") == {"threshold": 0.25, "missing": "drop"}
    assert figures.pop("split") == {"max_steps": 12}
    assert figures == statistics(document())


def test_the_card_and_the_statistics_state_how_steps_were_cut() -> None:
    more = [config(split={"kind": "sentences", "max_steps": 20})]
    made = documents(document(), config(split={"kind": "sentences"}), VERSIONS, more=more)
    figures = json.loads(made["stats.json"])
    assert figures["split"] == {"kind": "sentences", "max_steps": 20}
    assert stated_split(figures) == SplitConfig(kind="sentences", max_steps=20)
    assert stated_split({}) is None
    assert "split at ends of sentences, merged evenly to at most 12" in made["README.md"]
    assert "a blank line" not in made["README.md"]
    with pytest.raises(UserError, match=r"stats\.json: split: kind: "):
        stated_split({"split": {"kind": "of_later"}})


def test_what_cannot_be_right_stands_on_the_card_and_in_the_summary() -> None:
    counts = document()
    bars = counts["sources"]["bars"]
    bars |= {"incorrect_steps": 80, "responses.correct": 0, "responses.incorrect": 30, "draws.correct": 0}
    bars |= {"draws.incorrect": 200, "draws.no_answer": 700, "draws.truncated": 300}
    figures = statistics(counts)
    warnings = section(card(figures, config(), VERSIONS), "Warnings")
    for start in (
        "- No right answer in bars, in 1,240 solutions and continuations: ",
        "- No step has the label +, in 1,240 solutions and continuations: ",
        "- 700 of 1,200 draws (58.3%) hold no answer, above all in bars: ",
    ):
        assert start in warnings
    assert warnings.count("\n- ") == 3
    summary = summary_table(figures)
    assert "warning: no right answer in bars, in 1,240 solutions" in summary
    assert summary.count("warning: ") == 3


def test_a_source_with_hardly_a_right_answer_is_told_on_the_card_and_in_the_summary() -> None:
    counts = document()
    counts["sources"]["bars"] |= {"responses.correct": 0, "responses.incorrect": 30, "draws.correct": 2}
    counts["sources"]["bars"] |= {"draws.incorrect": 1198, "draws.no_answer": 0, "draws.truncated": 0}
    figures = statistics(counts)
    told = "2 of 1,240 solutions and continuations (0.2%) are right in bars: the verifier accepts"
    assert f"- {told}" in section(card(figures, config(), VERSIONS), "Warnings")
    assert f"warning: {told}" in summary_table(figures)


def test_a_dataset_without_a_fault_has_no_warnings() -> None:
    assert "## Warnings" not in card(statistics(document()), config(), VERSIONS)
    assert "warning" not in summary_table(statistics(document()))


ENGINE = {"kind": "vllm", "model": "policy@0123", "versions": {"visualprm": "0.1.0", "ray": "2.1", "vllm": "0.3"}}


def test_the_card_and_the_statistics_say_what_drew_and_what_judged() -> None:
    of_before = {"kind": "vllm", "model": "policy@0123", "versions": None}
    provenance = {"engines": [ENGINE, of_before], "verifiers": [None, "3 sympy=1.14"]}
    made = documents(document(), config(), VERSIONS, provenance=provenance)
    figures = json.loads(made["stats.json"])
    assert {name: figures[name] for name in provenance} == provenance
    recipe = " ".join(section(made["README.md"], "How it was made").split())
    for words in (
        "vllm, `policy@0123`; visualprm 0.1.0, ray 2.1, vllm 0.3 |",
        "vllm, `policy@0123`; versions not recorded",
        "| revision 3 sympy=1.14 ",
        "| not recorded ",
    ):
        assert words in recipe


def test_the_card_of_a_scripted_engine_names_no_model() -> None:
    counts = document()
    counts["policies"][0]["policy_model"] = "scripted"
    scripted = {"kind": "scripted", "model": "scripted", "versions": {"visualprm": "0.1.0", "ray": "2.1", "vllm": None}}
    settings = config(engine={"kind": "scripted"})
    text = documents(counts, settings, {}, more=[settings], provenance={"engines": [scripted], "verifiers": []})
    assert "demo/policy" not in text["README.md"]
    words = "scripted, no model: the text follows from its seeds; visualprm 0.1.0, ray 2.1 |"
    assert words in " ".join(text["README.md"].split())


def test_every_published_column_is_explained() -> None:
    assert list(COLUMNS) == PUBLISHED_SCHEMA.names
    assert list(STEP_COLUMNS) == [field.name for field in PUBLISHED_STEP]


def test_sections_come_before_the_configuration() -> None:
    text = card(statistics(document()), config(), {}, ["## Oracle\n\nF1 0.9\n"])
    assert text.index("## Columns") < text.index("## Oracle") < text.index("<details>")


def test_the_card_does_not_depend_on_where_and_how_wide_the_run_ran() -> None:
    here = config(run_dir="/a", output_dir="/b", ray={"address": "auto"}, verify={"workers": 1})
    there = config(
        run_dir="/c", output_dir="/d", engine={"replicas": 2}, verify={"workers": 8}, limits={"truncated": 0.5}
    )
    assert documents(document(), here, VERSIONS) == documents(document(), there, VERSIONS)


def test_the_shown_configuration_makes_the_same_run() -> None:
    original = config(label={"threshold": 0.125}, sampling={"num_solutions": 3})
    text = card(statistics(document()), original, {})
    shown = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert parse_config(shown) == original


def test_a_pipe_in_a_name_does_not_break_the_table() -> None:
    counts = document()
    counts["sources"]["a|b"] = counts["sources"].pop("bars")
    assert "| a\\|b " in card(statistics(counts), config(), {})


def test_the_summary_has_counts_and_reasons() -> None:
    text = summary_table(statistics(document()))
    assert text.startswith("10 problems · 40 solutions · 100 steps · 1,200 draws · 12,345 tokens\n")
    assert "quarantined: 4 (missing_image 3, no_solutions 1)" in text
    assert "pending: 2" in text


def test_contamination_is_told_only_where_it_was_looked_for() -> None:
    assert "## Contamination" not in card(statistics(document()), config(), {})
    assert "contaminated" not in summary_table(statistics(document()))
    counts = document()
    counts["sources"]["bars"] |= {"screened": 10, "contaminated": 3, "overlaps.mmmu": 1, "overlaps.mathvista": 2}
    figures = statistics(counts)
    assert figures["sources"]["empty"]["contaminated"] is None
    compared = config(contamination={"against": [{"name": name, "path": "x.jsonl"} for name in ("mmmu", "mathvista")]})
    text = section(card(figures, compared, {}), "Contamination")
    assert "Compared with mmmu, mathvista" in text
    assert "3 of the problems here are flagged" in text
    assert cells(text, "mathvista") == ["mathvista", "2"]
    assert "flagged as contaminated: 3 (mathvista 2, mmmu 1)" in summary_table(figures)


def test_the_card_covers_all_runs() -> None:
    other = config(engine={"model": "a/b"}, sampling={"top_k": 9}, seed=4)
    text = card(statistics(document()), config(), {}, (), [other])
    recipe = section(text, "How it was made")
    assert recipe.count("| sampling ") == 2
    assert recipe.count("| steps ") == 1
    assert "Configuration of run 2, `a/b`" in text
