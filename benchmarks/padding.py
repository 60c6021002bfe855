"""How much of a training's batches is padding, and what that costs: grouped by length against plain random batches.

    python -m benchmarks.padding --data data/demo

Exit status 1 if padding is more than 5 % of the tokens. Samples/s are of the first batches of an epoch, forward and
backward, after some to warm up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.train_config import TrainConfig, load_train_config

LIMIT = 0.05
WARM_UP = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/demo")
    parser.add_argument("--batches", type=int, default=24)
    args = parser.parse_args()
    if not Path(args.data).is_dir():
        print(f"{args.data} isn't there: `make dataset` makes it")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"data.path={args.data}", f"run_dir={folder}/run", "check.report_to=[]"]
        return bench(load_train_config("configs/train_demo.yaml", overrides), args.batches)


def bench(config: TrainConfig, batches: int) -> int:
    from pipeline.base_model import load_processor
    from pipeline.preparation import prepare
    from pipeline.training import make_layout, make_trainer
    from stages.order import grouped_order, padding_share

    prepared = prepare(config, load_processor(config.model), make_layout(config))
    lengths, batch = prepared.train.lengths, config.optim.batch_size
    orders = {
        "grouped": grouped_order(lengths, batch, config.seed, 0),
        "plain": np.random.default_rng(config.seed).permutation(len(lengths)),
    }
    trainer = make_trainer(config, prepared)
    for name, order in orders.items():
        share = padding_share(lengths, order, batch)
        print(f"{name}: {share:.1%} padding, {_rate(trainer, order, batch, batches):.1f} samples/s", flush=True)
    return int(padding_share(lengths, orders["grouped"], batch) > LIMIT)


def _rate(trainer: Any, order: np.ndarray, batch: int, batches: int) -> float:
    """Samples/s of forward and backward passes; images are decoded before the clock starts."""
    chosen = [order[k * batch : (k + 1) * batch] for k in range(min(batches, len(order) // batch))]
    made = [trainer.data_collator([trainer.train_dataset[int(index)] for index in part]) for part in chosen]
    # The first passes allocate; the model's weights don't change, so they can be any.
    for inputs in made[:WARM_UP]:
        trainer.training_step(trainer.model, inputs)
    start = time.perf_counter()
    for inputs in made:
        trainer.training_step(trainer.model, inputs)
    return len(made) * batch / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
