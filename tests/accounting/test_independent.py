"""The independent calculation gives the worked numbers of the standards, and keeps their edges."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.accounting.independent import (
    HOUR,
    POLLUTANTS,
    Admitted,
    Binding,
    Check,
    Day,
    Hour,
    Period,
    Periods,
    Reading,
    State,
    choose_window,
    compute_capture,
    compute_days,
    compute_median,
    compute_years,
    find_due_days,
    find_median_start,
    find_periods,
    find_runs,
    judge_hour,
    to_decimal,
)
from tests.accounting.made_hours import AIR_FACTORS, Outlet, at, iterate_hours

NOX = next(p for p in POLLUTANTS if p.pollutant_id == "nox")
NEVER = Periods([])


def measure(outlet: Outlet, night: str) -> dict[tuple[str, dt.date], Day]:
    """Compute one outlet, by pollutant and date."""
    days = compute_days(Admitted(list(outlet.readings.values()), outlet.bindings, outlet.checks, at(night).date()))
    return {(pollutant_id, date): day for (_, _, pollutant_id, date), day in days.items()}


def make_steady_air(first: str, end: str, kilograms: str = "12.0") -> Outlet:
    """An air outlet of a constant mass of NOx: 100 mg/m3 in so many tonnes of gas."""
    outlet = Outlet("P", "DA001", "air").bind("2020-01-01")
    for hour in iterate_hours(first, end):
        outlet.put("a21002", hour, Decimal(100))
        outlet.put("a00000", hour, Decimal(1), Decimal(kilograms) * 10000)
    return outlet


def make_steady_water(first: str, end: str, m3_per_hour: str, mg_l: str = "18.4") -> Outlet:
    outlet = Outlet("P", "DW001", "water").bind("2020-01-01")
    for hour in iterate_hours(first, end):
        outlet.put("w01018", hour, Decimal(mg_l))
        outlet.put("w00000", hour, Decimal(1), Decimal(m3_per_hour))
    return outlet


def test_an_hour_of_38_6_mg_in_318600_m3_is_12_298_kg() -> None:
    start = at("2026-11-15")
    readings = {
        "a21002": Reading("P", "DA001", "a21002", start, Decimal("38.6")),
        "a00000": Reading("P", "DA001", "a00000", start, Decimal("88.5"), Decimal(318600)),
    }
    hour = judge_hour(start, readings, NOX, NEVER, NEVER)
    assert to_decimal(hour.kg, 3) == Decimal("12.298")
    # 88.5 m3/s are the same 318 600 m3/h, should the logger send no total.
    readings["a00000"] = Reading("P", "DA001", "a00000", start, Decimal("88.5"))
    assert judge_hour(start, readings, NOX, NEVER, NEVER).kg == hour.kg


def test_22_hours_of_12_kg_and_2_of_maintenance_are_294_8_kg() -> None:
    outlet = make_steady_air("2024-05-01", "2024-05-21")
    outlet.put("a21002", at("2024-05-15"), Decimal(154))
    outlet.put("a00000", at("2024-05-15"), Decimal(1), Decimal(100000))
    outlet.spoil("2024-05-20 08:00", "2024-05-20 10:00", "M")
    day = measure(outlet, "2024-05-20")["nox", dt.date(2024, 5, 20)]
    assert (day.measured, day.substituted, day.mass) == (Fraction(264), Fraction("30.8"), Fraction("294.8"))
    assert day.substitutions == {"max_180"}


def test_a_quarter_of_2208_hours_with_120_stopped_and_96_invalid_has_a_capture_of_95_4() -> None:
    counts: dict[State, int] = {"stopped": 120, "invalid": 90, "missing": 6, "valid": 1992}
    states = [state for state, count in counts.items() for _ in range(count)]
    capture = compute_capture(Hour(at("2024-07-01") + number * HOUR, state) for number, state in enumerate(states))
    assert to_decimal(capture, 1) == Decimal("95.4")


def test_18_4_mg_l_in_52000_m3_are_0_957_t() -> None:
    readings = make_steady_water("2024-05-01", "2024-05-02", str(Decimal(52000) / 24)[:20])
    day = measure(readings, "2024-05-01")["cod", dt.date(2024, 5, 1)]
    assert to_decimal(day.mass, 0) == 957
    assert day.mass is not None
    assert to_decimal(day.mass / 1000, 3) == Decimal("0.957")


@pytest.mark.parametrize(
    ("capture", "run_hours", "window"),
    [
        ("90", 24, 180), ("90", 25, 720), ("89.995", 24, 2160), ("89.995", 25, 2160), ("75", 1, 2160),
        ("74.999", 1, None), ("100", 1, 180), (None, 1, None),
    ],
)  # fmt: skip
def test_tables_6_and_7_at_their_edges(capture: str | None, run_hours: int, window: int | None) -> None:
    assert choose_window(None if capture is None else Fraction(capture), run_hours) == window


def test_a_stop_and_another_case_end_a_run_and_the_new_year_does_not() -> None:
    hours = [Hour(at("2023-12-31 20:00") + number * HOUR, "invalid") for number in range(12)]
    assert [len(run) for run in find_runs(hours)] == [12]
    hours[4].state = "stopped"
    hours[8].case = hours[9].case = "out_of_control"
    assert [len(run) for run in find_runs(hours)] == [4, 3, 2, 2]


def test_a_window_reaches_no_further_back_than_its_hours() -> None:
    outlet = make_steady_air("2024-05-01", "2024-05-21")
    # 180 valid hours before 08:00 of the 20th end with 20:00 of the 12th.
    outlet.put("a21002", at("2024-05-12 20:00"), Decimal(150))
    outlet.put("a21002", at("2024-05-12 19:00"), Decimal(900))
    outlet.spoil("2024-05-20 08:00", "2024-05-20 09:00", "M")
    day = measure(outlet, "2024-05-20")["nox", dt.date(2024, 5, 20)]
    assert day.substituted == 18
    assert not day.hours[8].is_short
    outlet.lose("2024-05-01", "2024-05-14")
    day = measure(outlet, "2024-05-20")["nox", dt.date(2024, 5, 20)]
    assert day.substituted == 12
    assert day.hours[8].is_short


def test_out_of_control_hours_take_what_was_before_the_last_passed_check() -> None:
    outlet = make_steady_air("2024-05-01", "2024-05-21").check("calibration", "2024-05-10 00:00", True)
    outlet.put("a21002", at("2024-05-09 23:00"), Decimal(200))
    outlet.put("a21002", at("2024-05-10 00:00"), Decimal(500))
    outlet.check("calibration", "2024-05-20 10:20", False).check("calibration", "2024-05-20 13:10", True)
    day = measure(outlet, "2024-05-20")["nox", dt.date(2024, 5, 20)]
    # 10:00 has 20 valid minutes, 13:00 has 50.
    assert [hour.start.hour for hour in day.hours if hour.state == "invalid"] == [10, 11, 12]
    assert day.substituted == 3 * 24


def test_failed_checks_of_air_look_forward_and_those_of_water_back() -> None:
    def check(kind: str, moment: str, passed: bool) -> Check:
        return Check("P", "D", "f", kind, at(moment), passed)

    checks = [check("comparison", f"2024-05-{day:02d}", passed) for day, passed in ((1, True), (5, False), (9, True))]
    assert find_periods(checks, "air").periods == [Period(at("2024-05-05"), at("2024-05-09"), at("2024-05-01"))]
    assert find_periods(checks, "water").periods == [Period(at("2024-05-01"), at("2024-05-09"), at("2024-05-01"))]
    assert find_periods([check("calibration", "2024-05-05", False)], "water").periods == []
    (alone,) = find_periods([check("comparison", "2024-05-05", False)], "water").periods
    assert (alone.start, alone.anchor) == (at("2024-05-05"), at("2024-05-05"))


def test_a_day_of_75_percent_is_valid_and_its_mean_fills_the_volume() -> None:
    outlet = make_steady_water("2024-05-01", "2024-05-02", "100")
    outlet.put("w01018", at("2024-05-01 12:00"), Decimal("36.4"))
    outlet.spoil("2024-05-01 00:00", "2024-05-01 06:00", "D", "w01018")
    day = measure(outlet, "2024-05-01")["cod", dt.date(2024, 5, 1)]
    # 17 hours of 1.84 kg and one of 3.64: 19.4 mg/L in 2400 m3.
    assert (day.measured, day.mass) == (Fraction("34.92"), Fraction("46.56"))
    outlet.spoil("2024-05-01 06:00", "2024-05-01 07:00", "D", "w01018")
    # 17 valid hours are no valid day, and nothing stands for it: the least that is known.
    assert measure(outlet, "2024-05-01")["cod", dt.date(2024, 5, 1)].mass == Fraction("33.08")
    outlet.spoil("2024-05-01", "2024-05-02", "D", "w01018")
    assert measure(outlet, "2024-05-01")["cod", dt.date(2024, 5, 1)].mass is None


def test_hours_without_discharge_are_stopped() -> None:
    outlet = make_steady_water("2024-05-01", "2024-05-02", "100").dry("2024-05-01 00:00", "2024-05-01 20:00")
    outlet.spoil("2024-05-01 23:00", "2024-05-02 00:00", "D", "w01018")
    day = measure(outlet, "2024-05-01")["cod", dt.date(2024, 5, 1)]
    assert (day.count("stopped"), day.count("valid"), day.mass) == (20, 3, Fraction("7.36"))
    # Whether or not a concentration came: nothing was discharged.
    outlet.lose("2024-05-01 00:00", "2024-05-01 02:00", "w01018")
    assert measure(outlet, "2024-05-01")["cod", dt.date(2024, 5, 1)].count("stopped") == 20
    outlet.dry("2024-05-01 00:00", "2024-05-02 00:00")
    assert measure(outlet, "2024-05-01")["cod", dt.date(2024, 5, 1)].mass == 0


def test_an_invalid_day_has_four_samples_or_the_median_since_the_comparison() -> None:
    outlet = make_steady_water("2024-05-01", "2024-05-09", "100").check("comparison", "2024-05-04 10:00", True)
    for number in range(1, 9):
        for hour in iterate_hours(f"2024-05-{number:02d}", f"2024-05-{number + 1:02d}"):
            outlet.put("w01018", hour, Decimal(number))
    outlet.spoil("2024-05-08", "2024-05-09", "D", "w01018")
    days = measure(outlet, "2024-05-08")
    # 4, 5, 6 and 7 mg/L in 2400 m3.
    assert days["cod", dt.date(2024, 5, 8)].substituted == Fraction("13.2")
    outlet.sample("2024-05-08 10:00", "9.5", 3)
    assert measure(outlet, "2024-05-08")["cod", dt.date(2024, 5, 8)].manual is None
    outlet.checks.pop()
    outlet.sample("2024-05-08 10:00", "9.5", 4)
    assert measure(outlet, "2024-05-08")["cod", dt.date(2024, 5, 8)].mass == Fraction("9.5")


def test_a_median_looks_92_days_back_on_a_monitor_never_compared() -> None:
    date = dt.date(2024, 6, 1)
    assert find_median_start(date, []) == dt.date(2024, 3, 1)
    assert find_median_start(date, [at("2024-06-01 08:00")]) == dt.date(2024, 3, 1)
    assert compute_median({date: Fraction(1)}, dt.date(2024, 3, 1), date) is None


def test_days_are_due_from_the_binding_to_the_night_in_quarters_that_are_kept() -> None:
    binding = Binding("P", "D", dt.date(2023, 6, 1), None)
    kept = {dt.date(2023, 8, 10), dt.date(2024, 1, 5)}
    due = find_due_days([binding], {dt.date(2024, 1, 5)}, kept, dt.date(2024, 1, 9))
    assert (due[0], due[-1], len(due)) == (dt.date(2023, 8, 10), dt.date(2024, 1, 9), 52 + 9)
    late = Binding("P", "D", dt.date(2024, 1, 8), dt.date(2024, 1, 8))
    assert find_due_days([late], {dt.date(2024, 1, 5)}, kept, dt.date(2024, 1, 9)) == [
        dt.date(2024, 1, 5),
        dt.date(2024, 1, 8),
    ]
    assert find_due_days([], {dt.date(2024, 1, 5), dt.date(2024, 1, 7)}, kept, dt.date(2024, 1, 9))[1].day == 6


@pytest.mark.parametrize(
    ("flag", "mark", "state"),
    [
        ("N", None, "valid"), (None, None, "valid"), ("N", "St", "valid"), ("S", None, "invalid"),
        ("X", None, "invalid"), ("N", "Md", "invalid"), ("N", "Zz", "valid"), ("D", "F", "stopped"),
        ("N", "F", "stopped"),
    ],
)  # fmt: skip
def test_flags(flag: str | None, mark: str | None, state: str) -> None:
    start = at("2024-05-01")
    flow = Reading("P", "D", "a00000", start, Decimal(1))
    value = Reading("P", "D", "a21002", start, Decimal(1), None, flag, mark)
    assert judge_hour(start, {"a00000": flow, "a21002": value}, NOX, NEVER, NEVER).state == state


def test_a_year_of_12_05_kg_an_hour_less_480_stopped_is_99_8_t() -> None:
    outlet = make_steady_air("2023-01-01", "2024-01-01", "12.05").mark("2023-06-01", "2023-06-21", "F")
    days = measure(outlet, "2023-12-31")
    (year,) = compute_years(days.values(), outlet.bindings, dt.date(2023, 12, 31)).values()
    assert year.tonnes is not None
    assert to_decimal(year.tonnes, 1) == Decimal("99.8")
    assert (year.capture, year.stopped_hours, year.expected_hours) == (100, 480, 8760)


def test_a_year_owes_the_hours_before_the_first_that_is_kept() -> None:
    outlet = make_steady_air("2023-07-01", "2024-01-01")
    days = measure(outlet, "2023-12-31")
    (year,) = compute_years(days.values(), outlet.bindings, dt.date(2023, 12, 31)).values()
    assert (len(days), year.expected_hours, year.missing_hours) == (184, 8760, 8760 - 184 * 24)


def test_an_outlet_that_sends_two_pollutants_is_two_series() -> None:
    outlet = make_steady_air("2024-05-01", "2024-05-03")
    outlet.put(AIR_FACTORS[1], at("2024-05-02"), Decimal(1))
    assert {key[0] for key in measure(outlet, "2024-05-02")} == {"nox", "so2"}
