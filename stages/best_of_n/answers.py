"""Which of a problem's answers say the same: what self-consistency counts.

Nobody who votes knows the right answer, so it is not used here: answers are compared with each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

Equal = Callable[[str, str], Awaitable[bool]]
"""Whether the second answer says what the first does, by the problem's own verification modes."""


async def group_answers(
    answers: Sequence[str | None], normal: Callable[[str], str], equal: Equal
) -> tuple[int | None, ...]:
    """The group of each answer, numbered by size, the largest first; None for a candidate without an answer.

    Answers of one normal form are one group at once. The other forms join, the most frequent first, the first group
    whose most frequent form they equal, so that the order of the candidates changes nothing, although
    equality by a verifier need not be transitive.
    """
    forms = [None if answer is None else normal(answer) for answer in answers]
    counts = Counter(form for form in forms if form is not None)
    # What is compared is an answer as it was written, since a normal form need not be readable.
    written: dict[str, str] = {}
    for form, answer in sorted((f, a) for f, a in zip(forms, answers, strict=True) if f is not None and a is not None):
        written.setdefault(form, answer)
    heads: list[str] = []
    home: dict[str, int] = {}
    for form in sorted(counts, key=lambda form: (-counts[form], form)):
        for group, head in enumerate(heads):
            if await equal(written[head], written[form]):
                home[form] = group
                break
        else:
            home[form] = len(heads)
            heads.append(form)
    sizes = Counter(home[form] for form in forms if form is not None)
    rank = {group: place for place, group in enumerate(sorted(sizes, key=lambda group: (-sizes[group], group)))}
    return tuple(None if form is None else rank[home[form]] for form in forms)
