"""Finds what withdraws an option after an answer named it: another option beside it, or a denial."""

from __future__ import annotations

import re

from stages.verify.notation import first_sentence, plain

_REASON = re.compile(r"\b(?:because|since|as|so|which|while|whereas|unlike|than|instead|rather)\b", re.IGNORECASE)
"""From here on other options may be named: they are argued about."""
_BESIDE = r"(?:(?:\b(?:and|or|but|nor)\b|[,;/&|])\s*)+(?:(?:also|maybe|perhaps|possibly|even|option|choice)\s+)*"
_REFUTED = (
    r"(?!\s*(?:(?:is|are|was|were|would|does|can|could)\s*(?:be\s+)?)?"
    r"(?:not\b|n't|cannot|too\b|wrong|incorrect|false|excluded|impossible|ruled out|out\b))"
)
_LETTER_BESIDE = re.compile(
    rf"(?i:{_BESIDE})(?:[(\[]([A-Za-z])[)\]]|([A-Z])(?![\w'^_+*=<>])|([a-z])(?=[.):]\s))(?:\s*[.:])?(?i:{_REFUTED})"
)
_SURE_LETTER = re.compile(
    rf"(?:\b(?:or|but)\s+([A-Z])(?=\s*(?:$|[.,;:]|(?:is|could|may|might)\b))"
    rf"|{_BESIDE}(?:[(\[]([A-Za-z])[)\]]|([A-Za-z])[.:]\s)){_REFUTED}"
)
"""For options that aren't known, whose texts may be `points A and C`."""
_VERDICT = (
    r"(?:(?:the\s+|an?\s+)?(?:wrong|incorrect|excluded|impossible|ruled out)"
    r"|not\s+(?:the\s+|an?\s+)?(?:correct|right|possible|true|it|answer))\b"
)
_DENIED = re.compile(rf"(?:(?:is|was|seems|looks)\s+{_VERDICT}|(?:isn't|cannot be|can't be|not be)\b)", re.IGNORECASE)
_DENIED_ALONE = re.compile(
    rf"(?:(?:neither|none|no|not|false|nothing)\s*(?:$|[.,;!])|(?:neither|none)\s+(?:of|is|fits)\b|{_VERDICT})",
    re.IGNORECASE,
)
"""Denials that may also be an option's text."""
_SUMS_UP = re.compile(r"\b(?:both|all|above|each|either|neither|none|every)\b", re.IGNORECASE)

_THEN = r"(?:and|or|but|however|alternatively|although|though|yet|also|maybe|perhaps|possibly)\b,?\s*"
_NAME = r"(?:(?:the\s+)?(?:option|choice|answer)\s+)?([^.,;:]{1,60}?)"
_ADMISSION = re.compile(
    rf"(?:{_THEN})*{_NAME}\s+(?:is|are|could|can|may|might|would)\s+(?:(?:be|also|equally|just\s+as|well)\s+)*"
    r"(?:possible|plausible|right|correct|valid|acceptable|true|work|fit)"
    # What goes on is about something else: `C is plausible, it ignores …`, `A is right angle of …`.
    r"(?:\s+(?:too|as\s+well))?(?=$|,?\s+(?:since|because)\b)"
    rf"|(?:{_THEN})*(?:it|this|that|the\s+answer)\s+(?:could|may|might)\s+(?:(?:also|well|even)\s+)*be\s+{_NAME}$"
    rf"|(?:{_THEN})+{_NAME}$"
    r"|(?:wait|actually|correction|sorry|hmm|oops|no)\b,?\s*(?:(?:it|that|this|the\s+answer)(?:'s|\s+is|\s+(?:should|must)\s+be)\s+)?"
    rf"(?:actually\s+|rather\s+|instead\s+)*\(?([A-Z])\)?$",
    re.IGNORECASE,
)
"""A sentence that another answer is right, too or instead: `But C is also possible`, `Or C`, `Wait, it's actually C`."""
_LETTERS = re.compile(r"(?:(?:(?i:both|either|and|or)|[A-Z](?!\w)|[()\[\],/&])\s*)+")


def admission(rest: str) -> str | None:
    """The sentence after an answer, if it may say that another answer is right too; `rest` begins with the full stop."""
    sentence = first_sentence(rest.lstrip(" \t*.!?。")).strip(" \t*.!?。")
    return sentence if _ADMISSION.match(sentence) else None


def hedge(rest: str, index: int, options: tuple[str, ...]) -> str | None:
    """Why the `rest` after the letter of option `index` takes the choice back; None if it doesn't.

    What also stands in the option's own text is no hedge, nor is an option that the rest refutes (`12, but C is
    wrong`) or argues about (`12, because 10 and 14 …`).
    """
    own = plain(options[index]) if options else ""
    letter = chr(ord("A") + index)
    denials = (_DENIED, _DENIED_ALONE) if options else (_DENIED,)
    if any(denial.match(rest) and not denial.match(own) for denial in denials) or _denies(rest, letter, own):
        return f"letter {letter}, but denied"
    if own and rest.lower().startswith(own.lower()):
        rest = rest[len(own) :]
    if _SUMS_UP.search(own) and not re.match(_BESIDE, rest.strip()):
        return None
    others = _beside(_REASON.split(first_sentence(rest))[0], options) | _admitted(rest, options)
    others -= _beside(own, options) | {letter}
    return f"letter {letter}, but also option {min(others)}" if others else None


def _denies(rest: str, letter: str, own: str) -> bool:
    """`not 12` after the letter of the option 12, and `not B` after B; `not C` denies another option."""
    itself = "|".join(re.escape(name) for name in (letter, own) if name)
    return re.match(rf"not\s+\(?(?:{itself})(?!\w)", rest) is not None


def _beside(text: str, options: tuple[str, ...]) -> set[str]:
    """The letters of the options that `text` names, by letter or text, after `and`, `or`, `but` or a comma."""
    pattern = _LETTER_BESIDE if options else _SURE_LETTER
    found = {letter.upper() for match in pattern.finditer(text) for letter in match.groups() if letter}
    if options:
        found = {letter for letter in found if ord(letter) - ord("A") < len(options)}
    # A comma inside a number or a name is no separator.
    spaced = re.sub(r",(?=\S)", " ", text)
    for index, option in enumerate(options):
        wanted = plain(option)
        if len(wanted) > 1 and re.search(
            rf"{_BESIDE}{re.escape(wanted)}(?![\w%^*/+=-])(?!\.\d){_REFUTED}", spaced, re.IGNORECASE
        ):
            found.add(chr(ord("A") + index))
    return found


def _admitted(text: str, options: tuple[str, ...]) -> set[str]:
    """The letters of the options that sentences of `text` say are right too."""
    found: set[str] = set()
    for sentence in re.split(r"[.!?;]\s+", text.strip(" .!?;")):
        match = _ADMISSION.match(sentence)
        name = plain(match[match.lastindex]) if match and match.lastindex else ""
        if _LETTERS.fullmatch(name):
            found |= set(re.findall(r"\b[A-Z]\b", name))
        found |= {chr(ord("A") + index) for index, option in enumerate(options) if name and plain(option) == name}
    return {letter for letter in found if not options or ord(letter) - ord("A") < len(options)}
