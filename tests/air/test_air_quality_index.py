"""Sub-indices and AQI are those of HJ 633: all public vectors and every breakpoint, through the SQL of the models.

The daily report is the macro `judge_air_day` that both daily facts use; the hourly one is `fct_air_station_hour`
itself, built over made hours (slow).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from tanhuan.duck import open_warehouse
from tanhuan.settings import Settings
from tests.air import standard
from tests.air.conftest import ask, build_air, create_warehouse, put_hours
from tests.air.standard import ITEMS, SYMBOLS, breakpoints, index, judge_day
from tests.dbt.conftest import compile_inline

DATA = Path(__file__).parent / "data"
EDITIONS = (2012, 2026)
#: a day under each edition
DAY_OF = {2012: dt.date(2025, 6, 1), 2026: dt.date(2026, 6, 1)}
LABEL = 12
ITEM_OF = {"PM25": "pm25", "PM10": "pm10", "SO2": "so2", "NO2": "no2", "CO": "co", "O3": "o3"}
NO_VALUES: dict[str, Decimal | None] = dict.fromkeys(ITEMS)


def read_vectors(edition: int) -> dict[str, Any]:
    return dict(json.loads((DATA / f"aqi_hj633_{edition}.json").read_text("utf-8"), parse_float=Decimal))


VECTORS = {edition: read_vectors(edition) for edition in EDITIONS}


@dataclass(frozen=True)
class Reading:
    """What one station measured in one hour, or over one day."""

    edition: int
    values: dict[str, Decimal | None]
    ozone_hour_max: Decimal | None = None


def one(edition: int, item: str, value: Any) -> Reading:
    return Reading(edition, NO_VALUES | {item: Decimal(str(value))})


def split(vector: dict[str, Any]) -> tuple[str, str]:
    """`PM25_1H` → pm25, 1H."""
    name, averaging = vector["item"].split("_")
    return ITEM_OF[name], averaging


def cells_of(edition: int) -> list[dict[str, Any]]:
    """The vectors of single items, boundary cases included."""
    return [*VECTORS[edition]["iaqi"], *VECTORS[edition].get("boundary", [])]


def values_of(vector: dict[str, Any]) -> dict[str, Decimal | None]:
    return {item: None if (v := vector["in"][item]) is None else Decimal(str(v)) for item in ITEMS}


#: SO2 24 h: the source of the vectors takes the 1-hour breakpoints for it; the tables of both editions have 150, 475
#: and 800 at 100, 150 and 200. (edition, concentration) → (the vector's index, the index by the standard's table)
SO2_24H_BY_1H = {(2012, 150): (50, 100), (2012, 500): (100, 154), (2012, 650): (150, 177), (2026, 500): (100, 154)}
#: the vectors of whole days with SO2 650, for the same reason: (the vector's AQI, the AQI by the table)
SO2_DAY_BY_1H = {(2012, 650): (150, 177), (2026, 650): (150, 177)}


def near(edition: int, item: str, averaging: str) -> list[Decimal]:
    """Every breakpoint, the concentrations one rounding unit beside it, and one far above the table."""
    unit = Decimal(1).scaleb(-standard.DECIMALS.get(item, 0))
    table = [Decimal(point) for point in breakpoints(item, averaging, edition)]
    beside = {point + step * unit for point in table for step in (-1, 0, 1)}
    return sorted(c for c in {*beside, table[-1] * 2} if c >= 0)


DAY_CELLS = [(edition, item, "8h" if item == "o3" else "24h") for edition in EDITIONS for item in ITEMS]
HOUR_CELLS = [(e, item, "24h" if item in ("pm25", "pm10") else "1h") for e in EDITIONS for item in ITEMS]

#: every reading of the hourly report that a test asks for, under the name of an invented station
HOURS: dict[str, Reading] = {
    **{
        f"V{edition}-{n}": one(edition, split(v)[0], v["value"])
        for edition in EDITIONS
        for n, v in enumerate(cells_of(edition))
        if split(v)[1] == "1H"
    },
    **{
        f"A{edition}-{n}": Reading(edition, values_of(v))
        for edition in EDITIONS
        for n, v in enumerate(VECTORS[edition]["aqi"])
        if v["type"] == "hourly"
    },
    **{
        f"B{edition}-{item}-{c}": one(edition, item, c)
        for edition, item, averaging in HOUR_CELLS
        for c in near(edition, item, averaging)
    },
    **{f"N{edition}-{item}": one(edition, item, -1) for edition in EDITIONS for item in ITEMS},
    # Ozone's moving mean over 8 hours stands in the feed, but the report is of the hour.
    **{f"O{edition}": one(edition, "o3", 160) for edition in EDITIONS},
}
#: the network's SO2 over 24 hours, for HJ 633-2012 table 1, note (2)
HOURS_WITH_SO2_24H = {f"S{edition}": one(edition, "so2", 900) for edition in EDITIONS}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The hourly fact over `HOURS`, and the rules."""
    folder = tmp_path_factory.mktemp("air-index")
    settings = create_warehouse(folder)
    rows: Any = {}
    for station, reading in {**HOURS, **HOURS_WITH_SO2_24H}.items():
        told = {f"{item}_{unit(item)}": Fraction(v) for item, v in reading.values.items() if v is not None}
        told |= {"so2_24h_ug_m3": Fraction(475)} if station in HOURS_WITH_SO2_24H else {}
        told |= {"o3_8h_ug_m3": Fraction(900)} if station.startswith("O") else {}
        rows[station, DAY_OF[reading.edition], LABEL] = told
    put_hours(rows, settings, folder / "hours.csv", "synthetic", dt.date(2026, 11, 23))
    build_air(settings, "fct_air_station_hour")
    return settings


