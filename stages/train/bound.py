"""What a training's checkpoints are bound to: the settings, the data and the weights that it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline import atomic, origin
from pipeline.errors import UserError
from pipeline.settings import flat, parse_settings
from pipeline.store import Store, one_line_io_errors
from stages.train.checkpoints import holds_checkpoints
from stages.train.config import TrainConfig
from stages.train.labels import Labels
from stages.train.prepare import Prepared

FREE = (
    "output_dir", "check", "ray.gpu", "ray.address", "ray.failures", "data.path", "optim.loader_workers",
    "model.output_dtype",
)  # fmt: skip
"""Dotted keys that may change between two calls on one run directory. With other `ray.workers` an optimiser step
would be of another number of samples, and what a checkpoint has seen could not be told from its step."""
_MADE_FROM = {
    "fingerprint": ("other data", "data.path"),
    "base": ("a training of other weights", "model.base"),
    "samples": (
        "conversations that were written otherwise, with another system text or by another template or processor",
        "model.system",
    ),
}
"""What `data.json` says of the checkpoints; what they are of if it is another now, and the setting for it. The first to
differ is named: other data and another base make other samples, too."""
MEND = "restore what it was, set run_dir to another folder, or remove this one"
_THRESHOLD = "target.threshold"


def check_settings(config: TrainConfig, run_dir: Path, labels: Labels) -> None:
    """Those that a checkpoint depends on. A setting that an older `train.yaml` lacks has its default."""
    held = origin.noted(Store(str(run_dir)), "train.yaml", MEND)
    if held is not None and holds_checkpoints(run_dir):
        before = _bound(parse_settings(TrainConfig, held, origin=f"{run_dir}/train.yaml"))
        now = _bound(config)
        if labels.same(before[_THRESHOLD], now[_THRESHOLD]):
            before[_THRESHOLD] = now[_THRESHOLD]
        elif now[_THRESHOLD] is None:
            now[_THRESHOLD] = "the labels as published"
        what = "holds checkpoints of a training with other settings"
        origin.check(str(run_dir), before, now, MEND, what)


def _bound(config: TrainConfig) -> dict[str, Any]:
    """The settings that may not change between two calls."""
    return {
        key: value
        for key, value in flat(config.model_dump(mode="json")).items()
        if not any(key == name or key.startswith(name + ".") for name in FREE)
    }


def check_origin(prepared: Prepared, base: str, run_dir: Path) -> None:
    """A checkpoint belongs to the data and conversations that it has seen, and to the weights that it began with."""
    path = run_dir / "data.json"
    now = {"fingerprint": prepared.fingerprint, "base": base, "samples": prepared.folder.name}
    held = origin.noted(Store(str(run_dir)), path.name, MEND)
    if held is not None and holds_checkpoints(run_dir):
        for name, (what, setting) in _MADE_FROM.items():
            if name not in held:
                raise UserError(
                    f"{path}: was written before base weights and system text were noted there: if these have not "
                    "changed since, remove this file to resume; else set run_dir to another folder"
                )
            origin.check(
                str(run_dir), {setting: held[name]}, {setting: now[name]}, MEND, f"holds checkpoints of {what}"
            )
    with one_line_io_errors(str(run_dir)):
        atomic.write(path, json.dumps(now))
