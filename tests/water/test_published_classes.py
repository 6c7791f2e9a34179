"""The class that the national network publishes follows from the five items: an independent reading of the recording.

`data/water_class.json`: test vectors of sm1lewc/Silence.Water (MIT), values only.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tanhuan.settings import get_settings

SEEDS = get_settings().dbt_project / "seeds"
RECORDING = Path(__file__).parents[2] / "include/tanhuan/standin/data/hunan_water_2020_2021.csv.gz"
VECTORS = json.loads((Path(__file__).parent / "data" / "water_class.json").read_text("utf-8"))
CLASSES = ("Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ", "劣Ⅴ")
COLUMNS = {"ph": "ph", "do": "do_mg_l", "codmn": "codmn_mg_l", "nh3n": "nh3n_mg_l", "tp": "tp_mg_l"}
NAMES = {"pH值": "ph", "溶解氧": "do", "高锰酸盐指数": "codmn", "氨氮": "nh3n", "总磷_河流": "tp", "硝酸盐": "no3n"}


def read_limits(seed: str) -> dict[tuple[str, str], list[tuple[Decimal, Decimal]]]:
    """Return the lower and upper limits by item and kind of water, best class first."""
    limits: dict[tuple[str, str], list[tuple[Decimal, Decimal]]] = {}
    with (SEEDS / f"{seed}.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            bounds = (Decimal(row["lower_limit"] or "-Infinity"), Decimal(row["upper_limit"] or "Infinity"))
            limits.setdefault((row["item_id"], row.get("body_kind", "any")), []).append(bounds)
    return limits


SURFACE, GROUND = read_limits("water_limit"), read_limits("groundwater_limit")


def classify(item: str, value: Decimal, kind: str = "river") -> int:
    limits = SURFACE.get((item, kind)) or SURFACE[(item, "any")]
    return next((i for i, (low, high) in enumerate(limits, start=1) if low <= value <= high), len(limits) + 1)


def agree(row: dict[str, str]) -> str:
    if not all(row[name] for name in COLUMNS.values()):
        return "incomplete"
    if not row["water_class"]:
        return "not published"
    for kind in ("river", "lake"):
        worst = max(classify(item, Decimal(row[name]), kind) for item, name in COLUMNS.items())
        if CLASSES[worst - 1] == row["water_class"]:
            return kind
    return "none"


def test_the_published_class_of_hunan_is_reproduced_but_for_two() -> None:
    with gzip.open(RECORDING, "rt", encoding="utf-8") as handle:
        found = Counter(agree(row) for row in csv.DictReader(handle))
    assert found == {"river": 2153, "lake": 371, "incomplete": 166, "not published": 18, "none": 2}


@pytest.mark.parametrize("case", VECTORS["surface"], ids=lambda c: f"{c['factor']} {c['value']}")
def test_surface_vectors(case: dict[str, Any]) -> None:
    assert CLASSES[classify(NAMES[case["factor"]], Decimal(str(case["value"]))) - 1] == case["class"]


@pytest.mark.parametrize("case", VECTORS["ground"], ids=lambda c: f"{c['factor']} {c['value']}")
def test_groundwater_vectors(case: dict[str, Any]) -> None:
    limits = GROUND[(NAMES[case["factor"]], "any")]
    value = Decimal(case["value"])
    found = next((i for i, (low, high) in enumerate(limits) if low <= value <= high), len(limits))
    assert CLASSES[found] == case["class"]