def unit(item: str) -> str:
    return "mg_m3" if item == "co" else "ug_m3"


@pytest.fixture(scope="module")
def hours(warehouse: Settings) -> dict[str, dict[str, Any]]:
    return {row["station_code"]: row for row in ask(warehouse, "from fct_air_station_hour")}


@pytest.fixture(scope="module")
def judge_sql(two_nights: Settings) -> str:
    return compile_inline('{{ judge_air_day("reading", ["reading_id"]) }}', two_nights)


@pytest.fixture(scope="module")
def round_sql(two_nights: Settings) -> str:
    """The rounding of the models, of a parameter."""
    return compile_inline('select {{ round_half_even("$1::varchar", "0") }} as rounded', two_nights)


@pytest.fixture(scope="module")
def judge(two_nights: Settings, judge_sql: str, round_sql: str) -> Any:
    """What the project's macro of the daily report makes of readings, in their order."""
    with open_warehouse(two_nights, read_only=True) as con:
        con.execute(
            "create temp table reading (reading_id integer, business_date date, pollutant_id varchar, "
            "concentration decimal(18, 4), hour_max decimal(18, 4))"
        )

        def answer(readings: Sequence[Reading]) -> list[dict[str, Any]]:
            con.execute("delete from reading")
            con.executemany(
                "insert into reading values ($1, $2, $3, $4, $5)",
                [
                    [n, DAY_OF[r.edition], item, value, r.ozone_hour_max if item == "o3" else None]
                    for n, r in enumerate(readings)
                    for item, value in r.values.items()
                ],
            )
            found = con.execute(f"select * from ({judge_sql}) order by reading_id")
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

        yield answer


# The public vectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
def test_sub_indices_of_the_day_match_the_public_vectors(edition: int, judge: Any) -> None:
    vectors = [v for v in cells_of(edition) if split(v)[1] in ("24H", "8H")]
    found = judge([one(edition, split(v)[0], v["value"]) for v in vectors])
    for vector, row in zip(vectors, found, strict=True):
        item, _ = split(vector)
        named = SO2_24H_BY_1H.get((edition, vector["value"])) if item == "so2" else None
        if named is not None:
            assert vector["iaqi"] == named[0] == index(Fraction(vector["value"]), "so2", "1h", edition)
        assert row[f"iaqi_{item}"] == (named[1] if named else vector["iaqi"]), vector
    assert len(vectors) == {2012: 53, 2026: 30}[edition]


@pytest.mark.slow
@pytest.mark.parametrize("edition", EDITIONS)
def test_sub_indices_of_the_hour_match_the_public_vectors(edition: int, hours: dict[str, dict[str, Any]]) -> None:
    ours, theirs = {}, {}
    for n, vector in enumerate(cells_of(edition)):
        item, averaging = split(vector)
        if averaging == "1H":
            name = (n, vector["item"], vector["value"])
            theirs[name], ours[name] = vector["iaqi"], hours[f"V{edition}-{n}"][f"iaqi_{item}"]
    assert ours == theirs
    assert len(ours) == {2012: 54, 2026: 30}[edition]


