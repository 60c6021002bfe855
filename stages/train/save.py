"""The reward model's folder: weights, processor, `prm_config.json` and a model card, written as a whole."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline import atomic, manifest
from pipeline.errors import UserError
from pipeline.markdown import compact_table
from stages.reward.config import FILE, PrmConfig
from stages.reward.render import Layout
from stages.split import told
from stages.train.curves import TITLE as CURVES

_CARD = """# {name}

A {what} for reasoning about images: it reads a question, its images and a solution, and scores {unit} in one forward
pass, as [VisualPRM](https://arxiv.org/abs/2503.10291) does. Trained with visualprm from `{base}`.

| | |
|---|---|
| target | `{target}` |
| labels and weights | {labels} |
| score | the sum of P(label) · weight; probabilities among the labels alone |
| longest conversation in training | {max_tokens:,} tokens, images included |
| prompt | `{prompt_sha}` |
| data | `{data}` |
{steps}
## Measured

On the held-out problems, against the dataset's own labels:

{metrics}
{curves}
## Use

```python
from visualprm import ProcessRewardModel

model = ProcessRewardModel.from_pretrained("{folder}")
model.score(question, images, steps)  # {scores}
```

{layout}
"""
_LAYOUT = (
    "The folder is also a plain `transformers` checkpoint. `prm_config.json` says how a conversation is written: {}"
)
_LAYOUTS = {
    ("prm", False): "every step is a user turn, the first also holds the images and the question, and every assistant "
    "turn is the placeholder. The logits just before a placeholder, at the labels' ids, judge the steps up to there.",
    ("prm", True): "the user turn holds the images and the question, the assistant's turn the solution as it was "
    "written. The logits at a step's last token, at the labels' ids, judge the steps up to there.",
    ("orm", False): "the user turn holds the images, the question and the whole response, the assistant's turn is the "
    "placeholder. The logits just before it, at the labels' ids, judge the response.",
    (
        "orm",
        True,
    ): "the user turn holds the images and the question, the assistant's turn the whole response. The logits "
    "at its last token, at the labels' ids, judge it.",
}
"""By kind, and by whether the solution stands inline."""


def check_place(output_dir: str) -> None:
    """A folder that isn't empty and isn't a reward model stays.

    Raises:
        UserError: it is such a folder.
    """
    folder = Path(output_dir)
    if folder.exists() and not (folder / FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"output_dir: {folder} holds something other than a reward model: choose another folder or move it"
        )


def write_artefact(
    output_dir: str,
    config: PrmConfig,
    processor: Any,
    save_weights: Callable[[Path], None],
    curves: Mapping[str, bytes] | None = None,
) -> None:
    """Writes a new folder, which then takes the place of an old one. `curves` are pictures of the training, by name."""
    with atomic.new_folder(output_dir) as staging:
        save_weights(Path(staging))
        processor.save_pretrained(staging)
        config.save(Path(staging))
        for name, data in (curves or {}).items():
            atomic.write(f"{staging}/{name}", data)
        atomic.write(f"{staging}/README.md", model_card(config, Path(output_dir), list(curves or ())))
        manifest.save_of(staging)


def model_card(config: PrmConfig, folder: Path, curves: Sequence[str] = ()) -> str:
    front = {
        "library_name": "transformers",
        "pipeline_tag": "image-text-to-text",
        "base_model": config.base_model.split("@")[0],
        "tags": ["process-reward-model" if config.kind == "prm" else "outcome-reward-model", "vision-language"],
    }
    inline = Layout(config.labels, config.placeholder, config.first_turn).inline
    values = [(name, _number(value)) for name, value in config.metrics.items()]
    card = _CARD.format(
        name=folder.name,
        what="process reward model" if config.kind == "prm" else "outcome reward model",
        unit="each step" if config.kind == "prm" else "the whole response",
        base=config.base_model,
        target=config.target,
        labels=", ".join(f"`{label}` {weight:+g}" for label, weight in config.label_weights.items()),
        max_tokens=config.max_tokens,
        prompt_sha=config.prompt_sha,
        data=config.data_fingerprint,
        steps=f"| steps | {told(config.split)} |\n" if config.split else "",
        metrics=compact_table(("measure", "value"), values or [("none: no problem was held out", "")]),
        curves="".join(f"\n![{CURVES}]({name})\n" for name in curves if name.endswith(".png")),
        folder=folder,
        scores="a score for each step" if config.kind == "prm" else "one score, of all steps together",
        layout=textwrap.fill(_LAYOUT.format(_LAYOUTS[config.kind, inline]), 120),
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n{card}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{int(value):,}" if float(value).is_integer() and value > 1 else f"{value:.4f}"
