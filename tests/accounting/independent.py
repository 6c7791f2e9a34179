"""The emission of an outlet a second time: plain Python, from the text of the standards and not from the models.

Every number of the field stands here once more, as the standard states it: were it read from the seeds, a slip in a
seed would pass on both sides. Nothing is rounded before the figure that is published; a mean is an exact fraction.

Air: HJ 75-2017, HJ 76-2017. Water: HJ 355-2019, HJ 356-2019. Codes and flags: HJ 212-2017. Where a text leaves a
choice open, the comment at the place says which reading was taken.
"""

from __future__ import annotations

import bisect
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Literal

CHINA = dt.timezone(dt.timedelta(hours=8))
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)

State = Literal["valid", "stopped", "invalid", "missing"]
Case = Literal["out_of_control", "other"]
Series = tuple[str, str, str]  # permit, outlet, pollutant

#: HJ 75-2017: an hour is valid with 45 valid minutes
VALID_MINUTES = 45
#: HJ 75-2017, tables 6 and 7: capture in percent, hours of a run, valid hours of the window
FULL_CAPTURE, LEAST_CAPTURE, SHORT_RUN_HOURS = 90, 75, 24
SHORT_RUN, LONG_RUN, POOR_CAPTURE = 180, 720, 2160
#: HJ 356-2019: share of a day's due hours, samples of a manual day; days looked back on without a comparison: ours
VALID_DAY_PERCENT, MANUAL_SAMPLES, DAYS_WITHOUT_CHECK = 75, 4, 92
#: HJ 212-2017, table 8; HJ/T 212-2005 knew no flag and ended with 2025
VALID_FLAGS = frozenset({"N"})
FLAGLESS_UNTIL = dt.date(2025, 12, 31)
#: HJ 75-2017, HJ 76-2017: operating marks; one that no table names says nothing about the instrument
STOPPED_MARK, LOST_MARK = "F", "Md"
#: which failed checks count (HJ 75-2017; HJ 355-2019)
CHECKS = {"air": ("calibration", "comparison"), "water": ("standard_check", "comparison")}


@dataclass(frozen=True)
class Pollutant:
    """Where a pollutant and its flow stand in a packet, and what one unit is in kilograms (HJ 212-2017, annex B)."""

    pollutant_id: str
    medium: str
    factor: str
    flow_factor: str
    kg_per_unit: Fraction
    m3_per_flow: Fraction


_AIR = ("a00000", Fraction(1, 10**6), Fraction(3600))
_WATER = ("w00000", Fraction(1, 10**3), Fraction(36, 10))
POLLUTANTS = (
    Pollutant("cod", "water", "w01018", *_WATER),
    Pollutant("nh3n", "water", "w21003", *_WATER),
    Pollutant("nox", "air", "a21002", *_AIR),
    Pollutant("so2", "air", "a21026", *_AIR),
    Pollutant("vocs", "air", "a24088", *_AIR),
)


@dataclass(frozen=True)
class Reading:
    """One factor of one outlet in one hour, as the logger sent it."""

    permit_no: str
    outlet_code: str
    factor: str
    hour: dt.datetime
    average: Decimal | None
    total: Decimal | None = None
    instrument_flag: str | None = "N"
    process_flag: str | None = None


@dataclass(frozen=True)
class Binding:
    """A logger at an outlet, first and last day."""

    permit_no: str
    outlet_code: str
    first: dt.date
    last: dt.date | None


@dataclass(frozen=True)
class Check:
    """A check of a monitor, or a day of manual sampling."""

    permit_no: str
    outlet_code: str
    factor: str
    kind: str
    at: dt.datetime
    passed: bool | None
    samples: int | None = None
    manual_kg: Decimal | None = None


@dataclass
class Hour:
    """What is known of one due hour."""

    start: dt.datetime
    state: State
    kg: Fraction | None = None
    volume: Fraction | None = None
    case: Case = "other"
    anchor: dt.datetime | None = None
    fill_kg: Fraction | None = None
    substitution: str | None = None
    is_short: bool = False


