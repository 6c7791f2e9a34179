"""A few made days, each for one rule of HJ 663: what a day is, whose values count, what an event leaves out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tanhuan.duck import open_warehouse
from tanhuan.settings import Settings
from tanhuan.warehouse.build import run_dbt
from tests.air.conftest import Hours, ask, build_air, create_warehouse, put_hours
from tests.air.standard import EVALUATED, ITEMS, days_due, percentile
from tests.dbt.small_warehouse import add_snapshot

pytestmark = pytest.mark.slow

CONTROL, FOREIGN = "1564A", "1335A"
STATIONS = (*EVALUATED, CONTROL, FOREIGN)
CLEAN = {"pm25": "30", "pm10": "60", "so2": "10", "no2": "20", "o3": "80", "co": "0.8"}
#: what the control point and 长沙's station measure: nobody's mean may show it
FOUL = {"pm25": "400", "pm10": "500", "so2": "900", "no2": "600", "o3": "300", "co": "30"}
(PLAIN, DUST, SHORT, INVALID, TWENTY, COUNTY_DUST, ROUNDED, OZONE) = (dt.date(2024, 7, n) for n in range(1, 9))
NO_EVENT = dt.date(2024, 8, 1)
DAYS = (PLAIN, DUST, SHORT, INVALID, TWENTY, COUNTY_DUST, ROUNDED, OZONE, NO_EVENT)
EVENTS = [("E1", "430300", "pm10", DUST), ("E2", "430302", "pm10", COUNTY_DUST), ("E2", "430302", "pm25", COUNTY_DUST)]


def column(item: str) -> str:
    return f"{item}_{'mg_m3' if item == 'co' else 'ug_m3'}"


def make_hours() -> Hours:
    hours: Hours = {
        (station, day, label): {
            column(item): Fraction(v) for item, v in (CLEAN if station in EVALUATED else FOUL).items()
        }
        for station in STATIONS
        for day in DAYS
        for label in range(1, 25)
    }

    def put(day: dt.date, station: str, item: str, value: float | str | None, labels: Any = range(1, 25)) -> None:
        for label in labels:
            if value is None:
                del hours[station, day, label][column(item)]
            else:
                hours[station, day, label][column(item)] = Fraction(str(value))

    for station in EVALUATED:
        put(DUST, station, "pm10", 300)
        put(COUNTY_DUST, station, "pm10", 300)
        put(COUNTY_DUST, station, "pm25", 130)
        # 6.3: hours are rounded before use, half to even: 30.5 → 30, 31.5 → 32, 0.85 → 0.8
        put(ROUNDED, station, "pm25", "30.5" if station in EVALUATED[:3] else "31.5")
        put(ROUNDED, station, "pm10", 60 if station in EVALUATED[:3] else 61)
        put(ROUNDED, station, "co", "0.85")
    for day, stations, hours_short in ((SHORT, 1, 5), (INVALID, 2, 5), (TWENTY, 1, 4)):
        for station in EVALUATED[:stations]:
            put(day, station, "pm25", 130)
            put(day, station, "pm25", None, range(1, hours_short + 1))
    one, two, three, four, five, _ = EVALUATED
    for station, first, value in ((one, 7, 100), (two, 6, 100), (three, 7, 161)):
        put(OZONE, station, "o3", value)
        put(OZONE, station, "o3", None, range(1, first))
    put(OZONE, four, "o3", 50)
    put(OZONE, four, "o3", 300, range(1, 8))
    put(OZONE, five, "o3", 50)
    put(OZONE, five, "o3", 200, range(13, 18))
    put(OZONE, five, "o3", None, (10, 11, 12))
    return hours


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("air-days")
    settings = create_warehouse(folder)
    put_hours(make_hours(), settings, folder / "hours.csv", "synthetic", dt.date(2024, 12, 31))
    add_snapshot(
        settings,
        "2024-09-01-events",
        "air_exception_event",
        [
            {
                "event_id": event,
                "region_code": region,
                "pollutant_id": item,
                "event_kind": "沙尘",
                "start_date": day,
                "end_date": day,
                "approved_by": "省生态环境厅",
                "doc_no": "湘环函〔2024〕1号",
                "issued_date": dt.date(2024, 8, 20),
            }
            for event, region, item, day in EVENTS
        ],
    )
    build_air(settings)
    return settings


def city_day(settings: Settings, day: dt.date, region: str = "430300") -> dict[str, Any]:
    (row,) = ask(
        settings,
        f"from fct_air_city_day where region_code = '{region}' and basis = 'strict' and business_date = date '{day}'",
    )
    return row


def station_day(settings: Settings, day: dt.date, station: str) -> dict[str, Any]:
    (row,) = ask(settings, f"from fct_air_station_day where station_code = '{station}' and business_date = '{day}'")
    return row


# Whose values count ---------------------------------------------------------------------------------------------------


def test_the_control_point_has_days_of_its_own_but_no_part_in_the_city(warehouse: Settings) -> None:
    """A.2, note: city points only. 韶山's is the control point."""
    row = station_day(warehouse, PLAIN, CONTROL)
    assert (row["is_control_point"], row["is_evaluation"], row["pm25_ug_m3"], row["aqi"]) == (True, False, 400, 434)
    city = city_day(warehouse, PLAIN)
    assert {item: city[column(item)] for item in ITEMS} == {item: Decimal(v) for item, v in CLEAN.items()}
    assert (city["stations_expected"], city["stations_required"], city["pm25_valid_stations"]) == (6, 5, 6)
    assert ask(warehouse, "from fct_air_city_day where region_code = '430382'") == []
    assert ask(warehouse, "from mart_air_period where region_code = '430382'") == []
    (own,) = ask(
        warehouse,
        f"from mart_air_station_period where station_code = '{CONTROL}' and period_kind = 'year' and series = 'all'",
    )
    assert own["pm25_mean_ug_m3"] == 400


