"""HJ 633-2012, HJ 633-2026 and HJ 663-2013 in plain Python, written from their texts: own constants, no seed, no SQL.

It is there to be held beside the models, so it takes nothing from them. Fractions, so that no rounding is an accident.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

ITEMS = ("pm25", "pm10", "so2", "no2", "o3", "co")
SYMBOLS = dict(zip(ITEMS, ("PM2.5", "PM10", "SO2", "NO2", "O3", "CO"), strict=True))
EVALUATED = ("1508A", "1511A", "1512A", "1513A", "1514A", "1562A")

_LEVELS = (0, 50, 100, 150, 200, 300, 400, 500)
# HJ 633-2012 table 1, by item and averaging time.
_TABLE = {
    ("so2", "24h"): (0, 50, 150, 475, 800, 1600, 2100, 2620),
    ("so2", "1h"): (0, 150, 500, 650, 800),
    ("no2", "24h"): (0, 40, 80, 180, 280, 565, 750, 940),
    ("no2", "1h"): (0, 100, 200, 700, 1200, 2340, 3090, 3840),
    ("co", "24h"): (0, 2, 4, 14, 24, 36, 48, 60),
    ("co", "1h"): (0, 5, 10, 35, 60, 90, 120, 150),
    ("o3", "8h"): (0, 100, 160, 215, 265, 800),
    ("o3", "1h"): (0, 160, 200, 300, 400, 800, 1000, 1200),
    ("pm10", "24h"): (0, 50, 150, 250, 350, 420, 500, 600),
    ("pm25", "24h"): (0, 35, 75, 115, 150, 250, 350, 500),
}
# HJ 633-2026 table 3 differs in two cells.
_TABLE_2026 = _TABLE | {
    ("pm10", "24h"): (0, 50, 120, 250, 350, 420, 500, 600),
    ("pm25", "24h"): (0, 35, 60, 115, 150, 250, 350, 500),
}
#: HJ 663-2013 table 3
DECIMALS = {"co": 1}
#: GB 3095-2012 table 1, grade II: 24 hours, ozone 8 hours
DAY_LIMIT = {"pm25": 75, "pm10": 150, "so2": 150, "no2": 80, "o3": 160, "co": 4}
#: HJ 633-2012 table 2 and annex A; HJ 633-2026 table 1 and annex A: last index, category, colour
CATEGORIES = (
    (50, "优", "#00E400"),
    (100, "良", "#FFFF00"),
    (150, "轻度污染", "#FF7E00"),
    (200, "中度污染", "#FF0000"),
    (300, "重度污染", "#99004C"),
    (500, "严重污染", "#7E0023"),
)
#: HJ 663-2013 table 1
PERCENT = {"pm25": 95, "pm10": 95, "so2": 98, "no2": 98, "o3": 90, "co": 95}


def breakpoints(item: str, averaging: str, edition: int) -> tuple[int, ...]:
    return (_TABLE if edition == 2012 else _TABLE_2026)[item, averaging]


def round_even(value: Fraction, places: int = 0) -> Fraction:
    """GB/T 8170: half to even."""
    scale = 10**places
    return Fraction(round(value * scale), scale)


def round_item(value: Fraction | None, item: str) -> Fraction | None:
    return None if value is None else round_even(value, DECIMALS.get(item, 0))


def index(value: Fraction | None, item: str, averaging: str, edition: int = 2012) -> int | None:
    """Formula (1), rounded up (6.2). Above the table 500; SO2 1 h and O3 8 h end earlier (notes 2, 3; b, c)."""
    if value is None or value < 0:
        return None
    table = breakpoints(item, averaging, edition)
    for n, high in enumerate(table[1:]):
        if value <= high:
            low = table[n]
            return math.ceil(Fraction(_LEVELS[n + 1] - _LEVELS[n], high - low) * (value - low) + _LEVELS[n])
    ends_early = {("so2", "1h"): 200, ("o3", "8h"): 300}
    if (item, averaging) in ends_early:
        return None if edition == 2012 else ends_early[item, averaging]
    return 500


def mean(values: Iterable[Fraction]) -> Fraction:
    known = list(values)
    return sum(known, Fraction(0)) / len(known)


def percentile(values: Sequence[Fraction], percent: int) -> Fraction:
    """A.6."""
    ordered = sorted(values)
    k = 1 + Fraction((len(ordered) - 1) * percent, 100)
    s = math.floor(k)
    return ordered[s - 1] + ((ordered[s] - ordered[s - 1]) * (k - s) if s < len(ordered) else 0)


def windows(hours: dict[int, Fraction | None]) -> list[Fraction]:
    """The valid 8-hour means of a day, of labels 8 to 24 (A.1): those of at least six hours (GB 3095 table 4)."""
    known = {label: value for label, value in hours.items() if value is not None}
    found = [[known[x] for x in range(label - 7, label + 1) if x in known] for label in range(8, 25)]
    return [mean(window) for window in found if len(window) >= 6]


def station_day(hours: dict[int, Fraction | None], item: str) -> Fraction | None:
    """A station's value of a day from its hours by label 1 to 24 (A.1, 6.1.1, 6.1.2), not rounded."""
    known = {label: value for label, value in hours.items() if value is not None}
    if item != "o3":
        return mean(known.values()) if len(known) >= 20 else None
    means = windows(hours)
    if not means:
        return None
    top = max(means)
    return top if len(means) >= 14 or round_even(top) > DAY_LIMIT["o3"] else None


