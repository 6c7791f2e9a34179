"""Checks of the invented city's online monitors, and manual sampling while one of them is out of order.

Belongs here: every row of the table `source_check` that there will be; which of them have been done by now is the
platform's to say (sql/source_check.sql). Does not belong here: what a failed check does to hours.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from tanhuan.standin.city import SYNTHETIC, City, Outlet, Row
from tanhuan.standin.draws import between, day_between, uniform

CHECK_YEARS = range(2025, 2027)
#: How often an outlet fails a check in a quarter.
_FAILURES_A_QUARTER = 0.05
#: The last routine check before the failed one. Without it a failed check of waste water would spoil a whole quarter.
_ROUTINE = dt.timedelta(hours=24)
_REPAIR_HOURS = (5.0, 40.0)
_MANUAL_SAMPLES = 4
_LAST_DAY_OF_QUARTER = {1: 31, 4: 30, 7: 30, 10: 31}


def list_checks(city: City) -> list[Row]:
    """Return every check from 2025 on, those of days to come as well."""
    return [
        row
        for outlet in city.outlets
        for year in CHECK_YEARS
        for month in _LAST_DAY_OF_QUARTER
        for row in _checks_of_quarter(city.seed, outlet, dt.date(year, month, 1))
        if not outlet.closed or str(row["checked_at"])[:10] <= outlet.closed.isoformat()
    ]


def _checks_of_quarter(seed: int, outlet: Outlet, first: dt.date) -> Iterator[Row]:
    """Yield a passed comparison per pollutant, and with little luck a failed check with what comes around it."""
    last = dt.date(first.year, first.month + 2, _LAST_DAY_OF_QUARTER[first.month])
    key = (seed, "check", outlet.permit_no, outlet.code, first)
    compared = _moment(day_between(first, last, *key, "day"), between(9, 17, *key, "hour"))
    for factor_code in outlet.pollutants:
        yield _row(outlet, factor_code, "comparison", compared, is_passed=True)
    if uniform(*key, "failed") < _FAILURES_A_QUARTER:
        factor_code = outlet.pollutants[int(uniform(*key, "factor") * len(outlet.pollutants))]
        # Three days are left at either end, so that what belongs together lies in one quarter.
        day = day_between(first + dt.timedelta(days=3), last - dt.timedelta(days=3), *key, "failed_day")
        yield from _failure(seed, outlet, factor_code, _moment(day, between(7, 20, *key, "failed_hour")))


def _failure(seed: int, outlet: Outlet, factor_code: str, failed: dt.datetime) -> Iterator[Row]:
    kind = "standard_check" if outlet.is_water else "calibration"
    key = (seed, "failure", outlet.permit_no, outlet.code, failed)
    repaired = failed + dt.timedelta(minutes=round(60 * between(_REPAIR_HOURS[0], _REPAIR_HOURS[1], *key)))
    yield _row(outlet, factor_code, kind, failed - _ROUTINE, is_passed=True)
    yield _row(outlet, factor_code, kind, failed, is_passed=False)
    yield _row(outlet, factor_code, kind, repaired, is_passed=True)
    if outlet.is_water:
        kilograms = outlet.tonnes_a_year(factor_code) / 365 * 1000 * between(0.85, 1.15, *key, "manual")
        sampled = _moment(failed.date(), 23)
        yield _row(outlet, factor_code, "manual", sampled, kilograms=kilograms)


def _moment(day: dt.date, hour: float) -> dt.datetime:
    return dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=int(hour * 60))


def _row(
    outlet: Outlet,
    factor_code: str,
    kind: str,
    at: dt.datetime,
    is_passed: bool | None = None,
    kilograms: float | None = None,
) -> Row:
    return {
        "permit_no": outlet.permit_no,
        "outlet_code": outlet.code,
        "factor_code": factor_code,
        "check_kind": kind,
        "checked_at": f"{at.isoformat()}+08:00",
        "is_passed": None if is_passed is None else str(is_passed).lower(),
        "sample_count": None if kilograms is None else str(_MANUAL_SAMPLES),
        "manual_kg": None if kilograms is None else f"{kilograms:.3f}",
        # One record, one document: what is added later stands in another.
        "doc_no": f"示例运维〔{at.year}〕{outlet.facts['site']}-{outlet.code}-{factor_code}-{at:%m%d%H%M}号",
        "data_basis": SYNTHETIC,
    }
