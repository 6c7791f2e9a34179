"""The rules of water through the SQL of the models: the public vectors, every limit with its neighbours, worked cases.

`data/water_class.json`: test vectors of sm1lewc/Silence.Water (MIT), values only. The standards' tables: standard.py.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from math import log
from typing import Any

import pytest

from tanhuan.settings import Settings
from tests.accounting.made_warehouse import build_anew, create_warehouse, read_rows
from tests.water.cases import LEVELS, TROPHIC, make_cases, name_of, near_limits
from tests.water.made import NIGHT, VECTORS, Row, put_in
from tests.water.standard import CLASSES, GROUND, SURFACE, classify

pytestmark = pytest.mark.slow

MODELS = (
    "fct_water_section_4h",
    "fct_water_section_month",
    "mart_drinking_source_month",
    "mart_groundwater_year",
    "mart_water_body_status",
)


@pytest.fixture(scope="module")
def waters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The models of water over everything that `make_cases` makes, and the recording."""
    before = os.environ.get("TANHUAN_WAREHOUSE")
    home = tmp_path_factory.mktemp("water") / "home"
    settings = Settings(home=home, upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    create_warehouse(NIGHT, settings)
    put_in(make_cases(), settings)
    build_anew(settings, *MODELS)
    yield settings
    # dbt is told the warehouse through the environment; give it back as it was.
    if before is None:
        os.environ.pop("TANHUAN_WAREHOUSE", None)
    else:
        os.environ["TANHUAN_WAREHOUSE"] = before


@pytest.fixture(scope="module")
def sections(waters: Settings) -> dict[str, Row]:
    return {row["point_code"]: row for row in read_rows(waters, "fct_water_section_month")}


@pytest.fixture(scope="module")
def wells(waters: Settings) -> dict[str, Row]:
    return {row["point_code"]: row for row in read_rows(waters, "mart_groundwater_year")}


@pytest.fixture(scope="module")
def sources(waters: Settings) -> dict[str, Row]:
    return {row["point_code"]: row for row in read_rows(waters, "mart_drinking_source_month")}


@pytest.fixture(scope="module")
def bodies(waters: Settings) -> dict[tuple[str, dt.date], Row]:
    return {(r["body_code"], r["half_start_date"]): r for r in read_rows(waters, "mart_water_body_status")}


@pytest.fixture(scope="module")
def published(waters: Settings) -> list[Row]:
    return read_rows(waters, "fct_water_section_4h")


# The public vectors, none left out ------------------------------------------------------------------------------------


def test_vectors_of_surface_water(sections: dict[str, Row]) -> None:
    cases = VECTORS["surface"]
    assert [sections[f"surface-{n}"]["water_class"] for n in range(len(cases))] == [case["class"] for case in cases]
    assert len(cases) == 13


def test_vectors_of_several_items_of_surface_water(sections: dict[str, Row]) -> None:
    worst, best = VECTORS["surface_combined"]
    assert sections["combined-0"]["water_class"] == worst["class"]
    assert CLASSES.index(sections["combined-1"]["water_class"]) <= CLASSES.index(best["class_at_most"])


def test_rules_of_the_vectors_of_surface_water(sections: dict[str, Row]) -> None:
    assert VECTORS["surface_rules"] == ["negative value -> no class", "0 -> Ⅰ", "non table-1 factor -> error"]
    found = {name: sections[f"rule-{name}"]["water_class"] for name in ("negative", "zero", "not-in-table", "unknown")}
    assert found == {"negative": None, "zero": "Ⅰ", "not-in-table": None, "unknown": None}


def test_vectors_of_groundwater(wells: dict[str, Row]) -> None:
    cases = VECTORS["ground"]
    assert [wells[f"ground-{n}"]["water_class"] for n in range(len(cases))] == [case["class"] for case in cases]
    # "below detection limit -> Ⅰ", however high the limit
    assert [wells[f"undetected-{n}"]["water_class"] for n in range(len(VECTORS["ground_detection_limit"]))] == ["Ⅰ"] * 4


def test_vectors_of_black_odorous_waters(bodies: dict[tuple[str, dt.date], Row]) -> None:
    half = dt.date(2025, 1, 1)
    asked = [(kind, n) for kind in LEVELS for n in range(len(VECTORS["black_odorous_urban"][kind]))]
    assert [bodies[f"{kind}-{n}", half]["level_no"] for kind, n in asked] == [LEVELS[kind] for kind, _ in asked]
    assert len(asked) == 11


# Every cell of both tables --------------------------------------------------------------------------------------------


def test_every_limit_of_surface_water_is_applied_to_the_last_digit(sections: dict[str, Row]) -> None:
    cases = list(near_limits(SURFACE))
    own = {"tn": "tn_class", "coliform": "coliform_class"}
    found, expected = {}, {}
    for item, kind, value in cases:
        row = sections[name_of(item, kind, value)]
        limits = SURFACE.get((item, kind)) or SURFACE[item, "any"]
        found[item, kind, value] = row[own.get(item, "water_class")]
        expected[item, kind, value] = CLASSES[(classify(value, limits) or 0) - 1]
        assert item not in own or row["water_class"] is None, "reported beside, never the class"
    assert found == expected
    assert {item for item, _, _ in cases} == {item for item, _ in SURFACE} - {"water_temp"}


def test_every_limit_of_groundwater_is_applied_to_the_last_digit(wells: dict[str, Row]) -> None:
    cases = [(item, value) for item, kind, value in near_limits(GROUND) if kind == "river"]
    found = {(item, value): wells[name_of(item, "ground", value)]["class_no"] for item, value in cases}
    assert found == {(item, value): classify(value, GROUND[item, "any"]) for item, value in cases}
    assert len({item for item, _ in cases}) == len(GROUND) - 2, "odour and visible matter are words"


# Sections -------------------------------------------------------------------------------------------------------------


def test_oxygen_at_90_percent_of_saturation_is_class_one(sections: dict[str, Row]) -> None:
    # Saturated are 468 ÷ (31.6 + T): at 28 degrees 7.85 mg/L, of which 7.2 are 91.7 %; at 25 degrees 8.27 and 87.1 %.
    assert [sections[name]["water_class"] for name in ("saturated", "not-saturated")] == ["Ⅰ", "Ⅱ"]


def test_temperature_nitrogen_and_coliforms_take_no_part_but_are_shown(sections: dict[str, Row]) -> None:
    row = sections["excluded"]
    assert (row["water_class"], row["item_count"], row["deciding_items"]) == ("Ⅱ", 1, "氨氮")
    assert (row["tn_class"], row["coliform_class"], row["main_pollutants"]) == ("劣Ⅴ", "劣Ⅴ", None)


def test_a_lake_is_judged_by_its_own_limits_of_phosphorus(sections: dict[str, Row]) -> None:
    assert [sections[f"phosphorus-{kind}"]["water_class"] for kind in ("river", "lake")] == ["Ⅱ", "Ⅳ"]
    assert sections["phosphorus-lake"]["main_pollutants"] == "总磷（0.6）"  # 0.08 ÷ 0.05 − 1


def test_items_that_tie_decide_together_and_the_larger_multiple_comes_first(sections: dict[str, Row]) -> None:
    row = sections["tie"]
    assert (row["water_class"], row["deciding_items"]) == ("Ⅳ", "高锰酸盐指数、化学需氧量、五日生化需氧量、氨氮")
    # 9÷6, 30÷20 and 6÷4 are each 0.5 above Ⅲ, in the order of the table; 1.4÷1 is 0.4, the fourth, and not named
    assert row["main_pollutants"] == "高锰酸盐指数（0.5）、化学需氧量（0.5）、五日生化需氧量（0.5）"


def test_oxygen_and_ph_are_main_pollutants_without_a_multiple(sections: dict[str, Row]) -> None:
    row = sections["no-multiple"]
    assert (row["water_class"], row["deciding_items"]) == ("劣Ⅴ", "pH值、溶解氧")
    assert row["main_pollutants"] == "pH值、溶解氧、氨氮（0.2）"


def test_below_detection_half_of_the_limit_enters(sections: dict[str, Row]) -> None:
    assert (sections["half"]["tp_mg_l"], sections["half"]["water_class"]) == (Decimal("0.2"), "Ⅲ")
    mean = sections["half-mean"]
    assert (mean["nh3n_mg_l"], mean["sample_count"], mean["water_class"]) == (Decimal("0.3"), 2, "Ⅱ")


def test_units_are_converted_and_an_unknown_one_is_not_guessed(sections: dict[str, Row]) -> None:
    assert sections["micro"]["water_class"] == "Ⅲ"  # 0.06 µg/L = 0.00006 mg/L
    assert (sections["no-unit"]["water_class"], sections["no-unit"]["not_sampled"]) == (None, "no_sample")


def test_a_dry_section_says_so(sections: dict[str, Row]) -> None:
    assert (sections["dry"]["water_class"], sections["dry"]["not_sampled"]) == (None, "dry")
    assert sections["dry"]["not_sampled_reason_zh"] == "断流，未采样"


def test_the_trophic_index_is_the_formulas_number(sections: dict[str, Row]) -> None:
    v = {item: log(float(value)) for item, value in TROPHIC.items()}
    by_hand = (
        0.2663 * (25 + 10.86 * v["chla"])  # 9 mg/m3: 48.86
        + 0.1879 * (94.36 + 16.24 * v["tp"])  # 0.035 mg/L: 39.92
        + 0.1790 * (54.53 + 16.94 * v["tn"])  # 1.2 mg/L: 57.62
        + 0.1834 * (51.18 - 19.4 * v["sd"])  # 1.6 m: 42.06
        + 0.1834 * (1.09 + 26.61 * v["codmn"])  # 2.3 mg/L: 23.25
    )
    assert sections["trophic"]["tli"] == Decimal("42.80") == round(Decimal(by_hand), 2)
    assert sections["trophic"]["trophic_state_zh"] == "中营养"
    assert sections["trophic-less"]["tli"] is None, "four of five items are no index"
    assert sections["trophic-river"]["tli"] is None, "the index is of lakes"


# Wells and sources ----------------------------------------------------------------------------------------------------


def test_groundwater_is_as_bad_as_its_worst_item_and_natural_iron_is_shown_apart(wells: dict[str, Row]) -> None:
    assert (wells["well"]["water_class"], wells["well"]["worst_items"]) == ("Ⅳ", "pH值")
    assert (wells["well-salt"]["water_class"], wells["well-salt"]["worst_items"]) == ("Ⅴ", "氯化物、钠")
    iron = wells["well-iron"]
    assert (iron["water_class"], iron["worst_items"], iron["background_items"]) == ("Ⅴ", "铁", "铁")
    assert iron["water_class_without_background"] == "Ⅲ"


def test_a_source_complies_without_cod_nitrogen_and_coliforms_but_with_its_supplementary_items(
    sources: dict[str, Row],
) -> None:
    assert (sources["source"]["complies"], sources["source"]["judged_item_count"]) == (True, 2)
    thallium = sources["source-thallium"]
    assert (thallium["complies"], thallium["exceeding_items"]) == (False, "铁（0.5）、铊（2）")
    basic = sources["source-basic"]
    assert (basic["complies"], basic["exceeding_items"]) == (False, "溶解氧、高锰酸盐指数（0.5）")


# Black-odorous waters -------------------------------------------------------------------------------------------------


def test_a_treated_water_that_turns_black_again_has_relapsed_until_a_clean_check(
    bodies: dict[tuple[str, dt.date], Row],
) -> None:
    halves = [dt.date(2024, 1, 1), dt.date(2024, 7, 1), dt.date(2025, 1, 1), dt.date(2025, 7, 1)]
    found = [bodies["relapse", half] for half in halves]
    assert [row["state"] for row in found] == ["eliminated", "relapsed_light", "relapsed_heavy", "eliminated"]
    assert [row["is_relapsed"] for row in found] == [False, True, True, False]
    began = dt.date(2024, 12, 10)
    assert [row["relapse_since_date"] for row in found] == [None, began, began, None]


def test_the_state_of_a_water_says_what_is_missing(bodies: dict[tuple[str, dt.date], Row]) -> None:
    names = ("untreated", "nothing", "negative", "unasked", "unhappy", "electrode", "electrode-light")
    found = {name: bodies[name, dt.date(2024, 1, 1)] for name in names}
    assert {name: (row["state"], row["level_no"]) for name, row in found.items()} == {
        "untreated": ("untreated", 1),
        "nothing": ("not_measured", None),
        "negative": ("not_measured", None),
        "unasked": ("not_surveyed", 0),
        "unhappy": ("not_satisfied", 0),
        "electrode": ("relapsed_heavy", 2),
        "electrode-light": ("relapsed_light", 1),
    }
    assert bodies["untreated", dt.date(2024, 7, 1)]["state"] == "not_checked"
    assert not any(row["is_eliminated"] for row in found.values())


def test_in_shallow_water_the_limit_of_transparency_follows_the_depth(bodies: dict[tuple[str, dt.date], Row]) -> None:
    names = ("shallow", "shallow-black", "not-shallow")
    # 20 cm deep: 40 % are 8 cm. At 25 cm the water is not shallow, and 9 cm are below 10.
    assert [bodies[name, dt.date(2024, 1, 1)]["level_no"] for name in names] == [0, 2, 2]


# The automatic stations -----------------------------------------------------------------------------------------------


def test_the_published_class_of_hunan_is_reproduced_and_every_other_row_has_its_reason(published: list[Row]) -> None:
    assert Counter(row["agreement"] for row in published) == {
        "river": 2153, "lake": 371, "incomplete": 166, None: 18, "none": 2,
    }  # fmt: skip
    assert Counter(row["reason_id"] for row in published) == {
        None: 2153, "lake_limits": 366, "lake_or_rounding": 5, "inputs_missing": 166, "not_published": 18,
        "rounding_at_limit": 1, "earlier_reading": 1,
    }  # fmt: skip
    assert all((row["reason_zh"] is None) == (row["reason_id"] is None) for row in published)


def test_the_two_that_neither_limit_gives_are_told_apart(published: list[Row]) -> None:
    rest = {row["section_name"]: row for row in published if row["agreement"] == "none"}
    assert {name: row["reason_id"] for name, row in rest.items()} == {
        "坪口": "rounding_at_limit", "邵水入河口": "earlier_reading",
    }  # fmt: skip
    assert "总磷" in rest["坪口"]["reason_zh"]
    assert "无法证实" in rest["邵水入河口"]["reason_zh"]


def test_lake_limits_that_fit_a_river_by_chance_are_told(published: list[Row]) -> None:
    """归阳镇 lies on a river: where both limits differ, six of its readings follow the river's, and five show 0.020."""
    either = [row for row in published if row["reason_id"] == "lake_or_rounding"]
    assert {row["tp_mg_l"] for row in either if row["section_name"] == "归阳镇"} == {Decimal("0.020")}
    assert Counter(row["section_name"] for row in either) == {"归阳镇": 5}
    assert "归阳镇" not in {row["section_name"] for row in published if row["reason_id"] == "lake_limits"}


def test_a_class_that_lags_behind_its_values_is_the_exception(published: list[Row]) -> None:
    """The published class follows the values shown wherever these change class; so the one row that does not is odd."""
    assert count_changes(published) == (106, 1)


def count_changes(published: list[Row]) -> tuple[int, int]:
    """Count readings whose values give another class than those before on the same day: followed, or lagging."""
    following = Counter[str]()
    before: dict[Any, Row] = {}
    for row in sorted(published, key=lambda r: r["measured_at"]):
        place = (row["province"], row["section_name"], row["business_date"])
        last, before[place] = before.get(place), row
        kind = {"river": "river_class", "lake": "lake_class", "none": "river_class"}.get(row["agreement"] or "")
        if last is None or kind is None or not last[kind] or last[kind] == row[kind]:
            continue
        following["follows" if row["published_class"] == row[kind] else "lags"] += 1
    return following["follows"], following["lags"]
