"""Units of measure: which dimension a unit has, and its size in that dimension's base unit (SI where there is one)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """`dimension` is comparable between units; `size` is one unit in base units of that dimension."""

    dimension: str
    size: float


# Dimension, size, names. Left out: letters that as often mark something else (`12A`, `12K`, `12C`).
_NAMES = """
length  1              m meter metre 米
length  0.1            dm 分米
length  0.01           cm centimeter centimetre 厘米
length  0.001          mm millimeter millimetre 毫米
length  1e-6           um μm
length  1e-9           nm
length  1000           km kilometer kilometre 千米 公里
length  0.0254         in inch inche
length  0.3048         ft foot feet
length  0.9144         yd yard
length  1609.344       mi mile
length  1852           海里
mass    1              kg kilogram 千克 公斤
mass    0.001          g gram 克
mass    1e-6           mg milligram
mass    1000           ton tonne 吨
mass    0.45359237     lb pound
mass    0.02834952313  oz ounce
time    1              s sec second 秒
time    0.001          ms
time    60             min minute 分钟 分
time    3600           h hr hour 小时
time    86400          day 天
time    604800         week 周
time    2629800        month 月
time    31557600       year yr 年
volume  0.001          L l liter litre 升
volume  1e-6           mL ml milliliter millilitre 毫升 cc
volume  0.00378541178  gallon
angle   1              ° degree deg 度
money   1              $ dollar usd USD 美元
money   0.01           ¢ cent
speed   0.44704        mph
speed   0.27777777778  kph
"""
_ALONE = "°C °F € euro £ ¥ 元 N J W V Hz Pa Ω mol"
"""Units that are compared with themselves only."""
_SECONDS = "s sec second 秒"
_HOURS = "h hr hour 小时 时"


def _read_names() -> Iterator[tuple[str, Unit]]:
    for line in _NAMES.split("\n"):
        if line:
            dimension, size, *names = line.split()
            for name in names:
                yield name, Unit(dimension, float(size))
    for name in ("rad", "radian", "弧度"):
        yield name, Unit("angle", 180 / math.pi)
    for name in _ALONE.split():
        yield name, Unit(name, 1)


def _of_length(name: str, size: float) -> Iterator[tuple[str, Unit]]:
    """Areas, volumes and speeds that a unit of length makes."""
    for power, dimension, before, after in (
        (2, "area", "square sq 平方", "squared"),
        (3, "volume", "cubic 立方", "cubed"),
    ):
        unit = Unit(dimension, size**power)
        yield f"{name}^{power}", unit
        yield f"{name}{power}", unit
        yield f"{name} {after}", unit
        for word in before.split():
            yield f"{word} {name}" if word.isascii() else f"{word}{name}", unit
    for seconds, names in ((1, _SECONDS), (3600, _HOURS)):
        for time in names.split():
            yield f"{name}/{time}", Unit("speed", size / seconds)


_BASE = dict(_read_names())
_UNITS = _BASE | {
    name: unit for length, of in _BASE.items() if of.dimension == "length" for name, unit in _of_length(length, of.size)
}
_POWER = re.compile(r"\s?\^\s?\{?\s?([23])\s?\}?")
_PER = re.compile(r"\s?(?:/|\bper\b)\s?")


def parse_unit(text: str) -> Unit | None:
    """The unit that `text` names in full: `cm`, `square meters`, `cm^{2}`, `km per hour`, `m/s`; None if unknown."""
    text = _PER.sub("/", _POWER.sub(r"^\1", text.strip()))
    for form in (text, text.lower()):
        for name in (form, form.removesuffix("s"), form.replace("s/", "/", 1), form.replace("s^", "^", 1)):
            if (unit := _UNITS.get(name)) is not None:
                return unit
    return None
