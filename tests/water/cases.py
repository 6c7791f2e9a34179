"""What the tests put into the warehouse: every public vector, every limit with its neighbours, cases of the rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.water.made import VECTORS, Made
from tests.water.standard import GROUND, SURFACE, Table

NAMES = {"pH值": "ph", "溶解氧": "do", "高锰酸盐指数": "codmn", "氨氮": "nh3n", "总磷_河流": "tp", "硝酸盐": "no3n"}
STEP = Decimal("0.000001")
LEVELS = {"not": 0, "mild": 1, "severe": 2}
#: one sample of a reservoir, worked by hand in test_rules.py
TROPHIC = {"chla": "9", "tp": "0.035", "tn": "1.2", "sd": "1.6", "codmn": "2.3"}


def near_limits(table: Table) -> Iterator[tuple[str, str, Decimal]]:
    """Every limit, the values one step beside it, nothing at all, and far more than the worst."""
    for (item, kind), limits in table.items():
        bounds = {bound for limit in limits for bound in limit.bounds()}
        values = {bound + n * STEP for bound in bounds for n in (-1, 0, 1)}
        for value in sorted({*values, Decimal(0), max(bounds) * 3} if bounds else set()):
            if value >= 0:
                for body_kind in ("river", "lake") if kind == "any" else (kind,):
                    yield item, body_kind, value


def name_of(item: str, kind: str, value: Decimal) -> str:
    return f"{item}-{kind}-{value:f}"


def make_cases() -> Made:
    made = Made()
    add_vectors(made)
    for item, kind, value in near_limits(SURFACE):
        made.sample("section", name_of(item, kind, value), item, value, body_kind=kind)
    for item, kind, value in near_limits(GROUND):
        if kind == "river":
            made.sample("groundwater", name_of(item, "ground", value), item, value)
    add_rules(made)
    return made


def add_vectors(made: Made) -> None:
    for n, case in enumerate(VECTORS["surface"]):
        made.sample("section", f"surface-{n}", NAMES[case["factor"]], case["value"])
    for n, case in enumerate(VECTORS["surface_combined"]):
        for factor, value in case["in"].items():
            made.sample("section", f"combined-{n}", NAMES[factor], value)
    for n, case in enumerate(VECTORS["ground"]):
        made.sample("groundwater", f"ground-{n}", NAMES[case["factor"]], Decimal(case["value"]))
    for n, text in enumerate(VECTORS["ground_detection_limit"]):
        limit = Decimal(text.partition(" ")[0].rstrip("Ll"))
        made.sample(
            "groundwater", f"undetected-{n}", "nh3n", None,
            value_text=text.partition(" ")[0], is_below_detection=True, detection_limit=limit,
        )  # fmt: skip
    # "negative value -> no class", "0 -> Ⅰ", "non table-1 factor -> error"
    made.sample("section", "rule-negative", "codmn", Decimal(-1))
    made.sample("section", "rule-zero", "codmn", Decimal(0))
    made.sample("section", "rule-not-in-table", "so4", Decimal(100))
    made.sample("section", "rule-unknown", "unobtainium", Decimal(100))
    for kind in LEVELS:
        for n, case in enumerate(VECTORS["black_odorous_urban"][kind]):
            made.check(f"{kind}-{n}", **black_values(case))


def black_values(case: dict[str, Any]) -> dict[str, Any]:
    columns = {"SD": "transparency_cm", "DO": "do_mg_l", "NH3N": "nh3n_mg_l", "depth": "depth_cm"}
    return {"is_clear_to_bottom": case.get("clear_to_bottom")} | {columns[k]: case[k] for k in columns if k in case}


def add_rules(made: Made) -> None:
    def several(point: str, kind: str = "river", sample_kind: str = "section", **values: str) -> None:
        for item, value in values.items():
            made.sample(sample_kind, point, item, Decimal(value), body_kind=kind)

    several("saturated", do="7.2", water_temp="28", ph="7")
    several("not-saturated", do="7.2", water_temp="25", ph="7")
    several("excluded", water_temp="39", tn="9", coliform="90000", nh3n="0.3", kind="lake")
    several("phosphorus-river", tp="0.08", codmn="3")
    several("phosphorus-lake", kind="lake", tp="0.08", codmn="3")
    several("tie", codmn="9", cod="30", nh3n="1.4", bod5="6")
    several("no-multiple", do="1.5", ph="9.5", nh3n="1.2", codmn="7", tp="0.05")
    several("trophic", kind="lake", **TROPHIC)
    several("trophic-less", kind="lake", **{k: v for k, v in TROPHIC.items() if k != "sd"})
    several("trophic-river", **TROPHIC)

    # Half of 0.4 is 0.2, Ⅲ of a river's phosphorus, and 0.4 would be Ⅴ; beside another sample the half enters the mean.
    made.sample(
        "section", "half", "tp", None, is_below_detection=True, detection_limit=Decimal("0.4"), value_text="0.4L"
    )
    made.sample("section", "half-mean", "nh3n", None, is_below_detection=True, detection_limit=Decimal("0.2"))
    made.sample("section", "half-mean", "nh3n", Decimal("0.5"), sampled_date=dt.date(2025, 3, 9))
    made.sample("section", "micro", "hg", Decimal("0.06"), unit="μg/L")
    made.sample("section", "no-unit", "hg", Decimal("0.06"), unit="mol")
    made.sample("section", "dry", "codmn", None, remark="断流，未采样", value_text="-")

    several("well", sample_kind="groundwater", ph="5.6", nh3n="0.1")
    several("well-salt", sample_kind="groundwater", cl="351", na="500", nh3n="0.02")
    for item, value in (("fe", "2.5"), ("nh3n", "0.4")):
        made.sample("groundwater", "well-iron", item, Decimal(value), background_items="w20125|w20124")

    several("source", sample_kind="drinking_source", codmn="5", cod="60", tn="9", coliform="90000", so4="200")
    several("source-thallium", sample_kind="drinking_source", codmn="2", tl="0.0003", fe="0.45")
    several("source-basic", sample_kind="drinking_source", codmn="9", do="4")

    june, december = dt.date(2024, 6, 10), dt.date(2024, 12, 10)
    clean = {"transparency_cm": 40, "do_mg_l": 4, "orp_mv": 120, "nh3n_mg_l": 2}
    made.check("relapse", june, **clean)
    made.check("relapse", december, **clean | {"nh3n_mg_l": 9})
    made.check("relapse", dt.date(2025, 3, 1), **clean | {"nh3n_mg_l": 16})
    made.check("relapse", dt.date(2025, 11, 1), **clean)
    made.check("untreated", june, **clean | {"nh3n_mg_l": 9}, treated_date=None)
    made.check("electrode", june, **clean | {"orp_mv": -201})
    made.check("electrode-light", june, **clean | {"orp_mv": -200})
    made.check("nothing", june)
    made.check("negative", june, transparency_cm=-1, do_mg_l=-1, nh3n_mg_l=-1)
    made.check("unasked", june, **clean, satisfaction_pct=None)
    made.check("unhappy", june, **clean, satisfaction_pct=89.9)
    made.check("shallow", june, **clean | {"transparency_cm": 9}, depth_cm=20)
    made.check("shallow-black", june, **clean | {"transparency_cm": 7.9}, depth_cm=20)
    made.check("not-shallow", june, **clean | {"transparency_cm": 9}, depth_cm=25)