@dataclass
class Day:
    """One row of `fct_source_day`, before rounding."""

    series: Series
    date: dt.date
    medium: str
    hours: list[Hour]
    capture: Fraction | None = None
    measured: Fraction | None = None
    substituted: Fraction | None = None
    manual: Fraction | None = None
    substitutions: set[str] = field(default_factory=set)
    substituted_hours: int = 0

    def count(self, *states: State) -> int:
        return sum(1 for hour in self.hours if hour.state in states)

    @property
    def operating(self) -> int:
        return len(self.hours) - self.count("stopped")

    @property
    def mass(self) -> Fraction | None:
        return total(self.measured, self.substituted, self.manual)


def total(*parts: Fraction | None) -> Fraction | None:
    """Sum of what is known; unknown if nothing is."""
    known = [part for part in parts if part is not None]
    return sum(known, Fraction(0)) if known else None


def to_decimal(value: Fraction | None, places: int = 6) -> Decimal | None:
    """Round half to even, as GB/T 8170 does."""
    if value is None:
        return None
    return Decimal(round(value * 10**places)).scaleb(-places)


# --- one hour -----------------------------------------------------------------------------------------------------


def is_sound(reading: Reading | None) -> bool:
    """Whether both marks let a reading count for mass, and there is one. An unknown data flag does not."""
    if reading is None or (reading.average is None and reading.total is None):
        return False
    if reading.instrument_flag is None and reading.hour.date() > FLAGLESS_UNTIL:
        return False
    is_instrument_well = reading.instrument_flag is None or reading.instrument_flag in VALID_FLAGS
    return is_instrument_well and reading.process_flag != LOST_MARK


def compute_volume(flow: Reading, pollutant: Pollutant) -> Fraction | None:
    """Volume of an hour: the logger's total, else mean flow times the hour."""
    if flow.total is not None:
        return Fraction(flow.total)
    return None if flow.average is None else Fraction(flow.average) * pollutant.m3_per_flow


def judge_hour(
    start: dt.datetime, readings: dict[str, Reading], pollutant: Pollutant, out: Periods, flow_out: Periods
) -> Hour:
    """State, mass and volume of one hour from the readings of its outlet, by factor.

    Missing is an hour without a reading of the pollutant. `out`: periods in which the monitor of the pollutant is not
    to be trusted; `flow_out`: in which that of the flow is not.
    """
    flow, value = readings.get(pollutant.flow_factor), readings.get(pollutant.factor)
    is_flow_known = is_sound(flow) and not flow_out.spoil(start)
    volume = compute_volume(flow, pollutant) if flow is not None and is_flow_known else None
    anchor = out.find(start)
    hour = Hour(start, "invalid", volume=volume, case="out_of_control" if anchor else "other")
    hour.anchor = anchor.anchor if anchor else None
    is_marked = any(reading.process_flag == STOPPED_MARK for reading in readings.values())
    if is_marked or (pollutant.medium == "water" and volume == 0):
        hour.state = "stopped"
    elif value is None:
        hour.state = "missing"
    elif volume is not None and is_sound(value) and value.average is not None and anchor is None:
        hour.state = "valid"
        hour.kg = Fraction(value.average) * volume * pollutant.kg_per_unit
    return hour


# --- checks -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """A time in which a monitor is not to be trusted, and the check that vouched for it last."""

    start: dt.datetime
    end: dt.datetime
    anchor: dt.datetime


class Periods:
    """The periods of one monitor."""

    def __init__(self, periods: Iterable[Period]):
        self.periods = sorted(periods, key=lambda period: period.start)

    def find(self, hour: dt.datetime) -> Period | None:
        """Return the period that leaves the hour beginning here fewer than 45 minutes."""
        inside = [p for p in self.periods if p.start < hour + HOUR and p.end > hour]
        seconds = sum((min(p.end, hour + HOUR) - max(p.start, hour)).total_seconds() for p in inside)
        return inside[0] if (3600 - seconds) / 60 < VALID_MINUTES else None

    def spoil(self, hour: dt.datetime) -> bool:
        return self.find(hour) is not None


LAST = dt.datetime(2100, 1, 1, tzinfo=CHINA)


def find_periods(checks: Sequence[Check], medium: str) -> Periods:
    """Out-of-control periods from the checks of one monitor.

    Air: from a failed check to the next passed one. Water: already from the last passed one before. Where no earlier
    one is known the failed check stands in its place: a register that begins late makes no history invalid.
    """
    ruled = sorted((c for c in checks if c.kind in CHECKS[medium] and c.passed is not None), key=lambda c: c.at)
    periods, last_pass, failed = [], None, None
    for check in ruled:
        if not check.passed:
            failed = failed or check
            continue
        if failed is not None:
            periods.append(_make_period(failed, last_pass, check.at, medium))
        last_pass, failed = check.at, None
    if failed is not None:
        periods.append(_make_period(failed, last_pass, LAST, medium))
    return Periods(periods)


