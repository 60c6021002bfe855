"""What a card says of its labels."""

from __future__ import annotations

from pipeline.config import LabelConfig
from stages.publish import label_card


def test_a_rule_says_when_there_is_no_label() -> None:
    assert label_card.rule(LabelConfig(threshold=0.25)) == "`+` if the score is above 0.25"
    assert "at least 0.75, `-` if it is at most 0.125, none between" in label_card.rule(LabelConfig(kind="band"))
    interval = label_card.rule(LabelConfig(kind="interval", threshold=0.5))
    assert "the 90 % interval of the score (Jeffreys) lies above or below 0.5, none if it spans that" in interval


def test_mc_has_no_section_and_another_kind_counts_by_source() -> None:
    counts = {"labelled_by_mc": 2000, "kept": 1500, "kept_share": 0.75, "differing": 3}
    nothing = {"labelled_by_mc": 0, "kept": 0, "kept_share": None, "differing": 0}
    figures = {
        "sources": {"a|b": {"label_kind": counts}, "none": {"label_kind": nothing}},
        "total": {"label_kind": counts},
    }
    assert label_card.section(figures, LabelConfig()) == []
    (text,) = label_card.section(figures, LabelConfig(kind="band"))
    assert "| 2,000 | 1,500 | 75.0 % | 3 |" in " ".join(text.split())
    assert "| 0 | 0 | – | 0 |" in " ".join(text.split())
