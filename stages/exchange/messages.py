"""`messages` with roles, as LLaMA-Factory (formatting `sharegpt`) and ms-swift read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stages.exchange.conversations import first_turn, prompt_of
from stages.exchange.format import ExportOptions, Format, Line, Row, Writer, listed
from stages.exchange.labels import chosen_turns
from stages.exchange.names import file_stem
from stages.publish.kept import Kept


def write(prompt: str, turns: Sequence[tuple[str, str]], images: Sequence[str], system: str) -> dict[str, Any]:
    """One record; `images` are paths, one for every `<image>` in the prompt."""
    messages = [{"role": "system", "content": system}]
    for index, (step, label) in enumerate(turns):
        content = step if index else first_turn(prompt, step)
        messages += [{"role": "user", "content": content}, {"role": "assistant", "content": label}]
    return {"messages": messages, "images": list(images)}


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
    record = write(prompt_of(row, kept), chosen_turns(row, options), listed(image), system)
    return Line(f"{file_stem(row['source'])}.jsonl", record)


def _documents(name: str, _out: str, counts: Mapping[str, int]) -> Mapping[str, str]:
    return {"dataset_info.json": dataset_info({f"{name}_{file.removesuffix('.jsonl')}": file for file in counts})}


FORMAT = Format(
    writer=Writer(line=_line, heeds=frozenset({"--threshold", "--cut-after-error", "--system"}), documents=_documents)
)