def test_a_station_of_another_city_has_hours_only(warehouse: Settings) -> None:
    hours = ask(warehouse, f"from fct_air_station_hour where station_code = '{FOREIGN}'")
    assert len(hours) == 24 * len(DAYS)
    assert not any(row["is_registered"] for row in hours)
    for table in ("fct_air_station_day", "mart_air_station_period"):
        assert ask(warehouse, f"from {table} where station_code = '{FOREIGN}'") == []


# What a day is --------------------------------------------------------------------------------------------------------


def test_a_station_day_needs_twenty_hours_and_the_city_five_of_six_stations(warehouse: Settings) -> None:
    """GB 3095 table 4; HJ 663-2013 6.1.4."""
    short, invalid, twenty = (city_day(warehouse, day) for day in (SHORT, INVALID, TWENTY))
    assert (short["pm25_ug_m3"], short["pm25_valid_stations"]) == (30, 5)
    assert (invalid["pm25_ug_m3"], invalid["pm25_valid_stations"], invalid["is_judged"]) == (None, 4, False)
    assert (invalid["missing_items"], invalid["is_compliant"]) == ("PM2.5", False)
    # (130 + 5 · 30) / 6 = 46.67
    assert (twenty["pm25_ug_m3"], twenty["pm25_valid_stations"]) == (47, 6)
    assert station_day(warehouse, SHORT, EVALUATED[0])["pm25_valid_hours"] == 19
    assert station_day(warehouse, TWENTY, EVALUATED[0])["pm25_ug_m3"] == 130


def test_a_county_needs_half_of_fewer_than_four_stations(warehouse: Settings) -> None:
    """430304 has four stations and needs three, two of them are short; 430302 has two, none of them short."""
    assert city_day(warehouse, INVALID, "430304")["pm25_ug_m3"] is None
    assert city_day(warehouse, INVALID, "430302")["pm25_ug_m3"] == 30


