"""Numbers as a person reads them."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError
from stages.plan.units import money, read_price, short, size, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (999.9, "1K"),
        (56_600, "56.6K"),
        (999_900, "1M"),
        (3.17e6, "3.17M"),
        (4e9, "4G"),
    ],
)
def test_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(512, "512 B"), (2048, "2.05 kB"), (16.4e6, "16.4 MB"), (7.8e10, "78 GB"), (2e12, "2 TB")]
)
def test_size(value: float, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("hours", "text"),
    [(1 / 120, "30 s"), (0.15, "9 min"), (1, "1 h"), (3.44, "3.44 h"), (48, "2 days"), (24 * 40_000, "40,000 days")],
)
def test_span(hours: float, text: str) -> None:
    assert span(hours) == text


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [(0.447, "$", "$0.45"), (12.3, "EUR", "12.30 EUR"), (1234.4, "€", "€1,234"), (250, "", "250"), (2.5, "", "2.50")],
)
def test_money(value: float, currency: str, text: str) -> None:
    assert money(value, currency) == text


@pytest.mark.parametrize(
    ("text", "price"),
    [("2.50", (2.5, "")), ("$2", (2, "$")), ("2.5 EUR", (2.5, "EUR")), ("2.50€", (2.5, "€")), ("EUR 2", (2, "EUR"))],
)
def test_prices(text: str, price: tuple[float, str]) -> None:
    assert read_price(text) == price


@pytest.mark.parametrize("text", ["0", "-1", "free", "$2 EUR", "2,50", ""])
def test_no_prices(text: str) -> None:
    with pytest.raises(UserError, match=r"give a price above 0, such as 2\.50"):
        read_price(text)