@pytest.mark.parametrize("edition", EDITIONS)
def test_whole_days_match_the_public_vectors(edition: int, judge: Any) -> None:
    vectors = [v for v in VECTORS[edition]["aqi"] if v["type"].startswith("daily")]
    (row,) = judge([Reading(edition, values_of(v)) for v in vectors])
    (vector,) = vectors
    theirs, by_the_table = SO2_DAY_BY_1H[edition, vector["in"]["so2"]]
    assert (vector["aqi"], row["aqi"]) == (theirs, by_the_table)
    assert max(row[f"iaqi_{item}"] for item in ITEMS if item != "so2") == theirs, "all but SO2 agree"


@pytest.mark.slow
@pytest.mark.parametrize("edition", EDITIONS)
def test_whole_hours_match_the_public_vectors(edition: int, hours: dict[str, dict[str, Any]]) -> None:
    vectors = {f"A{edition}-{n}": v for n, v in enumerate(VECTORS[edition]["aqi"]) if v["type"] == "hourly"}
    for station, vector in vectors.items():
        row = hours[station]
        if "aqi_less_than" in vector:
            assert row["aqi"] < vector["aqi_less_than"]
            assert (vector["primary"], row["primary_pollutants"]) == ([], None)
        else:
            assert row["aqi"] == vector["aqi"], vector
        assert row["category_level"] == vector.get("level", row["category_level"])
        for item, sub_index in vector.get("iaqi", {}).items():
            assert row[f"iaqi_{item}"] == sub_index, vector
        if "primary_contains" in vector:
            assert vector["primary_contains"] in row["primary_pollutants"].split("、")
    assert len(vectors) == 6


@pytest.mark.parametrize("edition", EDITIONS)
def test_levels_match_the_public_vectors(edition: int, judge: Any, two_nights: Settings) -> None:
    vectors = VECTORS[edition]["level"]
    found = judge([with_index(edition, v["aqi"]) for v in vectors])
    # HJ 633-2026 table 1 begins with 1: the cleanest air has index 1.
    assert [row["aqi"] for row in found] == [max(v["aqi"], 0 if edition == 2012 else 1) for v in vectors]
    assert [row["category_level"] for row in found] == [v["level"] for v in vectors]
    for beyond in VECTORS[edition]["level_error_inputs"]:
        assert not ask(
            two_nights,
            f"from rules.aqi_category where standard_code = 'HJ 633-{edition}' and {beyond} between aqi_lo and aqi_hi",
        )


def with_index(edition: int, aqi: int) -> Reading:
    """A day whose PM2.5 has a certain index, all else being zero."""
    table = breakpoints("pm25", "24h", edition)
    n = next(n for n, top in enumerate((50, 100, 150, 200, 300, 400, 500)) if aqi <= top)
    low, high = (0, 50, 100, 150, 200, 300, 400)[n], (50, 100, 150, 200, 300, 400, 500)[n]
    exact = table[n] + Fraction(table[n + 1] - table[n], high - low) * (aqi - low)
    concentration = (Decimal(exact.numerator) / exact.denominator).quantize(Decimal("0.0001"), ROUND_DOWN)
    return Reading(edition, {item: concentration if item == "pm25" else Decimal(0) for item in ITEMS})


def test_no_vector_is_left_out() -> None:
    for edition in EDITIONS:
        assert set(VECTORS[edition]) - {"source", "commit", "standard", "note"} <= {
            "iaqi",
            "boundary",
            "level",
            "level_error_inputs",
            "aqi",
        }
        assert {split(v)[1] for v in cells_of(edition)} == {"1H", "8H", "24H"}
    assert sum(len(cells_of(edition)) for edition in EDITIONS) == 107 + 60


# Every breakpoint -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edition", "item", "averaging"), DAY_CELLS)
def test_the_day_at_below_and_above_every_breakpoint(edition: int, item: str, averaging: str, judge: Any) -> None:
    points = near(edition, item, averaging)
    found = [row[f"iaqi_{item}"] for row in judge([one(edition, item, c) for c in points])]
    check_course(found, [index(Fraction(c), item, averaging, edition) for c in points])


@pytest.mark.slow
@pytest.mark.parametrize(("edition", "item", "averaging"), HOUR_CELLS)
def test_the_hour_at_below_and_above_every_breakpoint(
    edition: int, item: str, averaging: str, hours: dict[str, dict[str, Any]]
) -> None:
    points = near(edition, item, averaging)
    found = [hours[f"B{edition}-{item}-{c}"][f"iaqi_{item}"] for c in points]
    check_course(found, [index(Fraction(c), item, averaging, edition) for c in points])


