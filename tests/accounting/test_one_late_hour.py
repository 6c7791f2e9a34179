"""A change to one late hour of 2023 changes exactly the figures that depend on it, in the next night.

Over 21 months of made hours: something arrives late, a night is built, and (1) what differs from before is what the
independent calculation says differs, no row more and no row less, (2) the tables equal those of a full rebuild bit for
bit.
"""

from __future__ import annotations

import copy
import datetime as dt
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tanhuan.settings import Settings
from tests.accounting.independent import Binding, Day, Reading, compute_days, to_decimal
from tests.accounting.made_hours import AIR_FACTORS, WATER_FACTORS, City, Outlet, at, iterate_hours, number_permit
from tests.accounting.made_warehouse import (
    add_bindings,
    add_checks,
    add_city,
    add_readings,
    as_admitted,
    build_a_night,
    build_anew,
    change_night,
    create_warehouse,
    read_rows,
)

pytestmark = pytest.mark.slow

TABLES = ("fct_source_day", "mart_source_emission_year")
FIRST, END = "2022-10-01", "2024-06-21"
Key = tuple[str, str, str, dt.date]
#: what both sides know of a day
Figures = tuple[Any, ...]


@dataclass
class History:
    """A built installation, the city it was built from, and what it should have come to."""

    settings: Settings
    city: City
    computed: dict[Key, Figures]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    city = make_history()
    settings = make_settings(tmp_path_factory.mktemp("history"))
    create_warehouse(city.night, settings)
    add_city(settings, city)
    build_anew(settings, *TABLES)
    return History(settings, city, compute_figures(city))


def make_settings(home: Path) -> Settings:
    return Settings(home=home, upstream_url=None, _env_file=None)  # type: ignore[call-arg]


def make_history(seed: int = 2023) -> City:
    dice = random.Random(seed)
    outlets = [
        maker(number_permit(50 + n), dice) for n, maker in enumerate((make_stack, make_edge, make_works, make_plain))
    ]
    return City(outlets, dt.date(2024, 6, 20))


def make_stack(permit_no: str, dice: random.Random) -> Outlet:
    """Faults here and there, one of two weeks over the end of a quarter, failed checks."""
    outlet = Outlet(permit_no, "DA001", "air", "430304").bind("2020-01-01").run(FIRST, END, AIR_FACTORS[:1], dice)
    scatter_faults(outlet, dice, 40)
    outlet.lose("2023-03-25 04:00", "2023-04-08 09:00").stretch("2023-08-04 00:00", "2023-08-04 01:00", "a21002", "3")
    outlet.check("calibration", "2023-05-02 09:00", True).check("calibration", "2023-05-20 09:00", False)
    return outlet.check("calibration", "2023-05-21 15:00", True).check("calibration", "2023-11-02 09:30", True)


def make_edge(permit_no: str, dice: random.Random) -> Outlet:
    """One hour short of 75 % in the third quarter of 2023, and a month that never came."""
    outlet = Outlet(permit_no, "DA001", "air", "430321").bind("2022-01-01").run(FIRST, END, AIR_FACTORS[:1], dice)
    for hour in (*iterate_hours("2023-07-10", "2023-08-02"), at("2023-09-05 07:00")):
        for factor in ("a21002", "a00000"):
            outlet.readings.pop((factor, hour))
    return outlet.lose("2023-11-01", "2023-12-01")


def make_works(permit_no: str, dice: random.Random) -> Outlet:
    outlet = Outlet(permit_no, "DW001", "water", "430302").bind("2020-01-01").run(FIRST, END, WATER_FACTORS[:1], dice)
    scatter_faults(outlet, dice, 60)
    outlet.check("comparison", "2023-02-10 10:00", True).check("comparison", "2023-09-10 10:00", True)
    outlet.spoil("2023-04-11 00:00", "2023-04-11 07:00", "D").sample("2023-06-07 10:00", "321.5", 4)
    return (
        outlet.spoil("2023-06-07", "2023-06-08", "D")
        .spoil("2023-08-20", "2023-08-23", "D")
        .lose("2024-01-05", "2024-01-07")
    )


