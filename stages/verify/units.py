"""Units of measure: which dimension a unit has, and its size in that dimension's base unit (SI where there is one)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """`dimension` is comparable between units; `size` is one unit in base units of that dimension."""

    dimension: str
    size: float


def _table() -> dict[str, Unit]:
    length = {
        "m": 1, "meter": 1, "metre": 1, "米": 1, "cm": 0.01, "centimeter": 0.01, "centimetre": 0.01, "厘米": 0.01,
        "mm": 0.001, "millimeter": 0.001, "millimetre": 0.001, "毫米": 0.001, "dm": 0.1, "分米": 0.1,
        "km": 1000, "kilometer": 1000, "kilometre": 1000, "千米": 1000, "公里": 1000,
        "um": 1e-6, "μm": 1e-6, "nm": 1e-9, "in": 0.0254, "inch": 0.0254, "inche": 0.0254, "ft": 0.3048,
        "foot": 0.3048, "feet": 0.3048, "yd": 0.9144, "yard": 0.9144, "mi": 1609.344, "mile": 1609.344,
        "海里": 1852, "nautical mile": 1852,
    }  # fmt: skip
    mass = {
        "kg": 1, "kilogram": 1, "千克": 1, "公斤": 1, "g": 0.001, "gram": 0.001, "克": 0.001, "mg": 1e-6,
        "milligram": 1e-6, "ton": 1000, "tonne": 1000, "吨": 1000, "lb": 0.45359237, "pound": 0.45359237,
        "oz": 0.028349523125, "ounce": 0.028349523125,
    }  # fmt: skip
    time = {
        "s": 1, "sec": 1, "second": 1, "秒": 1, "ms": 0.001, "min": 60, "minute": 60, "分钟": 60, "分": 60,
        "h": 3600, "hr": 3600, "hour": 3600, "小时": 3600, "day": 86400, "天": 86400, "week": 604800, "周": 604800,
        "month": 2629800, "月": 2629800, "year": 31557600, "yr": 31557600, "年": 31557600,
    }  # fmt: skip
    volume = {"L": 0.001, "l": 0.001, "liter": 0.001, "litre": 0.001, "升": 0.001, "mL": 1e-6, "ml": 1e-6,
              "milliliter": 1e-6, "millilitre": 1e-6, "毫升": 1e-6, "cc": 1e-6, "gallon": 0.003785411784}  # fmt: skip
    angle = {
        "degree": 1,
        "°": 1,
        "deg": 1,
        "度": 1,
        "rad": 180 / math.pi,
        "radian": 180 / math.pi,
        "弧度": 180 / math.pi,
    }
    money = {"$": 1, "dollar": 1, "usd": 1, "美元": 1, "cent": 0.01, "¢": 0.01}
    table: dict[str, Unit] = {}
    for name, size in length.items():
        table[name] = Unit("length", size)
        for power, dimension in ((2, "area"), (3, "volume")):
            for form in (f"{name}^{power}", f"{name}{power}"):
                table[form] = Unit(dimension, size**power)
        for word, power, dimension in (("square", 2, "area"), ("sq", 2, "area"), ("cubic", 3, "volume")):
            table[f"{word} {name}"] = Unit(dimension, size**power)
            table[f"{name} {word}d"] = Unit(dimension, size**power)
        for word, power, dimension in (("平方", 2, "area"), ("立方", 3, "volume")):
            table[f"{word}{name}"] = Unit(dimension, size**power)
        for second in ("s", "sec", "second", "秒"):
            table[f"{name}/{second}"] = Unit("speed", size)
        for hour in ("h", "hr", "hour", "小时", "时"):
            table[f"{name}/{hour}"] = Unit("speed", size / 3600)
    for dimension, sizes in (
        ("mass", mass),
        ("time", time),
        ("volume", volume),
        ("angle", angle),
        ("money", money),
    ):
        table |= {name: Unit(dimension, size) for name, size in sizes.items()}
    table |= {"mph": table["mile/hour"], "km/hr": table["km/h"], "kph": table["km/h"]}
    table |= {
        name: Unit(name, 1)
        for name in ("°C", "°F", "€", "euro", "£", "¥", "元", "N", "J", "W", "V", "A", "K", "Hz", "Pa", "Ω", "C", "mol")
    }
    return table


_UNITS = _table()
_POWER = re.compile(r"\s*\^\s*\{?\s*([23])\s*\}?")
_PER = re.compile(r"\s*(?:/|\bper\b)\s*")


def parse_unit(text: str) -> Unit | None:
    r"""The unit that `text` names in full: `cm`, `square meters`, `cm^{2}`, `km per hour`, `m/s`; None if unknown."""
    text = _POWER.sub(r"^\1", text.strip())
    text = _PER.sub("/", text)
    for form in (text, text.lower()):
        for name in (form, form.removesuffix("s"), form.replace("s/", "/", 1), form.replace("s^", "^", 1)):
            if (unit := _UNITS.get(name)) is not None:
                return unit
    return None
