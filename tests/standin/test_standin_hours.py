"""Hours are the same however they are asked for, lawful in physics, and honest about where they come from."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tanhuan.contracts import load_contracts
from tanhuan.standin.platform import Platform

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST, LAST = dt.date(2026, 9, 1), dt.date(2026, 9, 30)
WINDOWS = [c.table for c in load_contracts().values() if c.mode == "window"]
RECORDED_2019 = 58_511 - 7  # less the seven hours at 2019-01-01 00:00, which belong to 2018

Rows = list[dict[str, Any]]


def rows_of(platform: Platform, table: str, first: dt.date, last: dt.date) -> Rows:
    answer = platform.ask(table, first, last)
    return [dict(zip(answer.contract.names, row, strict=True)) for row in platform.rows(answer)]


@pytest.fixture(scope="module")
def source_hours(platform: Platform) -> Rows:
    return rows_of(platform, "source_hour", FIRST, LAST)


@pytest.mark.parametrize("table", WINDOWS)
def test_a_day_is_the_same_alone_and_within_a_month(platform: Platform, table: str) -> None:
    contract = load_contracts()[table]
    assert contract.day
    day = dt.date(2026, 9, 17)
    end = dt.timedelta(seconds=1 if contract.day.label == "end" else 0)
    column = contract.day.column
    month = platform.ask(table, FIRST, LAST)
    position = contract.names.index(column)
    within = [row for row in platform.rows(month) if (row[position].astimezone(SHANGHAI) - end).date() == day]
    assert within
    assert platform.rows(platform.ask(table, day, day)) == within


def test_another_instance_of_the_seed_generates_the_same(platform: Platform) -> None:
    day = dt.date(2026, 9, 3)
    fresh = Platform(platform.seed, now=platform.now)
    try:
        for table in WINDOWS:
            assert fresh.rows(fresh.ask(table, day, day)) == platform.rows(platform.ask(table, day, day)), table
    finally:
        fresh.close()


def test_source_hours_cover_outlets_and_factors(platform: Platform, source_hours: Rows) -> None:
    factors = {row["factor_code"] for row in source_hours}
    assert factors == {"a00000", "a19001", "a21026", "a21002", "a24088", "w00000", "w01018", "w21003"}
    outlets = {(row["permit_no"], row["outlet_code"]) for row in source_hours}
    assert len(outlets) >= 60
    bound = {(row["mn_code"], row["permit_no"], row["outlet_code"]) for row in source_hours}
    bindings = rows_of(platform, "device_binding", FIRST, LAST)
    assert bound <= {(row["mn_code"], row["permit_no"], row["outlet_code"]) for row in bindings}
    hours_due = len({(row["permit_no"], row["outlet_code"], row["factor_code"]) for row in source_hours}) * 24 * 30
    assert 0.98 * hours_due < len(source_hours) < hours_due


def test_a_replaced_logger_changes_with_its_binding(platform: Platform) -> None:
    bindings = rows_of(platform, "device_binding", FIRST, LAST)
    ended = next(r for r in bindings if r["valid_to_date"] == dt.date(2025, 12, 31))
    rows = rows_of(platform, "source_hour", dt.date(2025, 12, 31), dt.date(2026, 1, 1))
    outlet = [r for r in rows if (r["permit_no"], r["outlet_code"]) == (ended["permit_no"], ended["outlet_code"])]
    for row in outlet:
        in_2025 = row["hour_start"].astimezone(SHANGHAI).year == 2025
        assert (row["mn_code"] == ended["mn_code"]) == in_2025
    assert len({row["mn_code"] for row in outlet}) == 2


def test_no_hour_breaks_physics(source_hours: Rows) -> None:
    for row in source_hours:
        average = row["avg_value"]
        if row["instrument_flag"] == "N":
            assert average is not None, row
        if average is not None:
            assert 0 <= row["min_value"] <= average <= row["max_value"], row
            assert row["factor_code"] != "a19001" or row["max_value"] <= 21, row
            assert row["factor_code"].endswith("00000") or average <= 2000, row


def test_totals_are_concentration_times_flow(source_hours: Rows) -> None:
    flows = {
        (r["permit_no"], r["outlet_code"], r["hour_start"]): r
        for r in source_hours
        if r["factor_code"] in ("a00000", "w00000")
    }
    checked = 0
    for row in source_hours:
        if row["instrument_flag"] != "N":
            assert row["total_value"] is None, row
            continue
        water = row["factor_code"].startswith("w")
        if row["factor_code"] in ("a00000", "w00000"):
            due = row["avg_value"] * (Decimal("3.6") if water else 3600)
        elif row["factor_code"] == "a19001":
            assert row["total_value"] is None, row
            continue
        else:
            flow = flows[row["permit_no"], row["outlet_code"], row["hour_start"]]
            due = row["avg_value"] * flow["total_value"] * (Decimal("0.001") if water else Decimal("0.000001"))
        assert abs(row["total_value"] - due) <= due / 100 + Decimal("0.0001"), row
        checked += 1
    assert checked > 80_000


def test_corrected_values_follow_the_reference_oxygen(platform: Platform, source_hours: Rows) -> None:
    reference = {
        (r["permit_no"], r["outlet_code"]): r["o2_reference_pct"]
        for r in rows_of(platform, "permit_outlet", FIRST, LAST)
    }
    oxygen = {
        (r["permit_no"], r["outlet_code"], r["hour_start"]): r["avg_value"]
        for r in source_hours
        if r["factor_code"] == "a19001"
    }
    checked = 0
    for row in source_hours:
        outlet = (row["permit_no"], row["outlet_code"])
        if row["corrected_avg_value"] is None:
            continue
        due = row["avg_value"] * (21 - reference[outlet]) / (21 - oxygen[(*outlet, row["hour_start"])])
        assert abs(row["corrected_avg_value"] - due) < Decimal("0.001"), row
        checked += 1
    assert checked > 20_000
    assert any(value is None for value in reference.values())


def test_devices_send_flags_but_mostly_work(source_hours: Rows) -> None:
    flags = {row["instrument_flag"] for row in source_hours}
    assert {"N", "M", "C", "D", "B", "F"} <= flags <= {"N", "M", "C", "D", "B", "F", "T"}
    normal = sum(row["instrument_flag"] == "N" for row in source_hours)
    assert 0.88 < normal / len(source_hours) < 0.99
    stopped = [r for r in source_hours if r["process_flag"] == "F"]
    assert 0.05 < len(stopped) / len(source_hours) < 0.25
    flowing = [r for r in stopped if r["factor_code"] in ("a00000", "w00000") and r["instrument_flag"] == "N"]
    assert flowing
    assert all(row["avg_value"] == 0 and row["total_value"] == 0 for row in flowing)


def test_most_outlets_keep_their_limits_and_a_few_do_not(platform: Platform, source_hours: Rows) -> None:
    limits = {
        (r["permit_no"], r["outlet_code"], r["factor_code"]): r["limit_value"]
        for r in rows_of(platform, "permit_limit", FIRST, LAST)
        if r["averaging"] == "hour" and r["valid_to_date"] is None
    }
    exceeded: dict[tuple, int] = dict.fromkeys(limits, 0)
    for row in source_hours:
        key = (row["permit_no"], row["outlet_code"], row["factor_code"])
        if key in limits and row["instrument_flag"] == "N" and row["process_flag"] is None:
            exceeded[key] += (row["corrected_avg_value"] or row["avg_value"]) > limits[key]
    offenders = [key for key, hours in exceeded.items() if hours]
    assert 1 <= len(offenders) <= len(limits) / 5


def test_the_mass_of_a_year_fits_the_permit(platform: Platform, source_hours: Rows) -> None:
    tonnes: dict[tuple[str, str, str], Decimal] = {}
    for row in source_hours:
        if row["total_value"] is not None:
            key = (row["permit_no"], row["outlet_code"], row["factor_code"])
            tonnes[key] = tonnes.get(key, Decimal(0)) + row["total_value"] / 1000 * 365 / 30
    permitted = {
        (r["permit_no"], r["outlet_code"], r["factor_code"]): r["limit_t"]
        for r in rows_of(platform, "permit_annual_limit", FIRST, LAST)
        if r["year"] == 2026
    }
    ratios = [tonnes[key] / limit for key, limit in permitted.items()]
    assert all(Decimal("0.4") < ratio < Decimal("1.4") for ratio in ratios)
    assert sum(ratio > 1 for ratio in ratios) < len(ratios) / 6


def test_2019_is_the_recording_and_nothing_else(platform: Platform) -> None:
    rows = rows_of(platform, "air_hour", dt.date(2019, 1, 1), dt.date(2019, 12, 31))
    assert len(rows) == RECORDED_2019
    assert {row["data_basis"] for row in rows} == {"measured"}
    assert min(row["hour_end"] for row in rows) == dt.datetime(2019, 1, 1, 1, tzinfo=SHANGHAI)
    assert max(row["hour_end"] for row in rows) == dt.datetime(2019, 12, 31, 23, tzinfo=SHANGHAI)


def test_recorded_hours_equal_the_archive(platform: Platform) -> None:
    # 20190101,0 of the archive: PM2.5 45,50,41,46,41,54,40; PM10 only at 1562A (54): 24:00 of 2018-12-31.
    rows = rows_of(platform, "air_hour", dt.date(2018, 12, 31), dt.date(2018, 12, 31))
    assert {r["station_code"]: r["pm25_ug_m3"] for r in rows} == {
        "1508A": 45,
        "1511A": 50,
        "1512A": 41,
        "1513A": 46,
        "1514A": 41,
        "1562A": 54,
        "1564A": 40,
    }
    assert {r["station_code"] for r in rows if r["pm10_ug_m3"] is not None} == {"1562A"}
    # 20191231,23: CO 0.3 and CO_24h 0.8 at 1508A.
    last = rows_of(platform, "air_hour", dt.date(2019, 12, 31), dt.date(2019, 12, 31))
    row = next(
        r
        for r in last
        if r["station_code"] == "1508A" and r["hour_end"] == dt.datetime(2019, 12, 31, 23, tzinfo=SHANGHAI)
    )
    assert (row["co_mg_m3"], row["co_24h_mg_m3"]) == (Decimal("0.30"), Decimal("0.80"))


def test_gaps_of_the_recording_stay_gaps(platform: Platform) -> None:
    # The day file of 2019-04-08 is missing; only its 24:00, in the file of the 9th, exists.
    rows = rows_of(platform, "air_hour", dt.date(2019, 4, 8), dt.date(2019, 4, 8))
    assert {row["hour_end"] for row in rows} == {dt.datetime(2019, 4, 9, tzinfo=SHANGHAI)}
    assert len(rows) == 7


def test_air_outside_the_recording_is_generated_and_says_so(platform: Platform) -> None:
    for first, last in ((dt.date(2020, 1, 1), dt.date(2020, 1, 2)), (dt.date(2018, 12, 29), dt.date(2018, 12, 30))):
        rows = rows_of(platform, "air_hour", first, last)
        assert {row["data_basis"] for row in rows} == {"synthetic"}
        assert 0.95 * 7 * 48 < len(rows) <= 7 * 48


def test_generated_air_is_lawful(platform: Platform) -> None:
    rows = rows_of(platform, "air_hour", FIRST, LAST)
    for row in rows:
        particles = row["pm25_ug_m3"], row["pm10_ug_m3"]
        assert None in particles or particles[0] <= particles[1], row
        assert all(row[c] is None or row[c] >= 0 for c in row if c.endswith("_m3")), row
        assert row["o3_8h_24h_ug_m3"] is None or row["o3_8h_24h_ug_m3"] >= row["o3_8h_ug_m3"], row
    assert len(rows) > 0.97 * 7 * 24 * 30


def test_the_future_has_no_rows(platform: Platform) -> None:
    today, tomorrow = dt.date(2026, 11, 20), dt.date(2026, 11, 21)
    for table in WINDOWS:
        assert platform.ask(table, tomorrow, tomorrow).total == 0, table
        position = load_contracts()[table].names.index(load_contracts()[table].day.column)  # type: ignore[union-attr]
        last_ended = dt.timedelta(0 if table != "source_hour" else 1 / 24)
        moments = [row[position] for row in platform.rows(platform.ask(table, today, today))]
        assert max(moments) + last_ended == dt.datetime(2026, 11, 20, 9, tzinfo=SHANGHAI), table
