"""Random hours of forty devices over three months: what the models say is what plain Python says."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tanhuan.duck import open_warehouse
from tanhuan.settings import Settings
from tests.accounting.made_warehouse import (
    add_load,
    build_a_night,
    build_anew,
    change_night,
    create_warehouse,
    read_rows,
)
from tests.micro.independent import HOUR, ITEMS, UNITS, Network, Reading, Values, find_spikes, find_steps, fit_months

pytestmark = pytest.mark.slow

CHINA = ZoneInfo("Asia/Shanghai")
FIRST, LAST = dt.date(2026, 1, 10), dt.date(2026, 3, 12)
STATIONS = ("1512A", "1513A", "1564A")
DEVICES = {f"WZ{n:03d}": STATIONS[n % 3] for n in range(1, 41)}
MODELS = ("fct_micro_air_hour", "mart_micro_calibration", "mart_micro_event", "mart_micro_station_month")
INNER = ("int_micro__hour", "int_micro__day", "int_micro__signal")
ONE = Decimal("0.1")


def draw_network(rng: random.Random) -> Network:
    """Draw stations, and devices that follow them with a slope, noise and every fault there is a rule for."""
    starts = [
        dt.datetime.combine(FIRST + dt.timedelta(days=d), dt.time(h), CHINA)
        for d in range((LAST - FIRST).days + 1)
        for h in range(24)
    ]
    stations: dict[tuple[str, dt.datetime], Values] = {}
    for start in starts:
        city = rng.uniform(20, 120)
        for station in STATIONS:
            pm25 = Decimal(round(city * rng.uniform(0.9, 1.1) * (3 if rng.random() < 0.004 else 1)))
            stations[station, start] = {
                "pm25": pm25,
                "pm10": pm25 + rng.randint(10, 40),
                "no2": Decimal(rng.randint(10, 60)),
                "o3": Decimal(rng.randint(5, 150)),
                "co": None if rng.random() < 0.05 else Decimal(rng.randint(4, 20)) / 10,
            }
    readings = [
        reading
        for device, station in DEVICES.items()
        for start in starts
        if rng.random() > 0.01 and (device, start.month) != ("WZ007", 2)
        for reading in [draw_reading(rng, device, station, start, stations[station, start])]
    ]
    stuck = stick(rng, readings)
    # A few hours in which one device and its reference are high, and the neighbours are not.
    for at in rng.sample(range(len(stuck)), 20):
        high = stuck[at]
        stuck[at] = replace(high, values=high.values | {"pm25": Decimal(450), "pm10": Decimal(500)})
        stations[high.station, high.start] |= {"pm25": Decimal(500), "pm10": Decimal(600)}
    return Network(stuck, stations)


def draw_reading(rng: random.Random, device: str, station: str, start: dt.datetime, air: Values) -> Reading:
    slope = 0.4 + int(device[2:]) / 30 + (0.5 if start.month == 3 and device < "WZ010" else 0)
    values: Values = {}
    for item in ITEMS:
        noise = rng.uniform(0.3, 1.7) if device in ("WZ030", "WZ031") else rng.uniform(0.9, 1.1)
        factor = rng.choice((4, 0.2, -1, 30)) if rng.random() < 0.004 else 1
        value = Decimal(str(round(float(air[item] or 1) * slope * noise * factor, 2 if item == "co" else 1)))
        values[item] = None if rng.random() < 0.005 else value
    status = rng.choices(("online", "maintenance", "fault"), (0.98, 0.01, 0.01))[0]
    return Reading(device, station, start, values, status)


def stick(rng: random.Random, readings: list[Reading]) -> list[Reading]:
    """Let some sensors stick for two to seven hours, over midnight, too."""
    stuck = list(readings)
    for _ in range(150):
        at, hours, item = rng.randrange(len(stuck) - 8), rng.randint(2, 7), rng.choice(ITEMS)
        for place in range(at, at + hours):
            if stuck[place].device == stuck[at].device:
                stuck[place] = replace(stuck[place], values=stuck[place].values | {item: stuck[at].values[item]})
    return stuck


def to_rows(network: Network, days: set[dt.date] | None = None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    devices = [
        {
            "device_code": r.device, "county_code": "430302", "nearest_station_code": r.station,
            "hour_end": r.start + HOUR,
            **{f"{item}_{UNITS[item]}": r.values[item] for item in ITEMS},
            "device_status": r.status, "business_date": r.start.date(),
        }
        for r in network.readings if days is None or r.start.date() in days
    ]  # fmt: skip
    stations = [
        {
            "station_code": station, "hour_end": start + HOUR, "data_status": "final", "business_date": start.date(),
            **{f"{item}_{UNITS[item]}": air[item] for item in ITEMS},
        }
        for (station, start), air in network.stations.items() if days is None or start.date() in days
    ]  # fmt: skip
    return devices, stations


def admit(settings: Settings, network: Network, days: set[dt.date] | None = None) -> None:
    devices, stations = to_rows(network, days)
    add_load(settings, "micro_air_hour", devices, LAST)
    add_load(settings, "air_hour", stations, LAST)


@dataclass
class Both:
    settings: Settings
    network: Network


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    settings = Settings(home=tmp_path_factory.mktemp("micro"), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    network = draw_network(random.Random(20260312))
    create_warehouse(LAST, settings)
    change_night(settings, LAST)
    admit(settings, network)
    build_anew(settings, *MODELS)
    return Both(settings, network)


def test_every_hour_has_the_flag_that_the_rules_give_it(both: Both) -> None:
    rows = {(r["device_code"], r["hour_start"]): r for r in read_rows(both.settings, "fct_micro_air_hour")}
    wrong = {
        key: (rows[key[0], key[2]][f"{key[1]}_qc"], flag)
        for key, flag in both.network.flags.items()
        if rows[key[0], key[2]][f"{key[1]}_qc"] != flag
    }
    assert not wrong
    silent = [r["pm25_qc"] for key, r in rows.items() if key not in both.network.by_place]
    assert set(silent) == {"offline"}
    assert all(r["is_indicative"] for r in rows.values())
    seen = set(Counter(both.network.flags.values()))
    assert seen == {"ok", "range", "flat", "negative", "inconsistent", "missing", "offline", "maintenance"}


def test_a_month_is_fitted_as_numpy_fits_it(both: Both) -> None:
    mine = fit_months(both.network)
    rows = read_rows(both.settings, "mart_micro_calibration")
    # A month is calibrated for every device that sent anything.
    assert {(r["device_code"], r["pollutant_id"], r["month_date"]) for r in rows} == set(mine)
    for row in rows:
        fit = mine[row["device_code"], row["pollutant_id"], row["month_date"]]
        assert row["pair_count"] == fit.pairs
        assert row["calibration_status"] == fit.status, row
        for name in ("slope", "intercept", "r", "rmse", "bias"):
            value = getattr(fit, name)
            assert (row[name] is None) == (value is None)
            assert value is None or float(row[name]) == pytest.approx(value, abs=1e-4, rel=1e-6), (name, row)
    assert {r["calibration_status"] for r in rows} == {"ok", "suspect", "insufficient"}
    assert any(r["is_drifting"] for r in rows)


def test_an_hour_is_calibrated_by_the_month_before_and_by_no_other(both: Both) -> None:
    fits = {
        (r["device_code"], r["pollutant_id"], r["month_date"]): r
        for r in read_rows(both.settings, "mart_micro_calibration")
    }
    calibrated = 0
    for row in read_rows(both.settings, "fct_micro_air_hour"):
        before = (row["business_date"].replace(day=1) - dt.timedelta(days=1)).replace(day=1)
        for item in ITEMS:
            fit = fits.get((row["device_code"], item, before))
            raw, value = row[f"{item}_raw_{UNITS[item]}"], row[f"{item}_calibrated_{UNITS[item]}"]
            if fit is None or fit["calibration_status"] != "ok" or row[f"{item}_qc"] != "ok":
                assert value is None
                continue
            places = ONE / 10 if item == "co" else ONE
            exact = (fit["intercept"] + fit["slope"] * raw).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
            assert abs(value - max(exact.quantize(places, ROUND_HALF_EVEN), Decimal(0))) <= 0, (row, fit)
            calibrated += 1
    assert calibrated > 10_000


def test_events_are_the_hours_in_a_row_that_meet_the_rules(both: Both) -> None:
    hours = {(*place, kind) for place, kind in find_spikes(both.network).items()}
    hours |= {(*place, "step") for place in find_steps(both.network)}
    hours |= {(*place, flag) for place, flag in both.network.flags.items() if flag in ("flat", "negative", "range")}
    starts: dict[tuple[str, str, str], list[list[dt.datetime]]] = {(d, i, k): [] for d, i, _, k in hours}
    for device, item, start, kind in sorted(hours, key=lambda h: h[2]):
        runs = starts[device, item, kind]
        if runs and runs[-1][-1] == start - HOUR:
            runs[-1].append(start)
        else:
            runs.append([start])
    mine = {(*key, run[0]): len(run) for key, runs in starts.items() for run in runs}
    rows = read_rows(both.settings, "mart_micro_event")
    theirs = {(r["device_code"], r["pollutant_id"], r["event_kind"], r["start_at"]): r["hours"] for r in rows}
    assert theirs == mine
    assert {r["event_kind"] for r in rows} == {"spike", "regional", "flat", "negative", "range", "step"}
    assert {r["usage_zh"] for r in rows} == {"仅供参考"}


def test_the_online_rate_is_that_of_the_hours_received(both: Both) -> None:
    online = Counter((r.device, r.start.date().replace(day=1)) for r in both.network.readings if r.status == "online")
    kept = Counter({dt.date(2026, 1, 1): 22, dt.date(2026, 2, 1): 28, dt.date(2026, 3, 1): 12})
    rows = read_rows(both.settings, "mart_micro_station_month")
    assert len(rows) == len(DEVICES) * len(kept)
    for row in rows:
        due = kept[row["month_date"]] * 24
        assert (row["due_hours"], row["online_hours"]) == (due, online[row["device_code"], row["month_date"]]), row
        assert row["meets_online_min"] == (100 * row["online_hours"] >= 85 * due)
    silent = [r for r in rows if (r["device_code"], r["month_date"].month) == ("WZ007", 2)]
    assert [(r["online_rate_pct"], r["reference_station_code"]) for r in silent] == [(0, DEVICES["WZ007"])]


def test_a_night_after_late_hours_equals_a_rebuild(both: Both) -> None:
    """Restated hours at the end of a month move the flags beside them, the calibration, and the whole month after."""
    rng = random.Random(7)
    days = {dt.date(2026, 1, 31), dt.date(2026, 2, 17)}
    restated = [
        replace(r, values={k: None if v is None else v + 3 for k, v in r.values.items()})
        if r.start.date() in days and rng.random() < 0.5
        else r
        for r in both.network.readings
    ]
    late = Network(restated, both.network.stations)
    admit(both.settings, late, days)
    build_a_night(both.settings, *MODELS)
    night = read_contents(both.settings)
    build_anew(both.settings, *MODELS)
    assert read_contents(both.settings) == night


def read_contents(settings: Settings) -> dict[str, Any]:
    names = [f"main.{name}" for name in MODELS] + [f"intermediate.{name}" for name in INNER]
    with open_warehouse(settings, read_only=True) as con:
        return {name: con.execute(f"select * from {name} order by all").fetchall() for name in names}
