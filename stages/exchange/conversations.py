"""VisualPRM400K and v1.1: a conversation a response, each step a human turn that a gpt turn answers + or -.

The first human turn holds the question and the first step (arXiv 2503.10291, section 4; InternVL's layout).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from pipeline.records import IMAGE, SEPARATOR
from stages.exchange.format import ExportOptions, Format, ImportOptions, Line, Read, Reader, Row, Writer
from stages.exchange.labels import chosen_turns
from stages.exchange.names import file_stem
from stages.exchange.values import get
from stages.publish.kept import Kept, restore

QUESTION = "### Question:\n"
SOLUTION = "\n\n### Solution Process:\n"


def first_turn(prompt: str, step: str) -> str:
    return f"{QUESTION}{prompt}{SOLUTION}{step}"


def with_images(prompt: str, images: int) -> str:
    """The prompt with a place for its images: in front of it, if it names none."""
    return prompt if IMAGE in prompt else f"{IMAGE}\n" * images + prompt


def prompt_of(row: Row, kept: Kept | None) -> str:
    """A row's prompt with places for its images; a released prompt has them already."""
    prompt: str = row["prompt"]
    return prompt if kept else with_images(prompt, len(row["images"]))


def write(prompt: str, turns: Sequence[tuple[str, str]], image: Any, system: str | None) -> dict[str, Any]:
    """The record of a prompt, its labelled steps and its image: a path, a list of paths, or null."""
    conversation = [{"from": "system", "value": system}] if system is not None else []
    for index, (step, label) in enumerate(turns):
        value = step if index else first_turn(prompt, step)
        conversation += [{"from": "human", "value": value}, {"from": "gpt", "value": label}]
    return {"id": -1, **({} if image is None else {"image": image}), "conversations": conversation}


def is_single_turn(record: Mapping[str, Any]) -> bool:
    """Whether a record judges a response as a whole: v1.1 holds millions of those."""
    turns = get(record, "conversations", list)
    return sum(isinstance(turn, Mapping) and turn.get("from") == "gpt" for turn in turns) < 2


def read(record: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The published columns of a record, but for those that name it and its images; and the system turn.

    What a label was counted from wasn't released: scores and counts are null.

    Raises:
        RowError: the turns aren't in the layout that `write` gives.
    """
    conversation = get(record, "conversations", list)
    values = [(get(turn, "from", str), get(turn, "value", str)) for turn in conversation]
    system = values.pop(0)[1] if values and values[0][0] == "system" else None
    humans, labels = values[0::2], values[1::2]
    if not labels or len(humans) != len(labels):
        raise RowError("odd_turns", f"{len(humans)} steps with {len(labels)} labels")
    if {who for who, _ in humans} != {"human"} or {who for who, _ in labels} != {"gpt"}:
        raise RowError("odd_turns", "human and gpt don't take turns")
    if wrong := [value for _, value in labels if value not in ("+", "-")]:
        raise RowError("not_a_label", f"{wrong[0][:80]!r} is neither '+' nor '-'")
    head, found, first = humans[0][1].partition(SOLUTION)
    if not found or not head.startswith(QUESTION):
        raise RowError("odd_turns", "the first turn doesn't hold a question and a solution")
    prompt = head.removeprefix(QUESTION)
    turns = list(zip([first, *(value for _, value in humans[1:])], (label for _, label in labels), strict=True))
    if write(prompt, turns, None, system)["conversations"] != conversation:
        raise RowError("odd_turns", "a turn holds more than its speaker and text")
    return labelled(prompt, None, turns), system


def labelled(prompt: str, answer: str | None, turns: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    """The published columns of a solution that came with labels alone."""
    return {
        "question": prompt,
        "prompt": prompt,
        "answer": answer,
        "response": SEPARATOR.join(step for step, _ in turns),
        "steps_with_score": [_step(*turn) for turn in turns],
        "num_mc_sequences": None,
    }


def _step(text: str, label: str | None) -> dict[str, Any]:
    counts = {"score": None, "num_mc_correct": None, "num_mc_total": None}
    return {"step": text, **counts, "label": label, "origin": "measured"}


def _read(record: Mapping[str, Any], options: ImportOptions) -> Read:
    if not options.single_turn and is_single_turn(record):
        raise RowError("single_turn")
    columns, system = read(record)
    rendered = {"id": -1, "image": record.get("image"), "conversations": record["conversations"]}
    return Read(columns, rendered, system)


def _line(row: Row, kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    from_conversation = kept is not None and kept.format == "conversations"
    system = kept.system if kept and from_conversation else options.system
    record = write(prompt_of(row, kept), chosen_turns(row, options), image, system)
    if kept and from_conversation:
        record = restore(record, kept)
    order = (kept.file, kept.row) if kept else ("", 0)
    return Line(f"{file_stem(row['source'])}_prm.jsonl", record, (str(image), *order))


def _meta(_name: str, out: str, counts: Mapping[str, int]) -> Mapping[str, str]:
    """InternVL's list of datasets; its paths are relative to where the trainer is started."""
    entries = {
        file.removesuffix("_prm.jsonl"): {
            "root": f"{out}/images/",
            "annotation": f"{out}/{file}",
            "data_augment": False,
            "repeat_time": 1,
            "length": length,
        }
        for file, length in sorted(counts.items())
    }
    return {"meta.json": json.dumps(entries, indent=2, ensure_ascii=False) + "\n"}


FORMAT = Format(
    reader=Reader(
        read=_read,
        holds="turns with + and -",
        released="conversations with + and - (VisualPRM400K, v1.1), whose scores and counts weren't released",
        ending="_prm",
    ),
    writer=Writer(
        line=_line,
        heeds=frozenset({"--threshold", "--cut-after-error", "--system"}),
        image_file=lambda name: f"images/{name}",
        keeps_names=True,
        own_name=lambda _dataset, name: name,
        documents=_meta,
    ),
)