def test_an_invalid_day_is_listed_with_the_stations_that_fall_short(warehouse: Settings) -> None:
    found = ask(
        warehouse,
        f"from mart_air_invalid_day where business_date = '{INVALID}' and basis = 'strict' and region_code = '430300'",
    )
    assert {r["item_id"]: r["reason_id"] for r in found} == {"pm25": "stations_short", "judged": "item_missing"}
    (short,) = (r for r in found if r["item_id"] == "pm25")
    assert short["reason_zh"] == "有效点位 4/6，需 5：1508A 19 h（需 20）、1511A 19 h（需 20）"
    assert short["reason_en"] == "4 of 6 stations are valid, 5 are required: 1508A 19 h (20 due), 1511A 19 h (20 due)"


def test_a_day_that_never_came_is_listed_too(warehouse: Settings) -> None:
    never = ask(
        warehouse,
        "select business_date, count(*) as items from mart_air_invalid_day "
        "where basis = 'strict' and region_code = '430300' and reason_id = 'never_came' group by business_date",
    )
    year = {dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(366)}
    assert {row["business_date"] for row in never} == year - set(DAYS)
    assert {row["items"] for row in never} == {len(ITEMS) + 1}


def test_hours_are_rounded_before_use_and_the_city_once(warehouse: Settings) -> None:
    """6.3 and GB/T 8170: three stations 30, three 32 → 31; 60 and 61 → 60.5 → 60; CO 0.85 → 0.8."""
    row = city_day(warehouse, ROUNDED)
    assert (row["pm25_ug_m3"], row["pm10_ug_m3"], row["co_mg_m3"]) == (31, 60, Decimal("0.8"))


@pytest.mark.parametrize(
    ("place", "value", "valid_windows", "why"),
    [
        (0, None, 13, "from label 12 on the 8 hours hold six values: thirteen means, one too few"),
        (1, 100, 14, "fourteen means are enough"),
        (2, 161, 13, "thirteen, but above the limit of 160"),
        (3, Decimal("268.75"), 17, "the mean of label 8, not the higher one of label 7"),
        (4, 175, 11, "label 18 has six hours, label 17 only five"),
        (5, 80, 17, "a whole day"),
    ],
)
def test_ozone_is_the_highest_valid_8_hour_mean(
    place: int, value: Any, valid_windows: int, why: str, warehouse: Settings
) -> None:
    """A.1, 6.1.2, GB 3095 table 4."""
    row = station_day(warehouse, OZONE, EVALUATED[place])
    assert (row["o3_ug_m3"], row["o3_valid_windows"]) == (value, valid_windows), why


def test_ozone_of_the_city_is_the_mean_of_its_stations(warehouse: Settings) -> None:
    # (100 + 161 + 268.75 + 175 + 80) / 5 = 156.95
    row = city_day(warehouse, OZONE)
    assert (row["o3_ug_m3"], row["o3_valid_stations"]) == (157, 5)


# Exception events -----------------------------------------------------------------------------------------------------


def test_the_two_series_differ_on_the_days_and_items_of_the_events_alone(warehouse: Settings) -> None:
    found = ask(
        warehouse,
        "select whole.scope_code, whole.business_date, whole.item_id "
        "from intermediate.int_air__period_day as whole "
        "inner join intermediate.int_air__period_day as without "
        "using (scope, scope_code, basis, business_date, item_id) "
        "where whole.series = 'all' and without.series = 'events_excluded' and whole.basis = 'strict' "
        "and (whole.concentration, whole.is_compliant, whole.is_good, whole.is_heavy, whole.is_left_out) "
        "is distinct from (without.concentration, without.is_compliant, without.is_good, without.is_heavy, "
        "without.is_left_out)",
    )
    differing = {(r["scope_code"], r["business_date"], r["item_id"]) for r in found}
    in_302 = ("430302", "1512A", "1514A")
    whole_city = ("430300", "430302", "430304", *EVALUATED, CONTROL)
    expected = {(place, DUST, item) for place in whole_city for item in ("pm10", "judged")}
    expected |= {(place, COUNTY_DUST, item) for place in in_302 for item in ("pm10", "pm25", "judged")}
    assert differing == expected


def periods(settings: Settings, region: str, month: int) -> dict[str, dict[str, Any]]:
    found = ask(
        settings,
        f"from mart_air_period where region_code = '{region}' and basis = 'strict' and month = {month}",
    )
    return {row["series"]: row for row in found}


