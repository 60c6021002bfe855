"""Units of measure: which dimension a unit has, and its size in that dimension's base unit (SI where there is one).

Units are read from one table of names, with the decimal prefixes of SI, and put together with products, quotients and
powers: `kJ/mol`, `kg m^2 s^{-2}`, `miles per hour`, `square feet`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

MAX_LENGTH = 60
"""Characters of a unit."""


@dataclass(frozen=True, slots=True)
class Unit:
    """`dimension` is comparable between units; `size` is one unit in base units of that dimension.

    `other` is a second dimension that the same name can mean, with the size 1: pounds of money, yen or yuan for `¥`.
    """

    dimension: str
    size: float
    other: str = ""


# Dimension (powers of base quantities), size, symbols that take prefixes, other symbols and names.
# A name in full takes prefixes too. Left out: letters that as often mark something else, as `12A`.
_TABLE = """
length                  1              m             | meter metre
length                  0.0254         -             | in inch inche
length                  0.3048         -             | ft foot feet
length                  0.9144         -             | yd yard
length                  1609.344       -             | mi mile
length                  1852           -             | nmi 海里
length                  9.4607e15      ly            | light-year lightyear 光年
length                  1e-10          -             | Å angstrom
length                  1.495978707e11 -             | AU
mass                    0.001          g             | gram gramme 克
mass                    1000           t             | ton tonne 吨
mass                    0.02834952313  -             | oz ounce
mass                    1.66053907e-27 -             | u amu Da
time                    1              s             | sec second 秒
time                    60             -             | min minute 分钟 分
time                    3600           h             | hr hour 小时 时
time                    86400          -             | day 天
time                    604800         -             | week wk 周
time                    2629800        -             | month 月
time                    31557600       -             | year yr 年
current                 1              A             | ampere amp 安 安培
temperature             1              K             | kelvin
amount                  1              mol           | mole 摩尔
light                   1              cd            | candela
length^3                0.001          L l           | liter litre 升
length^3                0.00378541178  -             | gallon gal
length^3                0.000473176473 -             | pint
length^3                0.000946352946 -             | quart qt
length^3                0.000236588236 -             | cup
length^3                1e-6           -             | cc
length^2                10000          -             | ha hectare 公顷
length^2                4046.8564224   -             | acre
length^2                666.6666667    -             | 亩
angle                   1              -             | ° degree deg 度
angle                   57.29577951308232 rad        | radian 弧度
angle                   0.016666666667 -             | arcminute
angle                   360            -             | rev revolution
money                   1              -             | $ dollar usd USD US$ buck 美元
money                   0.01           -             | ¢ cent
euro                    1              -             | € euro eur EUR 欧元
sterling                1              -             | £ GBP gbp quid 英镑
sterling                0.01           -             | pence penny p
yuan                    1              -             | 元 yuan rmb RMB CNY cny 人民币
yen                     1              -             | yen JPY jpy 日元 円
rupee                   1              -             | ₹ Rs Rs. INR rupee 卢比
won                     1              -             | ₩ KRW won
rouble                  1              -             | ₽ RUB ruble rouble
franc                   1              -             | CHF franc
real                    1              -             | R$ BRL
data                    1              b             | bit
data                    8              B             | byte
mass length time^-2     1              N             | newton 牛 牛顿
mass length time^-2     4.4482216      -             | lbf
mass length^2 time^-2   1              J             | joule 焦 焦耳
mass length^2 time^-2   1.602176634e-19 eV           | electronvolt
mass length^2 time^-2   4.184          cal           | calorie
mass length^2 time^-3   1              W             | watt 瓦 瓦特
mass length^2 time^-3   745.69987      -             | hp horsepower
mass length^-1 time^-2  1              Pa            | pascal 帕
mass length^-1 time^-2  101325         -             | atm atmosphere
mass length^-1 time^-2  100000         bar           |
mass length^-1 time^-2  133.322387415  -             | mmHg torr
mass length^-1 time^-2  6894.757       -             | psi
mass length^2 time^-3 current^-1 1     V             | volt 伏 伏特
mass length^2 time^-3 current^-2 1     Ω             | ohm Ohm 欧 欧姆
mass^-1 length^-2 time^3 current^2 1   S             | siemen
mass^-1 length^-2 time^4 current^2 1   F             | farad
mass length^2 time^-2 current^-1 1     Wb            | weber
mass time^-2 current^-1 1              T             | tesla
mass length^2 time^-2 current^-2 1     H             | henry henrie
amount length^-3        1000           -             | M molar
time current            1              C             | coulomb 库仑
time current            3600           Ah            |
mass length^2 time^-2   3600           Wh            |
time^-1                 1              Hz            | hertz 赫兹
angle time^-1           6              -             | rpm
length time^-1          0.44704        -             | mph
length time^-1          0.27777777778  -             | kph kmh
length time^-1          0.3048         -             | fps
length time^-1          0.514444       -             | knot
celsius                 1              -             | °C ℃ celsius 摄氏度 degreesC
fahrenheit              1              -             | °F ℉ fahrenheit 华氏度
decibel                 1              -             | dB decibel
"""
_SYMBOL_PREFIXES = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "d": 0.1, "c": 0.01, "m": 1e-3, "μ": 1e-6, "u": 1e-6, "n": 1e-9,
                    "p": 1e-12, "f": 1e-15}  # fmt: skip
_NAME_PREFIXES = {"tera": 1e12, "giga": 1e9, "mega": 1e6, "kilo": 1e3, "hecto": 100, "deci": 0.1, "centi": 0.01, "milli": 1e-3,
                  "micro": 1e-6, "nano": 1e-9, "pico": 1e-12, "femto": 1e-15}  # fmt: skip
_CHINESE_PREFIXES = {"千": 1e3, "分": 0.1, "厘": 0.01, "毫": 1e-3, "微": 1e-6, "纳": 1e-9, "兆": 1e6}
DOUBTFUL = frozenset("A K C F H S T B M b p u t l AU cup bar real won".split())
"""Names that may mean something else: units only after a blank (`2 K`, not `2K`), and not beside a gold without a unit."""


def _read_table() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for line in filter(None, _TABLE.split("\n")):
        left, _, names = line.partition("|")
        *dimension, size, symbols = _columns(left)
        unit = Unit(_dimension(" ".join(dimension)), float(size))
        for name in names.split():
            found[name] = unit
            if name.isascii() and name.isalpha() and len(name) >= 3:
                found |= _prefixed(name, unit, _NAME_PREFIXES)
        for symbol in symbols.split():
            found |= {
                name: each for name, each in _prefixed(symbol, unit, _SYMBOL_PREFIXES).items() if name not in found
            }
            found[symbol] = unit
    for name, length in (("米", 1.0), ("克", 0.001), ("升", 0.001), ("安", 1.0), ("伏", 1.0), ("瓦", 1.0), ("焦", 1.0)):
        base = Unit("length", length) if name == "米" else found[name]
        found |= {name: base} | _prefixed(name, base, _CHINESE_PREFIXES)
    found |= {"公里": Unit("length", 1000), "公斤": Unit("mass", 1), "kg": Unit("mass", 1)}
    found |= {"lb": Unit("mass", 0.45359237), "pound": Unit("mass", 0.45359237, "sterling")}
    found |= {"¥": Unit("yuan", 1, "yen")} | {
        f"{land}$": Unit(f"{land} dollar", 1, "money") for land in "A C HK NZ S".split()
    }
    # What is written in capitals by carelessness; `MM` and `Mm` are something else.
    found |= {name: found[name.replace("K", "k", 1)] for name in ("Kg", "KM", "Km", "KJ", "KW", "KV", "KN", "KHz", "KPa")
              if name.replace("K", "k", 1) in found}  # fmt: skip
    # `5 pm` is a time of the day.
    del found["pm"]
    return found | {"KG": Unit("mass", 1), "KM": Unit("length", 1000), "CM": Unit("length", 0.01)}


def _columns(left: str) -> tuple[str, ...]:
    """Dimension, size, symbols: the size is the first column that is a number."""
    words = left.split()
    at = next(index for index, word in enumerate(words) if re.fullmatch(r"[\d.]+(?:e-?\d+)?", word))
    symbols = " ".join(word for word in words[at + 1 :] if word != "-")
    return " ".join(words[:at]), words[at], symbols


def _dimension(text: str) -> str:
    """One spelling of a dimension: its base quantities in order, without powers of one."""
    powers: Counter[str] = Counter()
    for factor in text.split():
        name, _, power = factor.partition("^")
        powers[name] += int(power or 1)
    return " ".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(powers.items()) if power)


def _prefixed(name: str, unit: Unit, prefixes: dict[str, float]) -> dict[str, Unit]:
    return {prefix + name: Unit(unit.dimension, unit.size * size) for prefix, size in prefixes.items()}


_UNITS = _read_table()
_POWER = re.compile(r"\s?\^\s?(?:\{\s?(-?\d)\s?\}|(-?\d))")
_PER = re.compile(r"\s?/\s?|\s+per\s+|每")
_TIMES = re.compile(r"\s*(?:\\cdot|\\times|[·⋅*×])\s*|\s+")
_MICRO = re.compile(r"\\mu\s?|\\micro\s?|µ")
_IN_WORDS = {"square": 2, "sq": 2, "sq.": 2, "平方": 2, "cubic": 3, "立方": 3, "cu": 3}
_AFTER = {"squared": 2, "cubed": 3, "square": 2}
_SPACED_NAMES = {"mm Hg": "mmHg", "light year": "lightyear", "light years": "lightyear", "degrees celsius": "°C",
                 "degree celsius": "°C", "degrees fahrenheit": "°F", "degrees c": "°C", "degrees f": "°F", "° c": "°C", "° f": "°F",
                 "°c": "°C", "°f": "°F", "us dollars": "$", "US dollars": "$", "euro cents": "cent", "nautical miles": "nmi",
                 "\\Omega": "Ω", "inch of mercury": "inHg"}  # fmt: skip


@lru_cache(maxsize=4096)
def parse_unit(text: str, spaced: bool = True) -> Unit | None:
    """The unit that `text` names in full: `cm`, `square meters`, `cm^{2}`, `km per hour`, `m/s`; None if unknown.

    Unless `spaced`, the text follows its number without a blank, and letters that may mark something else are no units.
    """
    text = _MICRO.sub("μ", text.strip()).replace("\\Omega", "Ω").replace("Ω", "Ω").replace("\\,", " ").strip()
    if not text or len(text) > MAX_LENGTH or (not spaced and text in DOUBTFUL):
        return None
    if (name := _SPACED_NAMES.get(text) or _SPACED_NAMES.get(text.lower())) is not None:
        text = name
    if (known := _named(text)) is not None:
        return known
    return _product(_POWER.sub(lambda power: f"^{power[1] or power[2]}", text))


def _product(text: str) -> Unit | None:
    """A unit of several factors; all that follows a slash is divided by."""
    powers: Counter[str] = Counter()
    size = 1.0
    for index, side in enumerate(_PER.split(text)):
        factors = _factors(side.strip(" ()"))
        if not factors:
            return None
        for unit, power in factors:
            signed = -power if index else power
            size *= unit.size**signed
            for factor in unit.dimension.split():
                name, _, exponent = factor.partition("^")
                powers[name] += signed * int(exponent or 1)
    dimension = " ".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(powers.items()) if power)
    return Unit(dimension or "1", size) if math.isfinite(size) and size > 0 else None


def _factors(text: str) -> list[tuple[Unit, int]]:
    """The units of a product with their powers; empty if one of them is unknown."""
    found: list[tuple[Unit, int]] = []
    waiting = 1
    for word in _TIMES.split(text):
        if word.lower() in _IN_WORDS and waiting == 1:
            waiting = _IN_WORDS[word.lower()]
            continue
        if word in _AFTER and found:
            found[-1] = (found[-1][0], found[-1][1] * _AFTER[word])
            continue
        factor = _factor(word)
        if factor is None:
            return []
        found.append((factor[0], factor[1] * waiting))
        waiting = 1
    return found if waiting == 1 else []


def _factor(word: str) -> tuple[Unit, int] | None:
    """`s^-2`, `s-2`, `cm2`, `平方米`."""
    for prefix, power in (("平方", 2), ("立方", 3)):
        if word.startswith(prefix) and (unit := _named(word.removeprefix(prefix))) is not None:
            return unit, power
    match = re.fullmatch(r"(.+?)\^?(-?[1-9])?", word)
    if match is None or (unit := _named(match.group(1))) is None:
        return None
    power = int(match.group(2) or 1)
    return (unit, power) if abs(power) <= 4 else None


def _named(name: str) -> Unit | None:
    """A single unit by its symbol, or by its name in any case, one or many."""
    forms = [name]
    if len(name) > 2:
        forms += [name.removesuffix("s"), name.lower(), name.lower().removesuffix("s"), name.removesuffix(".")]
    elif name.endswith("s") and name[:-1] in ("h", "g"):
        forms.append(name[:-1])
    return next((_UNITS[form] for form in forms if form in _UNITS), None)