def _make_period(failed: Check, last_pass: dt.datetime | None, end: dt.datetime, medium: str) -> Period:
    start = failed.at if medium == "air" else last_pass or failed.at
    return Period(start, end, last_pass or failed.at)


# --- due days -----------------------------------------------------------------------------------------------------


def quarter_of(date: dt.date) -> tuple[int, int]:
    return date.year, (date.month - 1) // 3 + 1


def find_due_days(
    bindings: Iterable[Binding], days_with_data: set[dt.date], kept_days: set[dt.date], night: dt.date
) -> list[dt.date]:
    """Days on which an outlet owes data, or sent some although it did not.

    A logger owes them from the day it is bound, not before the first day that the platform keeps of any outlet, to its
    last day or the night; a quarter of which the platform keeps nothing is owed by nobody. Without any logger: from
    the outlet's own first to its last day.
    """
    first, quarters = min(kept_days), {quarter_of(day) for day in kept_days}
    spans = [(max(b.first, first), min(b.last or night, night)) for b in bindings]
    if not spans:
        spans = [(min(days_with_data), max(days_with_data))]
    due = {day for span in spans for day in _iterate_days(*span) if quarter_of(day) in quarters}
    return sorted(due | {day for day in days_with_data if day <= night})


def _iterate_days(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    while first <= last:
        yield first
        first += DAY


# --- air: HJ 75-2017 ----------------------------------------------------------------------------------------------


def compute_capture(hours: Iterable[Hour]) -> Fraction | None:
    """(H - stopped - invalid) / (H - stopped) in percent; unknown where nothing ran."""
    counts: dict[str, int] = defaultdict(int)
    for hour in hours:
        counts[hour.state] += 1
    due = sum(counts.values()) - counts["stopped"]
    return Fraction(100 * (due - counts["invalid"] - counts["missing"]), due) if due else None


def capture_by_quarter(hours: Iterable[Hour]) -> dict[tuple[int, int], Fraction | None]:
    quarters: dict[tuple[int, int], list[Hour]] = defaultdict(list)
    for hour in hours:
        quarters[quarter_of(hour.start.date())].append(hour)
    return {quarter: compute_capture(members) for quarter, members in quarters.items()}


def find_runs(hours: Sequence[Hour]) -> list[list[Hour]]:
    """Consecutive hours that are neither valid nor stopped, of one case; quarters and years do not end a run."""
    lost = [hour for hour in hours if hour.state in ("invalid", "missing")]
    runs: list[list[Hour]] = [lost[:1]] if lost else []
    for before, hour in pairwise(lost):
        if hour.start - before.start == HOUR and hour.case == before.case:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return runs


def choose_window(capture: Fraction | None, run_hours: int) -> int | None:
    """How many valid hours stand for an invalid one; none where the quarter's data are no basis at all."""
    if capture is None or capture < LEAST_CAPTURE:
        return None
    if capture < FULL_CAPTURE:
        return POOR_CAPTURE
    return SHORT_RUN if run_hours <= SHORT_RUN_HOURS else LONG_RUN


def fill_runs(hours: Sequence[Hour]) -> None:
    """Give every invalid hour the largest of the valid hours before its anchor, where the capture allows."""
    captures = capture_by_quarter(hours)
    valid = [hour for hour in hours if hour.state == "valid"]
    starts, masses = [hour.start for hour in valid], [hour.kg or Fraction(0) for hour in valid]
    for run in find_runs(hours):
        for hour in run:
            window = choose_window(captures[quarter_of(hour.start.date())], len(run))
            # Of a calibration in the middle of an hour: that hour had begun before it.
            before = bisect.bisect_left(starts, hour.anchor or run[0].start)
            hour.is_short = window is not None and before < window
            if window is not None and before:
                hour.fill_kg, hour.substitution = max(masses[max(before - window, 0) : before]), f"max_{window}"


def sum_air_day(day: Day) -> None:
    valid = [hour.kg for hour in day.hours if hour.state == "valid"]
    filled = [hour for hour in day.hours if hour.fill_kg is not None]
    if valid or not day.operating:
        day.measured = total(Fraction(0), *valid)
    if filled:
        day.substituted = total(*(hour.fill_kg for hour in filled))
    day.substitutions = {hour.substitution for hour in filled if hour.substitution}
    day.substituted_hours = len(filled)


# --- water: HJ 356-2019 -------------------------------------------------------------------------------------------


def is_valid_water_day(day: Day) -> bool:
    """75 % of the hours with discharge. A day without any is neither valid nor invalid, as its hours are."""
    return day.operating > 0 and 100 * day.count("valid") >= VALID_DAY_PERCENT * day.operating


def sum_water_day(day: Day) -> None:
    """Flow-weighted mean of the valid hours times the volume of all hours whose flow is known."""
    if not day.operating:
        day.measured = Fraction(0)
        return
    if not is_valid_water_day(day):
        return
    valid = [hour for hour in day.hours if hour.state == "valid"]
    day.measured = total(*(hour.kg for hour in valid))
    known = [hour for hour in day.hours if hour.state == "invalid" and hour.volume]
    known += [hour for hour in day.hours if hour.state == "missing" and hour.volume]
    if known and day.measured is not None:
        volume = sum((hour.volume or 0 for hour in valid), Fraction(0))
        day.substituted = day.measured / volume * sum((hour.volume or 0 for hour in known), Fraction(0))
        day.substitutions, day.substituted_hours = {"mean"}, len(known)


def fill_water_days(days: Sequence[Day], checks: Sequence[Check]) -> None:
    """Days that are not valid: manual data of at least 4 samples, else the median of valid days."""
    manual = {c.at.astimezone(CHINA).date(): c for c in checks if c.kind == "manual"}
    passed = sorted(c.at for c in checks if c.kind == "comparison" and c.passed)
    masses = {day.date: day.mass for day in days if is_valid_water_day(day) and day.mass is not None}
    for day in days:
        if not day.operating or is_valid_water_day(day):
            continue
        record = manual.get(day.date)
        if record and record.manual_kg is not None and (record.samples or 0) >= MANUAL_SAMPLES:
            day.manual = Fraction(record.manual_kg)
            continue
        day.substituted = compute_median(masses, find_median_start(day.date, passed), day.date)
        if day.substituted is not None:
            day.substitutions, day.substituted_hours = {"median"}, day.operating
        else:
            # Nothing stands for the day: what was measured stays, as the least that was discharged.
            day.measured = total(*(hour.kg for hour in day.hours if hour.state == "valid"))


def find_median_start(date: dt.date, passed: Sequence[dt.datetime]) -> dt.date:
    """The day of the last passed comparison before this day; that day is in the window."""
    before = [at for at in passed if at < dt.datetime.combine(date, dt.time(), CHINA)]
    return before[-1].astimezone(CHINA).date() if before else date - DAYS_WITHOUT_CHECK * DAY


def compute_median(masses: dict[dt.date, Fraction], first: dt.date, end: dt.date) -> Fraction | None:
    """Median of the days from `first` to before `end`; of an even number the mean of the middle two."""
    known = sorted(mass for date, mass in masses.items() if first <= date < end)
    if not known:
        return None
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


# --- all outlets --------------------------------------------------------------------------------------------------


@dataclass
class Admitted:
    """What the platform has admitted: the newest reading of every hour, the newest lists."""

    readings: list[Reading]
    bindings: list[Binding]
    checks: list[Check]
    night: dt.date


def compute_days(admitted: Admitted) -> dict[tuple[str, str, str, dt.date], Day]:
    """Every due day of every outlet and pollutant that ever sent a reading of it."""
    outlets: dict[tuple[str, str], dict[dt.datetime, dict[str, Reading]]] = defaultdict(lambda: defaultdict(dict))
    for reading in admitted.readings:
        outlets[reading.permit_no, reading.outlet_code][reading.hour][reading.factor] = reading
    kept = {reading.hour.date() for reading in admitted.readings}
    days = {}
    for (permit_no, outlet_code), readings in outlets.items():
        mine = [b for b in admitted.bindings if (b.permit_no, b.outlet_code) == (permit_no, outlet_code)]
        due = find_due_days(mine, {hour.date() for hour in readings}, kept, admitted.night)
        checks = [c for c in admitted.checks if (c.permit_no, c.outlet_code) == (permit_no, outlet_code)]
        factors = {factor for hour in readings.values() for factor in hour}
        for pollutant in (p for p in POLLUTANTS if p.factor in factors):
            for day in _compute_series(
                (permit_no, outlet_code, pollutant.pollutant_id), due, readings, checks, pollutant
            ):
                days[*day.series, day.date] = day
    return days


def _compute_series(
    series: Series,
    due: Sequence[dt.date],
    readings: dict[dt.datetime, dict[str, Reading]],
    checks: Sequence[Check],
    pollutant: Pollutant,
) -> list[Day]:
    mine = [c for c in checks if c.factor in (pollutant.factor, pollutant.flow_factor)]
    out = find_periods(mine, pollutant.medium)
    flow_out = find_periods([c for c in mine if c.factor == pollutant.flow_factor], pollutant.medium)
    days = []
    for date in due:
        midnight = dt.datetime.combine(date, dt.time(), CHINA)
        starts = [midnight + number * HOUR for number in range(24)]
        hours = [judge_hour(start, readings.get(start, {}), pollutant, out, flow_out) for start in starts]
        days.append(Day(series, date, pollutant.medium, hours))
    captures = capture_by_quarter(hour for day in days for hour in day.hours)
    for day in days:
        day.capture = captures[quarter_of(day.date)]
    if pollutant.medium == "air":
        fill_runs([hour for day in days for hour in day.hours])
        for day in days:
            sum_air_day(day)
    else:
        for day in days:
            sum_water_day(day)
        fill_water_days(days, [c for c in mine if c.factor == pollutant.factor or c.kind != "manual"])
    return days


# --- years and regions --------------------------------------------------------------------------------------------


@dataclass
class Year:
    """One outlet, pollutant and year by automatic monitoring."""

    series: Series
    year: int
    measured: Fraction = Fraction(0)
    substituted: Fraction = Fraction(0)
    manual: Fraction = Fraction(0)
    known_days: int = 0
    valid_hours: int = 0
    stopped_hours: int = 0
    invalid_hours: int = 0
    days: set[dt.date] = field(default_factory=set)

    @property
    def tonnes(self) -> Fraction | None:
        return (self.measured + self.substituted + self.manual) / 1000 if self.known_days else None

    @property
    def expected_hours(self) -> int:
        return 24 * len(self.days)

    @property
    def missing_hours(self) -> int:
        return self.expected_hours - self.valid_hours - self.stopped_hours - self.invalid_hours

    @property
    def capture(self) -> Fraction | None:
        due = self.expected_hours - self.stopped_hours
        return Fraction(100 * self.valid_hours, due) if due else None


def compute_years(
    days: Iterable[Day], bindings: Iterable[Binding], night: dt.date
) -> dict[tuple[str, str, str, int], Year]:
    """Sum days as they are published: to the milligram.

    A year owes the hours of all its bound days, also of those before the first that the platform keeps; what is owed
    and not there is missing.
    """
    years: dict[tuple[str, str, str, int], Year] = {}
    for day in days:
        year = years.setdefault((*day.series, day.date.year), Year(day.series, day.date.year))
        for name in ("measured", "substituted", "manual"):
            setattr(year, name, getattr(year, name) + Fraction(to_decimal(getattr(day, name)) or 0))
        year.known_days += day.mass is not None
        year.days.add(day.date)
        year.valid_hours += day.count("valid")
        year.stopped_hours += day.count("stopped")
        year.invalid_hours += day.count("invalid")
    bound: dict[tuple[str, str], set[dt.date]] = defaultdict(set)
    for binding in bindings:
        bound[binding.permit_no, binding.outlet_code] |= set(
            _iterate_days(binding.first, min(binding.last or night, night))
        )
    for year in years.values():
        year.days |= {day for day in bound[year.series[:2]] if day.year == year.year}
    return years


def sum_regions(
    years: Iterable[Year], county_of: dict[str, str], direct: set[tuple[str, str]]
) -> dict[tuple[str, str, int], Fraction]:
    """Tonnes by county, pollutant and year; water that goes to a sewage works is counted there, not here."""
    tonnes: dict[tuple[str, str, int], Fraction] = defaultdict(Fraction)
    for year in years:
        permit_no, outlet_code, pollutant_id = year.series
        if (permit_no, outlet_code) in direct and year.tonnes is not None:
            tonnes[county_of[permit_no], pollutant_id, year.year] += year.tonnes
    return dict(tonnes)
