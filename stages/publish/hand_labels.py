"""What people say of a run's labels: `hand_labels.json` of `visualprm annotate export --run`, as a section of the card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from pipeline import origin
from pipeline.markdown import markdown_table
from pipeline.store import Store
from stages.metrics import wilson

NAME = "hand_labels.json"
_MEND = "export the labels again, or remove this file"
_RIGHT = {"+": "correct", "-": "incorrect"}


@dataclass(frozen=True, slots=True)
class Precision:
    """Of the labels `sign` that people judged: how many they call right, and a 95 % interval of the share."""

    sign: str
    right: int
    judged: int
    interval: tuple[float, float] | None

    @property
    def share(self) -> float | None:
        return self.right / self.judged if self.judged else None


def precision(pairs: Iterable[tuple[str | None, str | None]]) -> list[Precision]:
    """From pairs of a step's label and what people call the step; neutral steps and steps without a label don't count.

    The interval is Wilson's: it takes the steps as drawn independently of each other.
    """
    counted = [(sign, said) for sign, said in pairs if sign in _RIGHT and said in _RIGHT.values()]
    found = []
    for sign, right in _RIGHT.items():
        said = [each for label, each in counted if label == sign]
        found.append(Precision(sign, said.count(right), len(said), wilson(said.count(right), len(said))))
    return found


def precision_table(found: Sequence[Precision]) -> str:
    """As Markdown, without labels that nobody judged."""
    rows = [
        (f"`{one.sign}`", f"{one.judged:,}", f"{one.right:,}", f"{100 * (one.share or 0):.1f}", brackets(one.interval))
        for one in found
        if one.judged
    ]
    return markdown_table(("label", "judged by people", "right", "%", "95 % interval"), rows)


def brackets(interval: tuple[float, float] | None) -> str:
    """In percent."""
    return "–" if interval is None else f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def held(store: Store) -> dict[str, Any] | None:
    """What the run's file says; None where there is none.

    Raises:
        UserError: it can't be read.
    """
    return origin.noted(store, NAME, _MEND)


def section(store: Store, folder: str, filesystem: pafs.FileSystem) -> str:
    """The card's section about the shards in `folder`; empty where nobody has labelled a step that is published."""
    audit = held(store)
    if audit is None:
        return ""
    said = {(one["id"], one["step"]): one["label"] for one in audit["steps"]}
    labels = _published(folder, filesystem, sorted({key for key, _ in said}))
    pairs = [(labels[key], label) for key, label in said.items() if key in labels]
    found = precision(pairs)
    if not any(one.judged for one in found):
        return ""
    neutral = sum(label == "neutral" for _, label in pairs)
    return (
        f"## Labels against people\n\n{len(pairs):,} steps of this dataset were labelled by hand, by "
        f"{_people(len(audit['annotators']))}{_blind(audit)}. {_alpha(audit)}A label is right where people call the step so.\n\n"
        + precision_table(found)
        + (f"\n\n{neutral:,} more steps they call neutral." if neutral else "")
    )


def _published(folder: str, filesystem: pafs.FileSystem, ids: Sequence[str]) -> dict[tuple[str, int], str | None]:
    files = [
        info.path for info in filesystem.get_file_info(pafs.FileSelector(folder)) if info.path.endswith(".parquet")
    ]
    rows = ds.dataset(files, filesystem=filesystem, format="parquet").to_table(
        columns={"id": pc.field("id"), "steps": pc.field("steps_with_score")}, filter=pc.field("id").isin(ids)
    )
    return {(row["id"], step): entry["label"] for row in rows.to_pylist() for step, entry in enumerate(row["steps"])}


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count:,} people"


def _blind(audit: Mapping[str, Any]) -> str:
    looked = audit["labels_after_a_look"]
    return (
        ", who did not see the labels" if not looked else f"; {looked:,} labels were given after a look at other labels"
    )


def _alpha(audit: Mapping[str, Any]) -> str:
    found = audit["agreement"]
    if found["krippendorff_alpha"] is None:
        return ""
    return f"On {found['steps']:,} steps that several labelled, Krippendorff's α is {found['krippendorff_alpha']:.2f}. "