def make_plain(permit_no: str, dice: random.Random) -> Outlet:
    """Nothing ever happens to it; whatever happens to the others must not touch it."""
    return Outlet(permit_no, "DA001", "air", "430382").bind("2020-01-01").run("2023-01-01", END, AIR_FACTORS[:1], dice)


def scatter_faults(outlet: Outlet, dice: random.Random, count: int) -> None:
    hours = sorted({hour for _, hour in outlet.readings})
    for _ in range(count):
        start = dice.choice(hours[100:])
        end = start + dt.timedelta(hours=dice.choice((1, 2, 5, 20, 24, 25, 40)))
        flag = dice.choice(("M", "D", "C"))
        first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (start, end))
        if dice.random() < 0.2:
            outlet.mark(first, last, "F")
        elif dice.random() < 0.3:
            outlet.lose(first, last)
        else:
            outlet.spoil(first, last, flag)


# --- what arrives ---------------------------------------------------------------------------------------------------


def restate(city: City, *readings: Reading) -> list[Reading]:
    city.restated += readings
    return list(readings)


def send(city: City, outlet: int, hour: str, average: str, flag: str | None = "N", flow: str = "50") -> list[Reading]:
    """One hour of one outlet, whether it came before or not."""
    one = city.outlets[outlet]
    value = Reading(one.permit_no, one.outlet_code, one.main_factor, at(hour), Decimal(average), None, flag)
    return restate(city, value, Reading(one.permit_no, one.outlet_code, one.flow, at(hour), Decimal(flow)))


Arrival = Callable[[City], list[Reading]]


def arrive_in_a_long_fault(city: City) -> list[Reading]:
    """In the quarter before the one in which most of the fault lies."""
    return send(city, 0, "2023-03-27 05:00", "900")


def arrive_at_75_percent(city: City) -> list[Reading]:
    return send(city, 1, "2023-09-05 07:00", "120")


def lose_a_peak(city: City) -> list[Reading]:
    return send(city, 0, "2023-08-04 00:00", "700", "D")


def withdraw_a_peak(city: City) -> list[Reading]:
    """A row that comes again without its value."""
    peak = city.outlets[0].readings["a21002", at("2023-08-04 00:00")]
    return restate(city, replace(peak, average=None))


def mend_a_day_of_water(city: City) -> list[Reading]:
    """The day has 18 valid hours from now on, and later medians have one more day."""
    return send(city, 2, "2023-04-11 03:00", "250")


def send_a_lost_month(city: City) -> list[Reading]:
    dice, one = random.Random(1), city.outlets[1]
    fresh = Outlet(one.permit_no, one.outlet_code, "air").run("2023-11-01", "2023-12-01", AIR_FACTORS[:1], dice)
    return restate(city, *fresh.readings.values())


def send_a_month_before_all(city: City) -> list[Reading]:
    """The platform keeps an earlier quarter from now on, so every outlet is due from an earlier day."""
    dice, one = random.Random(2), city.outlets[2]
    fresh = Outlet(one.permit_no, one.outlet_code, "water").run("2022-08-03", "2022-09-03", WATER_FACTORS[:1], dice)
    return restate(city, *fresh.readings.values())


def send_hours_at_random(city: City) -> list[Reading]:
    dice = random.Random(7)
    hours = list(iterate_hours("2023-01-01", "2024-01-01"))
    sent = []
    for _ in range(12):
        hour = f"{dice.choice(hours):%Y-%m-%d %H:%M}"
        sent += send(city, dice.randrange(3), hour, str(dice.randint(1, 600)), dice.choice(("N", "N", "D")))
    return sent


def fail_a_check_late(city: City) -> list[Reading]:
    """A failed calibration of 2023 is recorded only now."""
    city.outlets[0].check("calibration", "2023-10-20 10:00", False)
    return []


def pass_a_comparison_late(city: City) -> list[Reading]:
    city.outlets[2].check("comparison", "2023-07-10 10:00", True)
    return []


def bind_later(city: City) -> list[Reading]:
    one = city.outlets[1]
    one.bindings[:] = [Binding(one.permit_no, one.outlet_code, dt.date(2023, 11, 20), None)]
    return []


