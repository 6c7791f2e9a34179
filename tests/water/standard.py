"""The two tables of limits as the standards print them, and a plain reading of the single-factor method.

Reads the transcripts in `data/`, never the seeds: the models are held to what is printed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

DATA = Path(__file__).parent / "data"
CLASSES = ("Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ", "劣Ⅴ")
#: (item, kind of water) → the limits, best class first
Table = dict[tuple[str, str], list["Limit"]]


@dataclass(frozen=True)
class Limit:
    """One cell: a range, open where the standard names no bound."""

    low: Decimal | None = None
    high: Decimal | None = None
    saturation_pct: Decimal | None = None

    def holds(self, value: Decimal) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def bounds(self) -> list[Decimal]:
        return [bound for bound in (self.low, self.high) if bound is not None]


def read_limit(text: str) -> Limit | None:
    """Read a cell; prose (水温, 无) is None, and `>` bounds nothing that a better class has not taken already."""
    text, _, saturation = text.partition("|")
    if text in ("", "无"):
        return None
    if text[0] == ">":
        return Limit()
    if text[0] == "≥":
        return Limit(low=Decimal(text[1:]), saturation_pct=Decimal(saturation.rstrip("%")) if saturation else None)
    if text[0] == "≤":
        return Limit(high=Decimal(text[1:]))
    low, high = text.split("~")
    return Limit(Decimal(low), Decimal(high))


def read_table(name: str) -> Table:
    table: Table = {}
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            cells = [read_limit(row[water_class]) for water_class in CLASSES[:5] if water_class in row]
            table[row["item_id"], row.get("body_kind", "any")] = [cell for cell in cells if cell]
    return table


SURFACE, GROUND = read_table("gb3838_table1"), read_table("gbt14848_table1")


def classify(value: Decimal, limits: list[Limit]) -> int | None:
    """Return the best class whose limit holds, one worse than the last if none does; no limits, no class."""
    if value < 0 or not limits:
        return None
    return next((n for n, limit in enumerate(limits, start=1) if limit.holds(value)), len(limits) + 1)
