"""Numbers as a person reads them: `3.98M`, `16.4 MB`, `9 min`, `$1,234`."""

from __future__ import annotations

import re

from pipeline.errors import UserError

_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))
_SIGNS = "$€£¥₹₩"
_PRICE = re.compile(rf"([{_SIGNS}]|[A-Z]{{3}})?\s?(\d+(?:\.\d+)?)\s?([{_SIGNS}]|[A-Z]{{3}})?")


def short(value: float) -> str:
    """Three digits and a scale: 56.6K, 3.17M."""
    for scale, letter in _SCALES:
        # What rounds to a thousand of the smaller scale is one of this.
        if abs(value) >= scale * 0.9995:
            return f"{value / scale:.3g}{letter}"
    return f"{value:.3g}"


def size(value: float) -> str:
    """Bytes: 16.4 MB."""
    number = short(value)
    return f"{number[:-1]} {number[-1].replace('K', 'k')}B" if number[-1].isalpha() else f"{number} B"


def span(hours: float) -> str:
    """A time: 30 s, 9 min, 3.4 h, 12 days."""
    if hours < 1 / 60:
        return f"{hours * 3600:.2g} s"
    if hours < 1:
        return f"{hours * 60:.2g} min"
    if hours < 48:
        return f"{hours:.3g} h"
    days = hours / 24
    return f"{days:.3g} days" if days < 1000 else f"{days:,.0f} days"


def money(value: float, currency: str) -> str:
    """`$12.30`, `1,234 EUR`; without a currency the number."""
    number = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{currency}{number}" if not currency or currency in _SIGNS else f"{number} {currency}"


def read_price(text: str) -> tuple[float, str]:
    """A price and its currency, empty if none is named: `2.50`, `$2.50`, `2.50 EUR`.

    Raises:
        UserError: it is none, or 0.
    """
    match = _PRICE.fullmatch(text.strip())
    if match is None or (match[1] and match[3]) or float(match[2]) <= 0:
        raise UserError(f"--gpu-hour-price {text}: give a price above 0, such as 2.50, $2.50 or '2.50 EUR'")
    return float(match[2]), match[1] or match[3] or ""
