"""A training from its config to a reward model's folder: `visualprm train`.

The run directory holds train.yaml (the settings), samples-…/ (the prepared samples), checkpoints/ and logs/. The same
command resumes from the last checkpoint that is whole; settings or data that don't fit it are refused.
"""

from __future__ import annotations

from pathlib import Path

from pipeline import atomic
from pipeline.settings import dump_settings
from pipeline.store import one_line_io_errors
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import tell
from stages.reward.config import PrmConfig
from stages.reward.render import label_ids
from stages.train import base_model
from stages.train import save as artefact
from stages.train.bound import MEND, check_origin, check_settings
from stages.train.config import TrainConfig
from stages.train.fit import fit, make_layout
from stages.train.labels import Labels
from stages.train.number_type import decided
from stages.train.on_ray import fit_on_ray, stop_of
from stages.train.prepare import Prepared, prepare, read_labels


def train(config: TrainConfig) -> None:
    """Trains, or resumes a training, and writes the reward model.

    Raises:
        UserError: something in the settings, the data or an earlier run doesn't fit, or the loss isn't finite.
        KeyboardInterrupt: it was stopped, and a checkpoint was written.
    """
    config = decided(config, MEND)
    artefact.check_place(config.output_dir)
    base = base_model.fingerprint(config.model)
    run_dir = Path(config.run_dir)
    labels = read_labels(config)
    check_settings(config, run_dir, labels)
    if labels.note:
        tell(labels.note)
    with quiet(str(run_dir / "logs")):
        _train(config, labels, base)


def _train(config: TrainConfig, labels: Labels, base: str) -> None:
    run_dir = Path(config.run_dir)
    processor = base_model.load_processor(config.model)
    layout = make_layout(config)
    label_ids(processor, layout)
    prepared = prepare(config, processor, layout, labels, base_model.context_length(config.model))
    check_origin(prepared, base, run_dir)
    with one_line_io_errors(str(run_dir)):
        atomic.write(run_dir / "train.yaml", dump_settings(config))
    tell(_data_summary(prepared))
    # The model's folder says what was learnt, which "as published" would not.
    stated = config.model_copy(
        update={"target": config.target.model_copy(update={"threshold": labels.threshold})},
    )
    stop = stop_of(config)
    if config.ray.workers > 1:
        fit_on_ray(config, prepared, stated, stop)
    else:
        fit(config, prepared, stated, stop)
    if stop.asked:
        stop.forget()
        raise KeyboardInterrupt
    tell(_result_summary(config))


def _data_summary(prepared: Prepared) -> str:
    facts = prepared.facts
    lines = [
        f"{part.replace('_', ' ')}: {count['samples']:,} solutions ({count['distinct']:,} distinct), "
        f"{count['steps']:,} steps, {count['tokens']:,} tokens"
        for part, count in facts["counts"].items()
        if count
    ]
    lines.append(
        "training steps by label: " + ", ".join(f"{name} {count:,}" for name, count in facts["labels"].items())
    )
    if len(facts["system_turns"]) > 1:
        most, total = facts["system_turns"][0], sum(facts["system_turns"])
        lines.append(
            f"{len(facts['system_turns'])} system turns; scoring will use that of {most:,} of {total:,} solutions"
        )
    if facts["left_out"]:
        lines.append("left out: " + ", ".join(f"{reason} {count:,}" for reason, count in facts["left_out"].items()))
        lines += [f"  {reason}, for example {example}" for reason, example in facts["examples"].items()]
    return "\n".join(lines)


def _result_summary(config: TrainConfig) -> str:
    metrics = PrmConfig.load(Path(config.output_dir)).metrics
    measured = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if value is not None)
    return f"held out: {measured or 'no problem'}\nreward model in {config.output_dir}"