def region_day(stations: Sequence[Fraction | None], item: str) -> Fraction | None:
    """A region's value of a day (A.2, 6.1.4), rounded once (6.3)."""
    known = [value for value in stations if value is not None]
    return round_item(mean(known), item) if known and len(known) >= stations_due(len(stations)) else None


def stations_due(number: int) -> int:
    """6.1.4: three quarters of the stations, half of fewer than four."""
    return math.ceil((Fraction(3, 4) if number >= 4 else Fraction(1, 2)) * number)


def days_due(month: int) -> int:
    """GB 3095 table 4 and 6.1.3."""
    return 25 if month == 2 else 27


@dataclass(frozen=True)
class Judgement:
    """A day's verdict; `aqi` is None when the day is not valid."""

    aqi: int | None
    primary: str | None
    missing: str | None
    is_compliant: bool | None

    @property
    def level(self) -> int | None:
        return None if self.aqi is None else 1 + sum(self.aqi > top for top, _, _ in CATEGORIES)

    @property
    def category(self) -> str | None:
        return None if self.level is None else CATEGORIES[self.level - 1][1]

    @property
    def colour(self) -> str | None:
        return None if self.level is None else CATEGORIES[self.level - 1][2]

    @property
    def is_good(self) -> bool:
        return self.aqi is not None and self.aqi <= 100

    @property
    def is_heavy(self) -> bool:
        return self.aqi is not None and self.aqi > 200


def judge_day(
    values: dict[str, Fraction | None], edition: int = 2012, ozone_hour_max: Fraction | None = None
) -> Judgement:
    """HJ 633-2012 4.4 and HJ 663-2013 6.2, or HJ 633-2026 4.2, 4.3 and 5.3.1, for one day's six values."""
    indices = {item: index(values[item], item, "8h" if item == "o3" else "24h", edition) for item in ITEMS}
    if edition == 2012 and (values["o3"] or 0) > 800:
        indices["o3"] = index(ozone_hour_max, "o3", "1h")
    known = [i for i in indices.values() if i is not None]
    missing = "、".join(SYMBOLS[item] for item in ITEMS if indices[item] is None) or None
    if not known:
        return Judgement(None, None, missing, None)
    top = max(known)
    clean = all(value is not None and value <= DAY_LIMIT[item] for item, value in values.items())
    if missing and top <= 100:
        return Judgement(None, None, missing, clean)
    primary = "、".join(SYMBOLS[item] for item in ITEMS if indices[item] == top) if top > 50 else None
    top = top if edition == 2012 else max(top, 1)
    return Judgement(top, primary, missing, clean)


def hourly_aqi(hours: dict[str, Fraction | None], edition: int = 2012, so2_24h: Fraction | None = None) -> int | None:
    """The hourly report: all 1-hour values, particles by the daily breakpoints."""
    found = [index(value, item, "24h" if item in ("pm25", "pm10") else "1h", edition) for item, value in hours.items()]
    if edition == 2012 and (hours["so2"] or 0) > 800:
        found.append(index(so2_24h, "so2", "24h", edition))
    known = [i for i in found if i is not None]
    if not known or (edition == 2026 and len(known) < len(ITEMS) and max(known) <= 100):
        return None
    return max(known) if edition == 2012 else max(1, *known)
