"""The settings of labels: which kinds there are, and what each heeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pipeline.settings import Strict

LabelKind = Literal["mc", "band", "interval", "judge", "consensus"]

LABEL_SETTINGS: Mapping[LabelKind, tuple[str, ...]] = {
    "mc": ("threshold",),
    "band": ("low", "high"),
    "interval": ("threshold", "confidence"),
    "judge": ("judge",),
    "consensus": ("threshold", "judge", "agreement"),
}
"""The settings that a kind heeds, beside `missing`, which all do."""


class LabelConfig(Strict):
    """How verdicts become counts and counts become labels."""

    kind: LabelKind = Field(default="mc", exclude_if=lambda kind: kind == "mc")
    """Which steps get which label (docs/label_kinds.md): `mc` labels all that were measured, the others not the doubtful ones."""
    threshold: float = Field(default=0.0, ge=0, lt=1)
    """A step is right if its score is above this (paper: 0)."""
    missing: Literal["miss", "drop"] = "miss"
    """A draw without a correct or incorrect verdict counts as a miss, or not at all."""
    low: float = Field(default=0.125, ge=0, lt=1)
    """Of `band`: a step is wrong if its score is at most this."""
    high: float = Field(default=0.75, gt=0, le=1)
    """Of `band`: a step is right if its score is at least this."""
    confidence: float = Field(default=0.9, gt=0, lt=1)
    """Of `interval`: the probability that mc lies in the interval which the threshold must not lie in."""

    judge: str | None = None
    """Of `judge` and `consensus`: the name of the judge whose judgements count; null where the run has those of one alone."""
    agreement: Literal["step", "first_error"] = "step"
    """Of `consensus`: a step is labelled where both agree on it, or a whole solution where both name the same first error."""

    @property
    def needs_judge(self) -> bool:
        return "judge" in LABEL_SETTINGS[self.kind]

    @model_validator(mode="after")
    def _heeds_all(self) -> LabelConfig:
        for name in sorted(self.model_fields_set - {"kind", "missing", *LABEL_SETTINGS[self.kind]}):
            if getattr(self, name) != type(self).model_fields[name].default:
                kinds = ", ".join(kind for kind, heeded in LABEL_SETTINGS.items() if name in heeded)
                heeded = ", ".join(LABEL_SETTINGS[self.kind])
                raise ValueError(
                    f"{name} is heeded by kind {kinds} alone, and kind is {self.kind}: leave it out, or set {heeded}"
                )
        if self.kind == "band" and self.low >= self.high:
            raise ValueError(f"low={self.low:g} is not below high={self.high:g}: lower the first or raise the second")
        if self.kind == "interval" and not self.threshold:
            raise ValueError(
                "kind=interval with threshold=0: no number of misses shows that mc is not above 0, so no step would "
                "be wrong; set threshold, for example to 0.5"
            )
        return self

    @model_serializer(mode="wrap")
    def _heeded(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the settings of other kinds, so that what was made before there were kinds stays the same."""
        held = {"kind", "missing", *LABEL_SETTINGS[self.kind]}
        return {name: value for name, value in write(self).items() if name in held}


def of_other_kind(held: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A run's own settings without those of its label kind that another kind, asked for by an override, has no use for."""
    kind = next((text for key, _, text in (each.partition("=") for each in overrides) if key == "label.kind"), None)
    if kind is None or "label" not in held:
        return dict(held)
    heeded = {"missing", *next((names for known, names in LABEL_SETTINGS.items() if known == kind), ())}
    return {**held, "label": {name: value for name, value in held["label"].items() if name in heeded}}
