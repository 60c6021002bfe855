"""Loads a reward model to score with, here or by vLLM."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Literal

from pipeline.terminal.speak import say
from stages.reward.config import FILE, PrmConfig
from stages.reward.cutting import check_cutting
from stages.reward.model import UNTRAINED, ProcessRewardModel, Scorer, read_config

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
    if config.data_fingerprint == UNTRAINED:
        say(
            f"{model}: an untrained critic: it has no {FILE}, so it was not trained to judge steps, and its scores are "
            "a baseline only"
        )


@contextmanager
def opened(options: ScoreOptions) -> Iterator[Scorer]:
    """As `open_scorer`, without a line."""
    # A model that is nowhere is told before libraries of seconds are loaded.
    check_cutting(options.model, read_config(options.model), options.run_code)
    if options.backend == "vllm":
        from pipeline.cluster.session import WORKER_ENV
        from stages.reward.vllm import VllmScorer

        os.environ.update(WORKER_ENV)
        with closing(VllmScorer(options.model, options.dtype)) as scorer:
            yield scorer
        return
    from transformers.utils import logging

    logging.disable_progress_bar()
    yield ProcessRewardModel.from_pretrained(options.model, dtype=options.dtype)
