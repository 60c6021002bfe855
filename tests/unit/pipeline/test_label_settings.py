"""A kind of label heeds its own settings, and says so of others; what is recorded of `mc` is what it was before kinds."""

from __future__ import annotations

import pytest

from pipeline.config import parse_config
from pipeline.config.label import LABEL_SETTINGS, LabelConfig, of_other_kind
from pipeline.errors import UserError
from pipeline.settings import parse_settings


def test_what_is_recorded_of_mc_is_what_it_was_before_there_were_kinds() -> None:
    assert LabelConfig().model_dump(mode="json") == {"threshold": 0.0, "missing": "miss"}


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "band", "low": 0.0, "high": 0.5},
        {"kind": "interval", "threshold": 0.25},
        {"kind": "judge", "judge": "anna"},
        {"kind": "consensus", "agreement": "first_error"},
    ],
)
def test_a_kind_is_recorded_with_all_that_it_heeds_and_no_more(settings: dict) -> None:
    config = LabelConfig(**settings)
    recorded = config.model_dump(mode="json")
    assert recorded.keys() == {"kind", "missing", *LABEL_SETTINGS[config.kind]}
    assert LabelConfig(**recorded) == config


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"low": 0.2}, "low is heeded by kind band alone, and kind is mc: leave it out, or set threshold"),
        ({"kind": "band", "threshold": 0.5}, "threshold is heeded by kind mc, interval, consensus alone"),
        ({"kind": "band", "low": 0.8}, "low=0.8 is not below high=0.75"),
        ({"kind": "interval"}, "no number of misses shows that mc is not above 0"),
        ({"kind": "bend"}, "did you mean 'band'"),
    ],
)
def test_what_a_kind_cannot_heed_is_refused_with_the_mend(settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_settings(LabelConfig, settings)


def test_another_kind_takes_no_settings_over_that_it_has_no_use_for() -> None:
    held = {"name": "a", "label": {"threshold": 0.25, "missing": "drop"}}
    assert of_other_kind(held, ["label.kind=band"])["label"] == {"missing": "drop"}
    assert of_other_kind(held, ["label.kind=interval"])["label"] == held["label"]
    assert of_other_kind(held, ["label.missing=miss"]) == held
    banded = {"name": "a", "label": {"kind": "band", "low": 0.0, "high": 0.5, "missing": "miss"}}
    sources = {"sources": [{"name": "s", "path": "rows.jsonl"}]}
    assert parse_config({**of_other_kind(banded, ["label.kind=mc"]), **sources}).label == LabelConfig()
