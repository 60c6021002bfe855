"""Mode `date`: calendar dates and clock times in the usual spellings, compared as what they name."""

from __future__ import annotations

import re

from stages.verify.finding import UNREADABLE, Finding
from stages.verify.notation import plain

MAX_LENGTH = 60
"""Characters of a date."""

Date = tuple[int | None, int | None, int | None]
"""Year, month and day; None for what isn't stated."""
Time = tuple[int, int, int]
"""Hour, minute and second of the day; without am or pm, as written."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
         "sep sept september", "oct october", "nov november", "dec december"), 1
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "(" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\.?"
_WEEKDAY = re.compile(r"^(?:on\s)?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat|sun)\.?,?\s")
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(\d{4})"
_DATE_FORMS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"{_YEAR}[-/.](\d{{1,2}})[-/.](\d{{1,2}})"), "ymd"),
    (re.compile(rf"{_YEAR}[-/](\d{{1,2}})"), "ym"),
    (re.compile(rf"(?:the\s)?{_DAY}\s(?:of\s)?{_MONTH},?\s{_YEAR}"), "dmy"),
    (re.compile(rf"{_MONTH}\s(?:the\s)?{_DAY},?\s{_YEAR}"), "mdy"),
    (re.compile(rf"{_MONTH},?\s(?:of\s)?{_YEAR}"), "my"),
    (re.compile(rf"(?:the\s)?{_DAY}\s(?:of\s)?{_MONTH}"), "dm"),
    (re.compile(rf"{_MONTH}\s(?:the\s)?{_DAY}"), "md"),
    (re.compile(r"(\d{4})\s?年\s?(\d{1,2})\s?月\s?(\d{1,2})\s?[日号]"), "ymd"),
    (re.compile(r"(\d{4})\s?年\s?(\d{1,2})\s?月"), "ym"),
    (re.compile(r"(\d{1,2})\s?月\s?(\d{1,2})\s?[日号]"), "md"),
)
_SLASHED = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.]{_YEAR}")
_TIME = re.compile(r"(?:at\s)?(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?\s?([ap])?\.?\s?(m)?\.?(?:\s?o'clock)?")


def compare(gold: str, answer: str) -> Finding:
    """Dates must state the same parts; an answer may add am or pm to a time, or leave it out."""
    if len(gold) > MAX_LENGTH or len(answer) > MAX_LENGTH:
        return UNREADABLE
    wanted, given = _normal(gold), _normal(answer)
    if (dates := dates_in(wanted)) and (others := dates_in(given)):
        if len(dates) > 1 and _SLASHED.fullmatch(given) and _numbers(wanted) != _numbers(given):
            # `03/05/2020` and `05/03/2020` can be one day only if each is read in another order.
            return Finding(False, "another date")
        return Finding(dates == others, "same date" if dates == others else "another date")
    if (time := _time(wanted)) and (other := _time(given)):
        same = time[0] == other[0] or (None in (time[1], other[1]) and time[2] == other[2])
        return Finding(same, "same time" if same else "another time")
    return UNREADABLE


def is_date(text: str) -> bool:
    """Whether a text is a calendar date from end to end."""
    return len(text) <= MAX_LENGTH and bool(dates_in(_normal(text)))


def _normal(text: str) -> str:
    return _WEEKDAY.sub("", " ".join(plain(text).lower().split()))


def dates_in(text: str) -> frozenset[Date]:
    """What a date can mean: two readings for `03/04/2020`, none for what is no date."""
    for form, order in _DATE_FORMS:
        if match := form.fullmatch(text):
            parts = dict(zip(order, match.groups(), strict=True))
            return _valid(parts.get("y"), parts.get("m"), parts.get("d"))
    if match := _SLASHED.fullmatch(text):
        first, second, year = match.groups()
        return _valid(year, first, second) | _valid(year, second, first)
    return frozenset()


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


def _valid(year: str | None, month: str | None, day: str | None) -> frozenset[Date]:
    number = None if month is None else _MONTHS.get(month) or int(month)
    date = (None if year is None else int(year), number, None if day is None else int(day))
    return frozenset({date}) if 1 <= (date[1] or 1) <= 12 and 1 <= (date[2] or 1) <= 31 else frozenset()


def _time(text: str) -> tuple[Time, str | None, Time] | None:
    """The time of the day, `a` or `p` if stated, and the time as written."""
    match = _TIME.fullmatch(text)
    if (
        match is None
        or (match.group(2) is None and match.group(4) is None)
        or bool(match.group(4)) != bool(match.group(5))
    ):
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    half = match.group(4)
    if hour > 24 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return None
    in_day = hour if half is None else hour % 12 + (12 if half == "p" else 0)
    return (in_day, minute, second), half, (hour, minute, second)