def test_an_event_gives_two_figures_and_names_its_days(warehouse: Settings) -> None:
    series = periods(warehouse, "430300", 7)
    whole, without = series["all"], series["events_excluded"]
    # PM10: 300 on the day of the event and on the county's (no event of the city), 60 on the six others
    assert (whole["pm10_mean_ug_m3"], whole["pm10_valid_days"]) == (Decimal(960) / 8, 8)
    assert without["pm10_mean_ug_m3"] == (Decimal(660) / 7).quantize(Decimal("0.0001"))
    assert without["pm10_valid_days"] == 7
    assert without["pm25_mean_ug_m3"] == whole["pm25_mean_ug_m3"]
    # The day of dust is judged by the five other items: good without PM10.
    assert (without["judged_days"], whole["judged_days"]) == (7, 7)
    assert without["good_days"] == whole["good_days"] + 1
    assert (whole["event_days"], without["event_days"]) == (0, 1)


def test_an_event_of_a_county_does_not_reach_the_city(warehouse: Settings) -> None:
    assert periods(warehouse, "430302", 7)["events_excluded"]["event_days"] == 2
    assert periods(warehouse, "430304", 7)["events_excluded"]["event_days"] == 1
    assert periods(warehouse, "430300", 7)["events_excluded"]["event_days"] == 1


def test_a_month_without_events_is_the_same_in_both_series(warehouse: Settings) -> None:
    series = periods(warehouse, "430300", 8)
    apart = {"series", "inputs_hash"}
    assert {c: v for c, v in series["all"].items() if c not in apart} == {
        c: v for c, v in series["events_excluded"].items() if c not in apart
    }


# Months and years -----------------------------------------------------------------------------------------------------

#: the worked example of a percentile: k = 1 + 9 · 0.9 = 9.1, so 140 + 0.1 · (155 − 140)
TEN = (90, 95, 100, 105, 110, 115, 120, 130, 140, 155)


@pytest.fixture(scope="module")
def years(warehouse: Settings) -> Settings:
    """2025 and 2026 by hand, after the tests of the days: what months and years make of them."""
    first = dt.date(2025, 1, 1)
    fewest = {item: days_with(item) for item in ITEMS}
    rows = [
        (day, item, Decimal(33) if item == "pm25" else value_of(item, day))
        for day in (first + dt.timedelta(days=n) for n in range(730))
        for item in ITEMS
        if day.year == 2026 or day in fewest[item]
    ]
    with open_warehouse(warehouse) as con:
        con.execute("create temp table made (business_date date, item_id varchar, concentration decimal(18, 4))")
        con.executemany("insert into made values ($1, $2, $3)", [list(row) for row in rows])
        con.execute("update raw.night set as_of = date '2026-12-31'")
        con.execute(
            "create or replace table intermediate.int_air__period_day as "
            "with one as (select * from intermediate.int_air__period_day limit 1), "
            "items as (select * from made union all select distinct business_date, 'judged', 1 from made) "
            "select one.* replace ('region' as scope, '430300' as scope_code, 'city' as region_level, "
            "'strict' as basis, 'all' as series, items.business_date as business_date, items.item_id as item_id, "
            "items.concentration as concentration, false as is_left_out, true as is_compliant, true as is_good, "
            "false as is_heavy, true as is_good_2026_basis) from items cross join one"
        )
    run_dbt(["run", "--select", "int_air__period_item", "mart_air_period", "mart_air_period_item"], warehouse)
    return warehouse


def value_of(item: str, day: dt.date) -> Decimal:
    if item == "o3" and (day.year, day.month) == (2025, 1):
        return Decimal(TEN[day.day % 10])
    return Decimal(1) if item == "co" else Decimal(40)


