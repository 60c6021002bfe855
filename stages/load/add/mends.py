"""The `fields:` line that would map a source's columns, for an entry that names the wrong ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from pipeline.config import SourceConfig
from stages.load.add.guesses import Guess, guess
from stages.load.add.survey import survey
from stages.load.faults import Faults
from stages.load.sources.readers import open_rows

SAMPLE = 50
_NAMES = {"missing_question": "question", "missing_answer": "answer"}


def field_mends(sources: Iterable[SourceConfig], faults: Faults) -> list[str]:
    """A line for each source whose rows lack a question or an answer under the names that its entry gives."""
    lines = []
    for source in sources:
        lacking = [_NAMES[reason] for reason in _NAMES if reason in faults.reasons_of(source.name)]
        if lacking and source.function is None:
            lines += _mend(source, lacking)
    return lines


def _mend(source: SourceConfig, lacking: list[str]) -> list[str]:
    sample = source.model_copy(update={"limit": min(SAMPLE, source.limit or SAMPLE)})
    rows = [row for _, row in open_rows(sample) if isinstance(row, Mapping)]
    there = {place for row in rows for place in row}
    lacking = [name for name in lacking if str(getattr(source.fields, name)) not in there]
    if not rows or not lacking:
        return []
    found = as_fields(guess(survey(rows)))
    mapped = {key: value for key, value in found.items() if key in lacking or key not in source.fields.model_fields_set}
    changed = {key: value for key, value in mapped.items() if value != getattr(source.fields, key)}
    if not set(lacking) & set(changed):
        return [
            f"{source.name}: its columns are {', '.join(sorted(there))}; name the {' and the '.join(lacking)} in `fields`"
        ]
    return [f"{source.name}: its columns would be mapped by `fields: {flow(changed)}`"]


def as_fields(found: Guess) -> dict[str, Any]:
    """What was found, as `fields` has it: without what is called as we call it."""
    lists = {"question": found.question, "options": found.options, "image": found.image}
    places: dict[str, Any] = {key: value[0] if len(value) == 1 else value for key, value in lists.items() if value}
    places |= {key: value for key, value in (("id", found.id), ("answer", found.answer)) if value}
    return {key: places[key] for key in ("id", "question", "answer", "options", "image") if places.get(key, key) != key}


def flow(value: Any) -> str:
    """A value in YAML's short form."""
    if isinstance(value, str) and "\n" in value:
        return json.dumps(value)
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.strip().removesuffix("\n...")
