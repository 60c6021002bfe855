"""Loads a reward model to score with, here or by vLLM."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.terminal.speak import say
from stages.reward.config import FILE, PrmConfig
from stages.reward.cutting import check_cutting
from stages.reward.model import ProcessRewardModel, Scorer, read_config
from stages.reward.vllm import VllmScorer

Backend = Literal["hf", "vllm"]


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """How a file is scored. `images` is the folder that image paths are below; `overwrite` replaces earlier scores.

    A response is cut as the model's dataset was, into at most `max_steps` if that is given; `run_code` allows that the
    model's folder names a function for it.
    """

    model: str
    backend: Backend = "hf"
    dtype: str | None = None
    images: str | None = None
    max_steps: int | None = None
    overwrite: bool = False
    run_code: bool = False


@contextmanager
def open_scorer(options: ScoreOptions) -> Iterator[Scorer]:
    """Loads the model (vLLM: tens of seconds), and ends its processes afterwards; one line calls it untrained if it is."""
    with opened(options) as scorer:
        note_untrained(options.model, scorer.config)
        yield scorer


def note_untrained(model: str, config: PrmConfig) -> None:
    """Scores of a model that was never trained to judge look like any others."""
    if not config.trained:
        say(
            f"{model}: an untrained critic: it has no {FILE}, so it was not trained to judge steps, and its scores are "
            "a baseline only"
        )


@contextmanager
def opened(options: ScoreOptions) -> Iterator[Scorer]:
    """As `open_scorer`, without a line."""
    check_cutting(options.model, read_config(options.model), options.run_code)
    with ended(load_scorer(options.model, options.backend, options.dtype)) as scorer:
        yield scorer


def load_scorer(
    model: str, backend: Backend = "hf", dtype: str | None = None, like: str | None = None, **args: Any
) -> Scorer:
    """Loads a reward model, or one that is read as the reward model `like` is; see `ended`.

    Args:
        args: vLLM's own.

    Raises:
        UserError: it can't be loaded.
    """
    # A model that is nowhere is told before libraries of seconds are loaded.
    read_config(model, like)
    if backend == "vllm":
        from pipeline.cluster.session import WORKER_ENV

        os.environ.update(WORKER_ENV)
        return VllmScorer(model, dtype, like=like, **args)
    from transformers.utils import logging

    logging.disable_progress_bar()
    return ProcessRewardModel.from_pretrained(model, dtype=dtype, like=like)


@contextmanager
def ended(scorer: Scorer) -> Iterator[Scorer]:
    """Ends a scorer's processes after the block, where it has any."""
    try:
        yield scorer
    finally:
        if isinstance(scorer, VllmScorer):
            scorer.close()
