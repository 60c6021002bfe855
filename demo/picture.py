"""Draws a published sample beside the scores of its steps: `python -m demo.picture data/demo docs/sample.png`."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pyarrow.dataset as ds
from PIL import Image

WRONG, RIGHT = "#c0392b", "#2e8b57"


def telling(row: Mapping[str, Any]) -> tuple[bool, int]:
    """A solution that starts well and goes wrong says most; then the one with the most steps."""
    scores = [step["score"] for step in row["steps_with_score"]]
    measured = all(score is not None for score in scores)
    return measured and scores[0] > 0.5 and 0 < scores.index(0.0) < len(scores) - 1 if 0.0 in scores else False, len(
        scores
    )


def draw(row: Mapping[str, Any], path: Path) -> None:
    """One row of a published dataset as a PNG."""
    steps = row["steps_with_score"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1, 1.6], layout="constrained")
    left.imshow(Image.open(io.BytesIO(row["images"][0]["bytes"])))
    left.set_title(f"{row['question']}\nright answer: {row['answer']}", fontsize=10)
    left.axis("off")
    right.barh(
        [step["step"].strip() for step in steps],
        [step["score"] for step in steps],
        color=[RIGHT if step["label"] == "+" else WRONG for step in steps],
    )
    for index, step in enumerate(steps):
        right.text(
            step["score"] + 0.02, index, f"{step['num_mc_correct']}/{step['num_mc_total']}", va="center", fontsize=9
        )
    right.invert_yaxis()
    right.set_xlim(0, 1.15)
    right.set_xlabel("share of continuations that reach the right answer")
    right.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    rows = ds.dataset(sorted(Path(options.dataset).glob("*.parquet"))).to_table().to_pylist()
    draw(max(rows, key=telling), options.picture)


if __name__ == "__main__":
    main()
