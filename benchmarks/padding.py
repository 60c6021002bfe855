"""How much of a training's batches is padding, and what that costs: grouped by length against plain random batches.

    python -m benchmarks padding data=data/demo

Samples/s are of the first batches of an epoch, forward and backward, after some to warm up.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shape import Benchmark, Figure
from pipeline.errors import UserError
from pipeline.settings import Strict
from stages.train.config import TrainConfig, load_train_config

WARM_UP = 2


class Settings(Strict):
    """What is measured."""

    data: str = "data/demo"
    """A published dataset."""
    batches: int = 24
    """Batches of each order that are timed."""


def measure(settings: Settings) -> dict[str, float]:
    if not Path(settings.data).is_dir():
        raise UserError(f"{settings.data} isn't there: `make dataset` makes data/demo, data=FOLDER takes another")
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"data.path={settings.data}", f"run_dir={folder}/run", "check.report_to=[]"]
        return _measure(load_train_config("configs/train_demo.yaml", overrides), settings.batches)


def _measure(config: TrainConfig, batches: int) -> dict[str, float]:
    from stages.train.base_model import load_processor
    from stages.train.fit import make_layout, make_trainer
    from stages.train.order import grouped_order, padding_share
    from stages.train.prepare import prepare

    prepared = prepare(config, load_processor(config.model), make_layout(config))
    lengths, batch = prepared.train.lengths, config.optim.batch_size
    grouped = grouped_order(lengths, batch, config.seed, 0)
    plain = np.random.default_rng(config.seed).permutation(len(lengths))
    trainer = make_trainer(config, prepared)
    grouped_rate, plain_rate = (_rate(trainer, order, batch, batches) for order in (grouped, plain))
    return {
        "grouped_padding": padding_share(lengths, grouped, batch),
        "plain_padding": padding_share(lengths, plain, batch),
        "grouped_per_s": grouped_rate,
        "plain_per_s": plain_rate,
        "samples": len(lengths),
        "batch": batch,
    }


def _rate(trainer: Any, order: np.ndarray, batch: int, batches: int) -> float:
    """Samples/s of forward and backward passes; images are decoded before the clock starts."""
    chosen = [order[k * batch : (k + 1) * batch] for k in range(min(batches, len(order) // batch))]
    made = [trainer.data_collator([trainer.train_dataset[int(index)] for index in part]) for part in chosen]
    # The first passes allocate; the model's weights don't change, so they can be any.
    for inputs in made[:WARM_UP]:
        trainer.training_step(trainer.model, inputs, 1)
    start = time.perf_counter()
    for inputs in made:
        trainer.training_step(trainer.model, inputs, 1)
    return len(made) * batch / (time.perf_counter() - start)


BENCHMARK = Benchmark(
    on="{samples:,.0f} solutions of {data}, {batches} batches of {batch:.0f} timed",
    figures=(
        Figure("padding in batches by length", "grouped_padding", unit="%", at_most=0.05),
        Figure("padding in random batches", "plain_padding", unit="%"),
        Figure("training on batches by length against random ones", "grouped_per_s", "plain_per_s", "samples/s"),
    ),
    settings=Settings,
    measure=measure,
)