def check_course(found: list[int | None], expected: list[int | None]) -> None:
    assert found == expected
    known = [i for i in found if i is not None]
    assert known == sorted(known), "a higher concentration never has a lower index"
    assert known[0] == 0
    assert max(known) <= 500
    assert {50, 100, 150, 200} <= set(known)


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_day_of_negative_or_missing_values_has_no_index(edition: int, judge: Any) -> None:
    for row in judge([Reading(edition, dict.fromkeys(ITEMS, Decimal(-1))), Reading(edition, NO_VALUES)]):
        check_nothing(row)


@pytest.mark.slow
@pytest.mark.parametrize("edition", EDITIONS)
def test_an_hour_of_a_negative_value_has_no_index(edition: int, hours: dict[str, dict[str, Any]]) -> None:
    for item in ITEMS:
        check_nothing(hours[f"N{edition}-{item}"])


def check_nothing(row: dict[str, Any]) -> None:
    assert [row[f"iaqi_{item}"] for item in ITEMS] == [None] * 6
    assert (row["aqi"], row["category_level"], row["primary_pollutants"]) == (None, None, None)
    assert row["missing_items"] == "、".join(SYMBOLS[item] for item in ITEMS)


# The reports' own rules -----------------------------------------------------------------------------------------------


def test_ozone_beyond_the_8_hour_table_takes_its_1_hour_index_until_2026(judge: Any) -> None:
    """HJ 633-2012 table 1, note (3); HJ 633-2026 table 3, note c."""
    day = NO_VALUES | {"o3": Decimal(900)}
    old, old_without_hour, new = judge(
        [Reading(2012, day, Decimal(1100)), Reading(2012, day), Reading(2026, day, Decimal(1100))]
    )
    assert (old["iaqi_o3"], old_without_hour["iaqi_o3"], new["iaqi_o3"]) == (450, None, 300)
    assert [r["aqi_2026_basis"] for r in (old, old_without_hour, new)] == [300] * 3


def test_the_ozone_of_an_hour_does_not_count_in_the_daily_report(judge: Any) -> None:
    """5.1.2 of 2012 lists it; city reports used the 8-hour value alone: seed aqi_report_rule, o3_1h_in_daily_2012."""
    (row,) = judge([Reading(2012, NO_VALUES | {"o3": Decimal(160)}, Decimal(400))])
    assert row["iaqi_o3"] == 100


@pytest.mark.slow
def test_so2_above_800_takes_its_24_hour_index_until_2026(hours: dict[str, dict[str, Any]]) -> None:
    """HJ 633-2012 table 1, note (2); HJ 633-2026 table 3, note b."""
    assert (hours["S2012"]["iaqi_so2"], hours["S2026"]["iaqi_so2"]) == (150, 200)


@pytest.mark.slow
@pytest.mark.parametrize("edition", EDITIONS)
def test_the_hourly_report_has_no_ozone_of_8_hours(edition: int, hours: dict[str, dict[str, Any]]) -> None:
    assert hours[f"O{edition}"]["o3_8h_ug_m3"] == 900
    assert hours[f"O{edition}"]["iaqi_o3"] == 50


@pytest.mark.slow
def test_an_hour_with_a_missing_item_is_published_by_its_edition(hours: dict[str, dict[str, Any]]) -> None:
    """HJ 633-2012 table 4, note: NA for the item; HJ 633-2026 5.3.1: no AQI unless above 100."""
    cleans, fouls = (160, 200), (201, 300)
    assert [hours[f"B2012-o3-{c}"]["aqi"] for c in (*cleans, *fouls)] == [50, 100, 101, 150]
    assert [hours[f"B2026-o3-{c}"]["aqi"] for c in (*cleans, *fouls)] == [None, None, 101, 150]
    assert hours["B2026-o3-201"]["missing_items"] == "PM2.5、PM10、SO2、NO2、CO"


# HJ 633-2012 table 1 and HJ 633-2026 table 3, column SO2 24 h.
_SO2 = [(0, 0), (50, 50), (150, 100), (475, 150), (800, 200), (1600, 300), (2100, 400), (2620, 500), (3000, 500)]


@pytest.mark.parametrize("edition", EDITIONS)
def test_so2_uses_the_24_hour_breakpoints(edition: int, judge: Any) -> None:
    found = judge([one(edition, "so2", value) for value, _ in _SO2])
    assert [row["iaqi_so2"] for row in found] == [iaqi for _, iaqi in _SO2]