def days_with(item: str) -> set[dt.date]:
    """The days of 2025 that have an item."""
    days = [dt.date(2025, 1, 1) + dt.timedelta(days=n) for n in range(365)]
    least = [day for day in days if day.day <= days_due(day.month)]
    assert len(least) == 322, "twelve full months alone are not yet a year"
    beyond = [dt.date(2025, 1, 28), dt.date(2025, 1, 29)]
    return {
        "pm25": {*least, *beyond},
        "pm10": {*least, beyond[0]},
        "so2": {day for day in days if not (day.month == 6 and day.day > 26)},
        "no2": {day for day in days if not (day.month == 2 and day.day > 24)},
        "o3": {day for day in days if day.month > 1 or day.day <= 10},
        "co": {day for day in days if day.month != 12},
    }[item]


@pytest.mark.parametrize(
    ("item", "valid_days", "full_months", "is_sufficient"),
    [
        ("pm25", 324, 12, True),
        ("pm10", 323, 12, False),
        ("so2", 361, 11, False),
        ("no2", 361, 11, False),
        ("o3", 344, 11, False),
        ("co", 334, 11, False),
    ],
)
def test_a_year_needs_324_days_and_each_month_27_february_25(
    item: str, valid_days: int, full_months: int, is_sufficient: bool, years: Settings
) -> None:
    """GB 3095 table 4, HJ 663-2013 6.1.3."""
    (row,) = ask(
        years,
        f"from mart_air_period_item where year = 2025 and period_kind = 'year' and pollutant_id = '{item}'",
    )
    assert (row["valid_days"], row["full_months"], row["is_sufficient"]) == (valid_days, full_months, is_sufficient)
    assert (row["is_compliant"] is None) == (not is_sufficient), "6.1.5: no verdict without its days"
    months = ask(
        years, f"from mart_air_period_item where year = 2025 and period_kind = 'month' and pollutant_id = '{item}'"
    )
    assert sum(m["is_sufficient"] for m in months) == full_months


def test_the_percentile_is_that_of_the_worked_example(years: Settings) -> None:
    """A.6."""
    (row,) = ask(years, "from mart_air_period_item where year = 2025 and month = 1 and pollutant_id = 'o3'")
    assert row["valid_days"] == len(TEN)
    assert row["percentile"] == Decimal("141.5")
    assert row["percentile_evaluated"] == 142, "rounded half to even before it is evaluated (6.3)"
    assert percentile([Fraction(v) for v in TEN], 90) == Fraction(283, 2)


def test_the_year_2026_stands_against_both_limits(years: Settings) -> None:
    """A mean of 33 µg/m³ is within the 35 of 2012 and above the 30 of 2026; the rule says which one is the verdict."""
    (row,) = ask(
        years, "from mart_air_period_item where year = 2026 and period_kind = 'year' and pollutant_id = 'pm25'"
    )
    assert (row["limit_standard_code"], row["mean_limit"], row["percentile_limit"], row["is_compliant"]) == (
        "GB 3095-2026 transition",
        30,
        60,
        False,
    )
    assert row["mean_multiple"] == Decimal("0.10")
    assert (row["other_limit_standard_code"], row["other_mean_limit"], row["other_percentile_limit"]) == (
        "GB 3095-2012",
        35,
        75,
    )
    assert row["is_compliant_by_other_limits"] is True
    (before,) = ask(
        years, "from mart_air_period_item where year = 2025 and period_kind = 'year' and pollutant_id = 'pm25'"
    )
    assert (before["mean_limit"], before["is_compliant"]) == (35, True)
    assert (before["other_limit_standard_code"], before["is_compliant_by_other_limits"]) == (None, None)


def test_the_rule_turns_the_limits_of_a_year_of_two_editions(years: Settings) -> None:
    with open_warehouse(years) as con:
        con.execute("update rules.air_validity set value = 0 where rule_id = 'limits_at_period_end'")
    run_dbt(["run", "--select", "int_air__period_item", "mart_air_period", "mart_air_period_item"], years)
    (row,) = ask(
        years, "from mart_air_period_item where year = 2026 and period_kind = 'year' and pollutant_id = 'pm25'"
    )
    assert (row["limit_standard_code"], row["mean_limit"], row["is_compliant"]) == ("GB 3095-2012", 35, True)
    assert (row["other_mean_limit"], row["is_compliant_by_other_limits"]) == (30, False)