def bind_until(city: City) -> list[Reading]:
    one = city.outlets[0]
    one.bindings[:] = [Binding(one.permit_no, one.outlet_code, dt.date(2020, 1, 1), dt.date(2023, 4, 3))]
    return []


def wait_two_nights(city: City) -> list[Reading]:
    """Nothing arrives: the hours fall due all the same."""
    city.night += dt.timedelta(days=2)
    return []


ARRIVALS: tuple[Arrival, ...] = (
    arrive_in_a_long_fault, arrive_at_75_percent, lose_a_peak, withdraw_a_peak, mend_a_day_of_water, send_a_lost_month,
    send_a_month_before_all, send_hours_at_random, fail_a_check_late, pass_a_comparison_late, bind_later, bind_until,
    wait_two_nights,
)  # fmt: skip


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_what_arrives_changes_what_depends_on_it_and_nothing_else(
    history: History, arrival: Arrival, tmp_path: Path
) -> None:
    settings, city = copy_history(history, tmp_path)
    before = {table: read_rows(settings, table) for table in TABLES}
    take_in(arrival, city, settings)
    build_a_night(settings, *TABLES)
    after = {table: read_rows(settings, table) for table in TABLES}
    build_anew(settings, *TABLES)
    for table in TABLES:
        assert find_differing(settings, table, after[table]) == [], f"{table} of a night is not that of a rebuild"

    should_change = find_changed(history.computed, compute_figures(city))
    has_changed = find_changed(published_figures(before[TABLES[0]]), published_figures(after[TABLES[0]]))
    assert should_change, "an arrival that changes nothing proves nothing"
    assert sorted(should_change - has_changed)[:20] == [], "left as they were"
    assert sorted(has_changed - should_change)[:20] == [], "changed without a cause"


def copy_history(history: History, home: Path) -> tuple[Settings, City]:
    shutil.copytree(history.settings.root, home / "home", symlinks=True)
    return make_settings(home / "home"), copy.deepcopy(history.city)


def take_in(arrival: Arrival, city: City, settings: Settings) -> None:
    """Admit what an arrival brings: hours, the next list of checks and bindings, the next night."""
    checks, bindings, night = list(city.checks), list(city.bindings), city.night
    readings = arrival(city)
    if readings:
        add_readings(settings, readings, city.night)
    if city.checks != checks:
        add_checks(settings, city.checks, city.night)
    if city.bindings != bindings:
        add_bindings(settings, city.bindings, city.night)
    if city.night != night:
        change_night(settings, city.night)


def find_differing(settings: Settings, table: str, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows that are not, value by value, in the table as it is now, and the other way round."""
    one, other = ({tuple(row.values()) for row in found} for found in (rows, read_rows(settings, table)))
    return sorted(one ^ other, key=str)[:6]


def find_changed(before: dict[Key, Figures], after: dict[Key, Figures]) -> set[Key]:
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def compute_figures(city: City) -> dict[Key, Figures]:
    return {key: figures_of(day) for key, day in compute_days(as_admitted(city)).items()}


def figures_of(day: Day) -> Figures:
    hours = tuple(day.count(state) for state in ("valid", "stopped", "invalid", "missing"))  # type: ignore[arg-type]
    parts = (to_decimal(part, 4) for part in (day.measured, day.substituted, day.manual))
    masses = (to_decimal(day.mass, 4), *(part or Decimal(0) for part in parts))
    return (*hours, *masses, to_decimal(day.capture, 2), day.substituted_hours)


def published_figures(rows: list[dict[str, Any]]) -> dict[Key, Figures]:
    return {
        (row["permit_no"], row["outlet_code"], row["pollutant_id"], row["business_date"]): (
            *(row[f"{state}_hours"] for state in ("valid", "stopped", "invalid", "missing")),
            None if row["mass_kg"] is None else round(row["mass_kg"], 4),
            *(round(row[name] or Decimal(0), 4) for name in ("measured_kg", "substituted_kg", "manual_kg")),
            row["quarter_capture_pct"],
            row["substituted_hours"],
        )
        for row in rows
    }
