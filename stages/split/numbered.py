"""Where a text begins a numbered step: `Step 3:`, `### 2.`, `3.`, `第三步`."""

from __future__ import annotations

import re

_DECORATION = r"^[ \t]{0,3}(?:#{1,6}[ \t]*|>[ \t]*|[-*][ \t]+)?(?:\*\*|__)?[ \t]*"
_NUMBER = r"(?:\d{1,3}|[一二三四五六七八九十]{1,3})"
_NAMED = re.compile(
    rf"{_DECORATION}(?:step[ \t]*(?:no\.?[ \t]*)?[(\[]?\d{{1,3}}\b|步[骤驟][ \t]*{_NUMBER}|第[ \t]*{_NUMBER}[ \t]*步)",
    re.IGNORECASE | re.MULTILINE,
)
_HEADINGS = re.compile(r"^ {0,3}#{1,6}[ \t]*(?:\*\*)?[(\[]?\d{1,3}(?:[.):：、\]]|[ \t]|$)", re.MULTILINE)
_ITEMS = re.compile(r"^(?:\*\*)?[(\[]?(\d{1,3})[.):：、\]](?!\d)", re.MULTILINE)


def numbers(text: str) -> list[int]:
    """The places where a step begins.

    One form in a text: steps by name if there are any, else numbered headings, else items at the start of a line that count
    1, 2, 3, …: an item of a list inside a step, which counts otherwise, begins none.
    """
    for form in (_NAMED, _HEADINGS):
        if found := [each.start() for each in form.finditer(text)]:
            return found
    items, wanted = [], 1
    for each in _ITEMS.finditer(text):
        if int(each[1]) == wanted:
            items.append(each.start())
            wanted += 1
    return items
