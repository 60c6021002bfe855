"""The options that a question lists in its own text."""

from __future__ import annotations

import re
from functools import lru_cache

from stages.verify.notation import ascii_punctuation

MAX_QUESTION = 20_000
"""Characters of a question, from its end, in which options are looked for."""

_MARK = re.compile(r"(?:(?<=^)|(?<=[\s,;]))(?:\(([A-Z])\)|([A-Z])\s?[.):、](?!\w\.))\s*", re.MULTILINE)
_WORD_BEFORE = re.compile(r"(?<!\S)([^\W\d_]{2,20}|[-*•])\s{0,5}\Z")
_RUN_ON = re.compile(r"(?<![A-Za-z])(?:\(([A-Z])\)|([A-Z])[.、])\s*")


@lru_cache(maxsize=1024)
def options_in(question: str) -> tuple[str, ...]:
    """The texts of the last run `A … B … C …` in a question; empty if it has no such run of two or more."""
    question = ascii_punctuation(question[-MAX_QUESTION:])
    return _runs(question, _MARK) or _runs(question, _RUN_ON)


def _runs(question: str, mark: re.Pattern[str]) -> tuple[str, ...]:
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for match in mark.finditer(question):
        letter = match.group(1) or match.group(2)
        if letter == "A":
            run = [match]
        elif run and ord(letter) == ord("A") + len(run):
            run.append(match)
        if len(run) > 1:
            best = run
    if not best:
        return ()
    ends = [match.start() for match in best[1:]] + [len(question)]
    texts = [
        question[match.end() : end].split("\n\n")[0].strip(" \n\t,;") for match, end in zip(best, ends, strict=True)
    ]
    before = _WORD_BEFORE.search(question, 0, best[0].start())
    if before and all(text.split()[-1:] == [before[1]] for text in texts[:-1]):
        # `Option A: … Option B: …`, `- A. … - B. …`: what stands before a letter is no part of the text before it.
        texts[:-1] = [text.removesuffix(before[1]).rstrip(" \n\t,;") for text in texts[:-1]]
    return tuple(texts)
