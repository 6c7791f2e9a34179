"""Hours are the same however they are asked for, lawful in physics, and honest about where they come from."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tanhuan.contracts import load_contracts
from tanhuan.standin.platform import Platform

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST, LAST = dt.date(2026, 9, 1), dt.date(2026, 9, 30)
WINDOWS = [c.table for c in load_contracts().values() if c.mode == "window"]
#: kinds of samples, and how many points each has
SAMPLE_KINDS = {"section": 10, "drinking_source": 6, "groundwater": 5}
RECORDED_2019 = 58_511 - 7  # less the seven hours at 2019-01-01 00:00, which belong to 2018

Rows = list[dict[str, Any]]


def rows_of(platform: Platform, table: str, first: dt.date, last: dt.date) -> Rows:
    answer = platform.ask(table, first, last)
    return [dict(zip(answer.contract.names, row, strict=True)) for row in platform.rows(answer)]


def _day_of(moment: dt.date | dt.datetime, label: str) -> dt.date:
    """Return the local day of a moment; an hour that labels its end at midnight belongs to the day before."""
    if not isinstance(moment, dt.datetime):
        return moment
    return (moment.astimezone(SHANGHAI) - dt.timedelta(seconds=1 if label == "end" else 0)).date()


@pytest.fixture(scope="module")
def source_hours(platform: Platform) -> Rows:
    return rows_of(platform, "source_hour", FIRST, LAST)


@pytest.mark.parametrize("table", WINDOWS)
def test_a_day_is_the_same_alone_and_within_a_month(platform: Platform, table: str) -> None:
    contract = load_contracts()[table]
    assert contract.day
    position, label = contract.names.index(contract.day.column), contract.day.label
    month = [(_day_of(row[position], label), row) for row in platform.rows(platform.ask(table, FIRST, LAST))]
    # Samples are not taken every day, hence a day on which there are some.
    day = sorted({day for day, _ in month})[len({day for day, _ in month}) // 2]
    within = [row for its_day, row in month if its_day == day]
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


def test_the_published_index_is_that_of_the_hour_in_both_editions(platform: Platform) -> None:
    """Particles by their 1-hour values; from 2026-03-01 with an item missing only above 100 (HJ 633-2026 4.2.6)."""
    items = ("pm25", "pm10", "so2", "no2", "o3", "co")
    limits = {
        2025: {"pm25": (35, 75, 115), "pm10": (50, 150, 250)},
        2026: {"pm25": (35, 60, 115), "pm10": (50, 120, 250)},
    }
    for year, months in ((2025, (1, 7)), (2026, (2, 3, 7))):
        for month in months:
            edition = limits[2026 if (year, month) >= (2026, 3) else 2025]
            for row in rows_of(platform, "air_hour", dt.date(year, month, 20), dt.date(year, month, 24)):
                is_whole = all(row[f"{i}_{'mg' if i == 'co' else 'ug'}_m3"] is not None for i in items)
                if edition is limits[2025] or is_whole:
                    assert row["aqi"] is not None, row
                else:
                    assert row["aqi"] is None or row["aqi"] > 100, row
                least = [_index(row[f"{i}_ug_m3"], edition[i]) for i in edition if row[f"{i}_ug_m3"] is not None]
                if row["aqi"] is not None and max(least, default=0) <= 150:
                    assert row["aqi"] >= max(least, default=0), row
                if month < 4 and row["aqi"] is not None and is_whole and max(least) in range(60, 150):
                    assert row["aqi"] == max(least), "in winter particles are the highest of the six"


def _index(value: Decimal, limits: tuple[int, int, int]) -> int:
    """Return the index of an hour of particles by the first three steps of its table."""
    steps = list(pairwise((0, *limits)))
    number, (low, high) = next((n, s) for n, s in enumerate(steps) if value <= s[1] or s is steps[-1])
    return math.ceil(50 * number + 50 * (value - low) / (high - low))


def test_cheap_sensors_fail_in_every_way_each_week(platform: Platform) -> None:
    rows = rows_of(platform, "micro_air_hour", dt.date(2026, 9, 2), dt.date(2026, 9, 16))
    online = [r for r in rows if r["device_status"] == "online"]
    assert {r["device_code"] for r in online if r["no2_ug_m3"] < 0}, "a negative value"
    assert {r["pm10_ug_m3"] for r in online if r["pm10_ug_m3"] > 2000} == {9999}, "a fault code sent as a value"
    stuck = Counter((r["device_code"], r["pm25_ug_m3"]) for r in online)
    assert max(stuck.values()) >= 8, "a stuck reading"
    beside: dict[tuple[str, dt.datetime], list[Decimal]] = {}
    for row in online:
        beside.setdefault((row["nearest_station_code"], row["hour_end"]), []).append(row["pm25_ug_m3"])
    usual = {place: median(values) for place, values in beside.items()}
    ratios = [(r["pm25_ug_m3"], usual[r["nearest_station_code"], r["hour_end"]]) for r in online]
    assert any(value > 2 * middle and value > middle + 50 for value, middle in ratios), "a spike"
    sent = {(r["device_code"], _day_of(r["hour_end"], "end")) for r in rows}
    devices, days = ({place[n] for place in sent} for n in (0, 1))
    assert 0 < len(devices) * len(days) - len(sent) < 10, "a device silent for a whole day"
    assert sum(r["no2_ug_m3"] < 0 or r["pm10_ug_m3"] > 2000 for r in online) < len(online) / 1000, "rarely"


def test_an_old_particle_sensor_loses_sensitivity_until_it_is_cleaned(platform: Platform) -> None:
    share: dict[str, list[Decimal]] = {}
    for month in (1, 2, 3, 4):
        rows = rows_of(platform, "micro_air_hour", dt.date(2026, month, 10), dt.date(2026, month, 16))
        by_device: dict[str, list[Decimal]] = {}
        for row in rows:
            if row["pm25_ug_m3"] is not None:
                by_device.setdefault(row["device_code"], []).append(row["pm25_ug_m3"])
        usual = median(median(values) for values in by_device.values())
        for device, values in by_device.items():
            share.setdefault(device, []).append(median(values) / usual)
    moved = {device for device, shares in share.items() if max(shares) > Decimal("1.4") * min(shares)}
    assert 2 <= len(moved) <= 14, "a few of 138"


def test_the_future_has_no_rows(platform: Platform) -> None:
    today, tomorrow = dt.date(2026, 11, 20), dt.date(2026, 11, 21)
    now = dt.datetime(2026, 11, 20, 9, tzinfo=SHANGHAI)
    # The last hour that has ended is 08:00 to 09:00; the air labels its end, an outlet its start.
    latest = {
        "air_hour": now,
        "micro_air_hour": now,
        "source_hour": now - dt.timedelta(hours=1),
        "water_section_4h": now - dt.timedelta(hours=1),
    }
    for table in WINDOWS:
        assert platform.ask(table, tomorrow, tomorrow).total == 0, table
    for table, moment in latest.items():
        contract = load_contracts()[table]
        position = contract.names.index(contract.day.column)  # type: ignore[union-attr]
        assert max(row[position] for row in platform.rows(platform.ask(table, today, today))) == moment, table


@pytest.fixture(scope="module")
def three_days_later(platform: Platform) -> Iterator[Platform]:
    """The same city, asked three days later."""
    later = Platform(platform.seed, now=lambda: platform.now() + dt.timedelta(days=3))
    yield later
    later.close()


def test_review_changes_a_few_values_and_no_row(platform: Platform, three_days_later: Platform) -> None:
    day = dt.date(2026, 11, 19)
    before, after = (rows_of(p, "source_hour", day, day) for p in (platform, three_days_later))
    assert {row["data_status"] for row in before} == {"preliminary"}
    assert {row["data_status"] for row in after} == {"final"}
    changed = sum(old | {"data_status": "final"} != new for old, new in zip(before, after, strict=True))
    assert 0 < changed < len(before) / 100


def test_air_of_a_month_is_reviewed_by_the_tenth_of_the_next(platform: Platform) -> None:
    first, last = dt.date(2026, 10, 30), dt.date(2026, 11, 2)
    status = {
        (r["hour_end"] - dt.timedelta(hours=1)).month: r["data_status"]
        for r in rows_of(platform, "air_hour", first, last)
    }
    assert status == {10: "final", 11: "preliminary"}


def test_recorded_water_is_served_as_published(platform: Platform) -> None:
    rows = rows_of(platform, "water_section_4h", dt.date(2021, 4, 3), dt.date(2021, 4, 3))
    row = next(r for r in rows if r["section_name"] == "昭山" and r["measured_at"].astimezone(SHANGHAI).hour == 12)
    assert row["data_basis"] == "measured"
    assert (row["water_class"], row["value_form"], row["station_status"]) == ("Ⅱ", "rounded", "正常")
    assert len({r["section_name"] for r in rows if r["data_basis"] == "measured"}) > 70


def test_a_sections_day_is_recorded_or_generated_never_both(platform: Platform) -> None:
    bases: dict[tuple[str, dt.date], set[str]] = {}
    for row in rows_of(platform, "water_section_4h", dt.date(2020, 5, 1), dt.date(2021, 4, 10)):
        bases.setdefault((row["section_name"], _day_of(row["measured_at"], "start")), set()).add(row["data_basis"])
    assert {len(found) for found in bases.values()} == {1}
    recorded = {day for (section, day), found in bases.items() if section == "涟水入河口" and found == {"measured"}}
    assert recorded == {dt.date(2020, 5, 8), dt.date(2020, 5, 9), *(dt.date(2021, 4, day) for day in range(1, 6))}
    assert bases["涟水入河口", dt.date(2020, 6, 1)] == {"synthetic"}


def test_generated_water_is_classed_by_its_worst_item(platform: Platform) -> None:
    rows = rows_of(platform, "water_section_4h", FIRST, LAST)
    classes = {row["water_class"] for row in rows}
    assert {"Ⅱ", "Ⅲ", None} <= classes
    for row in rows:
        assert (row["water_class"] is None) == (row["station_status"] == "维护") == (row["codmn_mg_l"] is None)
        if row["water_class"] == "Ⅱ":
            assert row["codmn_mg_l"] <= 4, row
            assert row["nh3n_mg_l"] <= Decimal("0.5"), row
            assert row["tp_mg_l"] <= Decimal("0.1"), row


def test_samples_come_weeks_after_they_were_taken(platform: Platform, three_days_later: Platform) -> None:
    first, last = dt.date(2026, 9, 1), dt.date(2026, 11, 20)
    samples = rows_of(platform, "water_sample", first, last)
    assert max(row["reported_date"] for row in samples) <= dt.date(2026, 11, 20)
    assert {(row["reported_date"] - row["sampled_date"]).days for row in samples} <= set(range(10, 36))
    assert three_days_later.ask("water_sample", first, last).total > len(samples)
    september = [row for row in samples if row["sampled_date"].month == 9]
    points = {kind: {r["point_code"] for r in september if r["sample_kind"] == kind} for kind in SAMPLE_KINDS}
    assert {kind: len(found) for kind, found in points.items()} == SAMPLE_KINDS


def test_a_result_below_detection_has_a_limit_and_no_number(platform: Platform) -> None:
    below = [r for r in rows_of(platform, "water_sample", FIRST, LAST) if r["is_below_detection"]]
    assert {row["value"] for row in below} == {None}
    assert {row["value_text"].strip("0123456789.") for row in below} == {"<", "L"}
    assert all(Decimal(row["value_text"].strip("<L")) == row["detection_limit"] for row in below)


def test_device_states_say_what_the_flags_of_the_hours_say(platform: Platform, source_hours: Rows) -> None:
    marks = {"running": "N", "maintenance": "M", "calibration": "C", "fault": "D", "stopped": "F", "offline": "B"}
    states = rows_of(platform, "device_state", FIRST, LAST)
    gases = {
        (row["mn_code"], row["hour_start"]): row["instrument_flag"]
        for row in source_hours
        if row["factor_code"] in ("a21002", "a24088")
    }
    found = {(gases[key], row["state"]) for row in states if (key := (row["mn_code"], row["state_from_at"])) in gases}
    # One analyser over range (T) is no state of the device.
    assert {(flag, state) for flag, state in found if flag != "T"} == {(flag, state) for state, flag in marks.items()}


def test_a_state_ends_where_the_next_begins(platform: Platform) -> None:
    rows = rows_of(platform, "device_state", dt.date(2025, 12, 1), dt.date(2026, 1, 31))
    for row, following in pairwise(rows):
        if row["mn_code"] == following["mn_code"]:
            assert row["state_to_at"] == following["state_from_at"], row
            assert row["state"] != following["state"], row


def test_a_state_that_lasts_has_no_end(platform: Platform) -> None:
    rows = rows_of(platform, "device_state", dt.date(2026, 10, 1), dt.date(2026, 11, 20))
    lasting = [row for row in rows if row["state_to_at"] is None]
    assert len({row["mn_code"] for row in lasting}) == len(lasting) > 50


def test_complaints_are_closed_as_time_goes_by(platform: Platform, three_days_later: Platform) -> None:
    first, last = dt.date(2026, 8, 20), dt.date(2026, 11, 19)
    before, after = (rows_of(p, "complaint", first, last) for p in (platform, three_days_later))
    assert [row["complaint_no"] for row in before] == [row["complaint_no"] for row in after]
    assert {row["status"] for row in before} == {"待办", "办理中", "已办结"}
    closed = [sum(row["closed_date"] is not None for row in rows) for rows in (before, after)]
    assert closed[0] < closed[1] < len(after)


def test_a_months_report_is_within_a_tenth_of_what_the_outlets_emitted(platform: Platform, source_hours: Rows) -> None:
    emitted: Counter[tuple[str, str]] = Counter()
    hours: Counter[tuple[str, str]] = Counter()
    known: Counter[tuple[str, str]] = Counter()
    for row in source_hours:
        key = (row["permit_no"], row["factor_code"])
        is_known = row["total_value"] is not None or row["process_flag"] == "F"
        hours[key] += 1
        known[key] += is_known
        emitted[key] += row["total_value"] or 0
    reports = [r for r in rows_of(platform, "execution_report", LAST, LAST) if r["period"] == "2026-09"]
    assert len(reports) == 8
    for report in reports:
        key = (report["permit_no"], report["factor_code"])
        tonnes = emitted[key] / 1000 * hours[key] / known[key]
        assert abs(report["actual_t"] - tonnes) <= tonnes / 10, report


def test_each_year_one_figure_is_in_kg_and_some_quarters_come_twice(platform: Platform) -> None:
    reports = rows_of(platform, "execution_report", LAST, LAST)
    quarters = [r for r in reports if r["period_type"] == "季报" and r["factor_code"] == "w21003"]
    usual = {
        p: median(r["actual_t"] for r in quarters if r["permit_no"] == p) for p in {r["permit_no"] for r in quarters}
    }
    slips = Counter(r["period"][:4] for r in quarters if r["actual_t"] > 100 * usual[r["permit_no"]])
    assert slips.keys() >= {str(year) for year in range(2021, 2026)}
    assert set(slips.values()) == {1}
    assert {r["version"] for r in reports} == {1, 2}
    assert all(r["remark"] for r in reports if r["version"] == 2)


def test_a_restated_quarter_replaces_its_first_version(platform: Platform) -> None:
    second = next(r for r in rows_of(platform, "execution_report", LAST, LAST) if r["version"] == 2)
    before_it = dt.datetime.combine(second["submitted_date"] - dt.timedelta(days=1), dt.time(12), SHANGHAI)
    earlier = Platform(platform.seed, now=lambda: before_it)
    try:
        key = load_contracts()["execution_report"].key
        (first,) = (
            r for r in rows_of(earlier, "execution_report", LAST, LAST) if all(r[name] == second[name] for name in key)
        )
    finally:
        earlier.close()
    assert first["version"] == 1
    assert first["actual_t"] < second["actual_t"]
