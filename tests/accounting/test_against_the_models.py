"""Outlet by outlet, day by day: what the models publish is what the independent calculation says, to the gram."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tanhuan.settings import Settings
from tests.accounting.independent import Day, Year, compute_days, compute_years, to_decimal
from tests.accounting.made_hours import City, make_city, number_permit
from tests.accounting.made_warehouse import add_city, as_admitted, build_anew, create_warehouse, read_rows

pytestmark = pytest.mark.slow

Key = tuple[str, str, str, dt.date]
#: what 24 hours rounded to the milligram can make of a day
ROUNDING_KG = Decimal("0.00005")
UNBOUND = number_permit(9)
STATES = ("valid", "stopped", "invalid", "missing")


@dataclass
class Both:
    """The same city as published and as computed here."""

    settings: Settings
    city: City
    published: dict[Key, dict[str, Any]]
    computed: dict[Key, Day]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    home = tmp_path_factory.mktemp("made-city")
    settings = Settings(home=home, upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    city = make_city()
    create_warehouse(city.night, settings)
    add_city(settings, city)
    build_anew(settings, "fct_source_day", "mart_source_emission_year")
    return Both(settings, city, read_days(settings), compute_days(as_admitted(city)))


def read_days(settings: Settings) -> dict[Key, dict[str, Any]]:
    return {
        (row["permit_no"], row["outlet_code"], row["pollutant_id"], row["business_date"]): row
        for row in read_rows(settings, "fct_source_day")
    }


def list_differences(
    published: dict[Key, dict[str, Any]], computed: dict[Key, Day], look: Callable[[dict[str, Any], Day], Any]
) -> list[str]:
    """One line for every day for which `look` names a difference."""
    found = ((key, look(row, computed[key])) for key, row in sorted(published.items()) if key in computed)
    return [f"{permit[10:17]} {outlet} {what} {date}: {note}" for (permit, outlet, what, date), note in found if note]


def compare_kilograms(row: dict[str, Any], day: Day) -> str | None:
    here = {
        "mass_kg": day.mass,
        "measured_kg": day.measured,
        "substituted_kg": day.substituted,
        "manual_kg": day.manual,
    }
    notes = []
    for name, value in here.items():
        # A part that is not there may be published as nothing or as 0; the mass may not.
        known = row[name] if name == "mass_kg" else row[name] or Decimal(0)
        mine = to_decimal(value) if name == "mass_kg" else to_decimal(value) or Decimal(0)
        if (known is None) != (mine is None) or abs((known or 0) - (mine or 0)) > ROUNDING_KG:
            notes.append(f"{name} {row[name]} here {mine}")
    return "; ".join(notes) or None


def compare_hours(row: dict[str, Any], day: Day) -> str | None:
    published = {state: row[f"{state}_hours"] for state in STATES}
    mine = {state: day.count(state) for state in STATES}  # type: ignore[arg-type]
    return None if published == mine else f"{published} here {mine}"


def compare_substitution(row: dict[str, Any], day: Day) -> str | None:
    if row["substitution"] is None and not day.substitutions:
        return None
    return None if row["substitution"] in day.substitutions else f"{row['substitution']} here {day.substitutions}"


def compare_window(row: dict[str, Any], day: Day) -> str | None:
    is_short = any(hour.is_short for hour in day.hours)
    return None if bool(row["is_short_window"]) == is_short or day.medium == "water" else f"here {is_short}"


def compare_filled_hours(row: dict[str, Any], day: Day) -> str | None:
    same = row["substituted_hours"] == day.substituted_hours
    return None if same else f"{row['substituted_hours']} here {day.substituted_hours}"


def compare_capture(row: dict[str, Any], day: Day) -> str | None:
    mine = to_decimal(day.capture, 2)
    return None if row["quarter_capture_pct"] == mine else f"{row['quarter_capture_pct']} here {mine}"


def test_the_same_days_are_due(both: Both) -> None:
    assert sorted(both.published.keys() - both.computed.keys())[:20] == []
    assert sorted(both.computed.keys() - both.published.keys())[:20] == []


@pytest.mark.parametrize(
    "look",
    [compare_hours, compare_capture, compare_substitution, compare_window, compare_filled_hours, compare_kilograms],
)
def test_every_day_is_the_same(both: Both, look: Callable[[dict[str, Any], Day], str | None]) -> None:
    found = list_differences(both.published, both.computed, look)
    assert found == [], f"{len(found)} days differ:\n" + "\n".join(found[:40])


def test_the_made_city_holds_every_case(both: Both) -> None:
    """A comparison of healthy days would prove nothing."""
    days = both.computed.values()
    assert {s for day in days for s in day.substitutions} == {"max_180", "max_720", "max_2160", "mean", "median"}
    captures = {to_decimal(day.capture, 3) for day in days}
    assert {Decimal(90), Decimal(75), Decimal("89.995")} <= captures
    assert any(0 < (day.capture or 0) < 75 for day in days)
    assert any(hour.is_short for day in days for hour in day.hours)
    assert any(hour.state == "invalid" and hour.case == "out_of_control" for day in days for hour in day.hours)
    assert {day.manual is not None for day in days} == {True, False}
    assert any(day.mass is None for day in days)
    assert any(day.operating == 0 for day in days)


def test_years_are_the_sums_of_their_days(both: Both) -> None:
    published = {
        (row["permit_no"], row["outlet_code"], row["pollutant_id"], row["year"]): row
        for row in read_rows(both.settings, "mart_source_emission_year")
    }
    computed = compute_years(both.computed.values(), both.city.bindings, both.city.night)
    assert computed.keys() == published.keys()
    notes = [f"{key}: {note}" for key, year in sorted(computed.items()) for note in compare_year(published[key], year)]
    assert notes == [], "\n".join(notes)


def compare_year(row: dict[str, Any], year: Year) -> list[str]:
    mine: dict[str, Any] = {f"{state}_hours": getattr(year, f"{state}_hours") for state in STATES}
    mine |= {"expected_hours": year.expected_hours, "capture_rate_pct": to_decimal(year.capture, 2)}
    if year.series[0] == UNBOUND:
        # What a year owes that nobody bound a logger for no text says.
        mine = {"valid_hours": year.valid_hours}
    mine |= {"mass_t": to_decimal(year.tonnes, 9), "automatic_t": to_decimal(year.tonnes, 9)}
    if year.tonnes is not None:
        parts = ("measured", "substituted", "manual")
        mine |= {f"{part}_t": to_decimal(getattr(year, part) / 1000, 9) for part in parts}
    return [f"{name} {row[name]} here {value}" for name, value in mine.items() if not is_same(row[name], value)]


def is_same(published: Any, mine: Any) -> bool:
    """Equal; masses in tonnes to a gram."""
    if isinstance(published, Decimal) and isinstance(mine, Decimal):
        return abs(published - mine) <= Decimal("0.000001")
    return bool(published == mine)


def test_counties_are_the_sums_of_their_outlets(both: Both) -> None:
    county_of = {outlet.permit_no: outlet.county_code for outlet in both.city.outlets}
    published: dict[tuple[str, str, int], Fraction] = defaultdict(Fraction)
    for row in read_rows(both.settings, "mart_source_emission_year"):
        if row["mass_t"] is not None:
            published[row["county_code"], row["pollutant_id"], row["year"]] += Fraction(row["mass_t"])
    computed: dict[tuple[str, str, int], Fraction] = defaultdict(Fraction)
    for year in compute_years(both.computed.values(), both.city.bindings, both.city.night).values():
        if year.tonnes is not None:
            computed[county_of[year.series[0]], year.series[2], year.year] += year.tonnes
    assert published.keys() == computed.keys()
    assert [key for key in computed if abs(published[key] - computed[key]) > Fraction(1, 10**5)] == []