# One day judged by both editions: PM2.5 and PM10 have stricter limits in 2026, the rest stays.
_SAME_DAY = {"so2": "8", "no2": "31", "pm10": "96", "co": "0.9", "o3": "92", "pm25": "68"}
_EXPECTED = {
    2012: ({"so2": 8, "no2": 39, "pm10": 73, "co": 23, "o3": 46, "pm25": 92}, 92, True),
    2026: ({"so2": 8, "no2": 39, "pm10": 83, "co": 23, "o3": 46, "pm25": 108}, 108, False),
}


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_edition_of_the_day_decides_whether_it_is_good(edition: int, judge: Any) -> None:
    indices, aqi, is_good = _EXPECTED[edition]
    (day,) = judge([Reading(edition, {item: Decimal(value) for item, value in _SAME_DAY.items()})])
    assert {item: day[f"iaqi_{item}"] for item in indices} == indices
    assert (day["aqi"], day["is_good"], day["primary_pollutants"]) == (aqi, is_good, "PM2.5")
    assert day["aqi_2026_basis"] == 108, "the new limits stand beside the day's own"
    assert day["standard_code"] == f"HJ 633-{edition}"


@pytest.mark.parametrize(
    ("day", "judged_by", "iaqi"),
    [(dt.date(2026, 2, 28), "HJ 633-2012", 100), (dt.date(2026, 3, 1), "HJ 633-2026", 114)],
)
def test_the_edition_changes_on_the_first_of_march_2026(
    day: dt.date, judged_by: str, iaqi: int, judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DAY_OF, 2012, day)
    (judged,) = judge([one(2012, "pm25", 75)])
    assert (judged["standard_code"], judged["iaqi_pm25"]) == (judged_by, iaqi)


# Concentrations are rounded half to even (GB/T 8170) before the table, the index is rounded up.
@pytest.mark.parametrize(("concentration", "rounded", "iaqi"), [("35.5", 36, 52), ("60.5", 60, 100), ("61.5", 62, 102)])
def test_a_concentration_is_rounded_half_to_even_before_its_index(
    concentration: str, rounded: int, iaqi: int, judge: Any, two_nights: Settings, round_sql: str
) -> None:
    with open_warehouse(two_nights, read_only=True) as con:
        assert con.execute(round_sql, [concentration]).fetchone() == (Decimal(rounded),)
    assert judge([one(2026, "pm25", rounded)])[0]["iaqi_pm25"] == iaqi


def test_an_incomplete_day_is_judged_only_if_it_exceeds(judge: Any) -> None:
    clean = {item: None if item == "co" else Decimal(value) for item, value in _SAME_DAY.items()}
    without_co, foul = judge([Reading(2012, clean), Reading(2012, clean | {"pm25": Decimal(200)})])
    assert (without_co["aqi"], without_co["is_judged"], without_co["is_good"]) == (None, False, False)
    assert (foul["aqi"], foul["is_judged"], foul["is_good"]) == (250, True, False)


# Any day --------------------------------------------------------------------------------------------------------------


@strategies.composite
def days(draw: strategies.DrawFn) -> Reading:
    """A day of rounded values, often at a breakpoint, sometimes missing; equal indices are common."""
    edition = draw(strategies.sampled_from(EDITIONS))
    values: dict[str, Decimal | None] = {}
    for item in ITEMS:
        averaging = "8h" if item == "o3" else "24h"
        places = standard.DECIMALS.get(item, 0)
        top = breakpoints(item, averaging, edition)[-1] * 12 // 10
        anywhere = strategies.decimals(0, top, places=places)
        values[item] = draw(
            strategies.one_of(
                strategies.sampled_from(near(edition, item, averaging)), anywhere, strategies.none(), anywhere
            )
        )
    return Reading(edition, values, draw(strategies.sampled_from([None, Decimal(850), Decimal(1300)])))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.lists(days(), min_size=1, max_size=30))
def test_any_day_is_judged_as_the_text_says(judge: Any, readings: list[Reading]) -> None:
    for reading, row in zip(readings, judge(readings), strict=True):
        values = {item: None if v is None else Fraction(v) for item, v in reading.values.items()}
        hour_max = None if reading.ozone_hour_max is None else Fraction(reading.ozone_hour_max)
        expected = judge_day(values, reading.edition, hour_max)
        assert (row["aqi"], row["primary_pollutants"], row["missing_items"]) == (
            expected.aqi,
            expected.primary,
            expected.missing,
        )
        assert (row["category_level"], row["category_zh"], row["category_colour"]) == (
            expected.level,
            expected.category,
            expected.colour,
        )
        assert (row["is_judged"], row["is_good"], row["is_heavy"]) == (
            expected.aqi is not None,
            expected.is_good,
            expected.is_heavy,
        )
        assert row["aqi_2026_basis"] == judge_day(values, 2026).aqi
