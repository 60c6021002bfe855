"""Several references of one answer: how often a response equals one of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from pipeline.records import References, Verdict, VerdictStatus

_UNSETTLED: tuple[VerdictStatus, ...] = ("timeout", "error")


def begin_each(
    gold: str, references: References | None, begin: Callable[[str], Awaitable[Verdict]]
) -> Awaitable[Verdict]:
    """The verdict against a gold, or against all references if there are several, which are begun here.

    Args:
        begin: starts the judgement against one of them.
    """
    if references is None:
        return begin(gold)
    times = Counter(references.answers)
    # Most frequent first: it is the one that most right answers equal.
    return _combined({text: begin(text) for text, _ in times.most_common()}, times, references.at_least)


async def _combined(begun: Mapping[str, Awaitable[Verdict]], times: Counter[str], at_least: int) -> Verdict:
    """Right if the references that it equals were given `at_least` times; unsettled if those that are late could decide."""
    verdicts = {text: await verdict for text, verdict in begun.items()}
    equal = [text for text, verdict in verdicts.items() if verdict.status == "correct"]
    late = [text for text, verdict in verdicts.items() if verdict.status in _UNSETTLED]
    found = sum(times[text] for text in equal)
    told = f"equals {found} of {times.total()} references"
    if found >= at_least:
        return dataclasses.replace(verdicts[equal[0]], reason=f"{told}: {verdicts[equal[0]].reason}")
    if found + sum(times[text] for text in late) >= at_least:
        return verdicts[late[0]]
    if equal:
        return dataclasses.replace(verdicts[equal[0]], status="incorrect", reason=told)
    settled = [verdict for text, verdict in verdicts.items() if text not in late]
    return (settled or list(verdicts.values()))[0]
