"""How a score becomes a decision: a step counts as right if its score is above the threshold.

The paper gives no threshold for VisualProcessBench. `fixed` is what the user says; `tuned` is the best one on a part of
the bench that the report then leaves out; `swept` is the best one on the very samples reported, an upper bound.
"""

from __future__ import annotations

import hashlib
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import UserError

TUNED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Rule:
    """`value` is the fixed threshold, or the share of problems that the threshold is tuned on."""

    kind: Literal["fixed", "tuned", "swept"]
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> Rule:
        """`0.85`, `tuned`, `tuned:0.3` or `swept`.

        Raises:
            UserError: anything else.
        """
        if text == "swept":
            return cls("swept")
        if match := re.fullmatch(r"tuned(?::(0?\.\d+))?", text):
            return cls("tuned", float(match[1] or TUNED_SHARE))
        with suppress(ValueError):
            if math.isfinite(value := float(text)):
                return cls("fixed", value)
        raise UserError(f"--threshold {text}: give a number, 'tuned', 'tuned:SHARE' with a share below 1, or 'swept'")


def is_for_tuning(problem: str, share: float) -> bool:
    """Whether the samples of this problem belong to the part for tuning: all of a problem's do, or none.

    The first 48 bits of the SHA-256 of its text, as a number in [0, 1), are below `share`.
    """
    return int.from_bytes(hashlib.sha256(problem.encode()).digest()[:6], "big") / 2**48 < share
