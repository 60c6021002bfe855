"""`messages` with roles, as LLaMA-Factory (formatting `sharegpt`) and ms-swift read them.

Both put a picture wherever a text has `<image>`, and a film, a sound or a box for other tags. A tag that stands for no
picture of the row is broken up by a space, so that it stays text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from pipeline.records import IMAGE
from stages.exchange.conversations import first_turn
from stages.exchange.format import ExportOptions, Format, Line, Row, Writer, listed
from stages.exchange.labels import chosen_turns
from stages.exchange.names import file_stem
from stages.publish.kept import Kept

_TAG = re.compile(r"<(?=(?:image|video|audio|bbox|ref-object|cot-process)>)")


def write(prompt: str, turns: Sequence[tuple[str, str]], images: Sequence[str], system: str) -> dict[str, Any]:
    """One record; `images` are paths, each of which has its `<image>` in the prompt, or else before it.

    Raises:
        RowError: `missing_image`, if the prompt has more of them than there are images.
    """
    prompt = _placed(prompt, len(images))
    messages = [{"role": "system", "content": _untagged(system)}]
    for index, (step, label) in enumerate(turns):
        content = _untagged(step) if index else first_turn(prompt, _untagged(step))
        messages += [{"role": "user", "content": content}, {"role": "assistant", "content": label}]
    return {"messages": messages, "images": list(images)}


def _placed(prompt: str, images: int) -> str:
    """The prompt with a tag for each image and no other: where a reward model is shown the images, too."""
    pieces = prompt.split(IMAGE)
    if len(pieces) - 1 > images:
        raise RowError("missing_image", f"the prompt has {len(pieces) - 1} {IMAGE} and the row {images} images")
    if len(pieces) - 1 < images:
        return f"{IMAGE}\n" * images + _untagged(prompt)
    return IMAGE.join(map(_untagged, pieces))


def _untagged(text: str) -> str:
    return _TAG.sub("< ", text)


def dataset_info(files: Mapping[str, str]) -> str:
    """LLaMA-Factory's `dataset_info.json` for files by the name of their dataset."""
    entry = {
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }
    return json.dumps({name: {"file_name": file, **entry} for name, file in sorted(files.items())}, indent=2) + "\n"


def _line(row: Row, kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    system = kept.system if kept and kept.system is not None else options.system
    record = write(row["prompt"], chosen_turns(row, options), listed(image), system)
    return Line(f"{file_stem(row['source'])}.jsonl", record)


def _documents(name: str, _out: str, counts: Mapping[str, int]) -> Mapping[str, str]:
    return {"dataset_info.json": dataset_info({f"{name}_{file.removesuffix('.jsonl')}": file for file in counts})}


FORMAT = Format(
    writer=Writer(line=_line, heeds=frozenset({"--threshold", "--cut-after-error", "--system"}), documents=_documents)
)
