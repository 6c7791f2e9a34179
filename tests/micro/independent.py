"""The rules of the micro-stations once more, in plain Python, written from the rules and not from the models."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

ITEMS = ("pm25", "pm10", "no2", "o3", "co")
UNITS = {item: "mg_m3" if item == "co" else "ug_m3" for item in ITEMS}
RANGE = {"pm25": 1000, "pm10": 2000, "no2": 500, "o3": 800, "co": 50}
STEP = {"pm25": 150, "pm10": 300, "no2": 150, "o3": 150, "co": 5}
MIN_PAIRS = 240
HOUR = dt.timedelta(hours=1)

Values = dict[str, Decimal | None]
Place = tuple[str, str, dt.datetime]


@dataclass(frozen=True)
class Reading:
    """One hour of one device as it came."""

    device: str
    station: str
    start: dt.datetime
    values: Values
    status: str = "online"


@dataclass
class Network:
    """All hours of all devices, and those of the stations by station and hour."""

    readings: list[Reading]
    stations: dict[tuple[str, dt.datetime], Values]

    def __post_init__(self) -> None:
        self.by_place = {(r.device, r.start): r for r in self.readings}
        self.flags = {(r.device, item, r.start): self._flag(r, item) for r in self.readings for item in ITEMS}

    def _value(self, device: str, item: str, start: dt.datetime) -> Decimal | None:
        reading = self.by_place.get((device, start))
        return reading.values[item] if reading and reading.status == "online" else None

    def _run(self, reading: Reading, item: str) -> int:
        """Count the hours in a row with the same value around this one."""
        value, hours = reading.values[item], 1
        for step in (HOUR, -HOUR):
            start = reading.start + step
            while self._value(reading.device, item, start) == value:
                hours, start = hours + 1, start + step
        return hours

    def _flag(self, reading: Reading, item: str) -> str:
        value = reading.values[item]
        if reading.status != "online":
            return "maintenance" if reading.status == "maintenance" else "offline"
        if value is None:
            return "missing"
        if value < 0 or value > RANGE[item]:
            return "negative" if value < 0 else "range"
        if self._run(reading, item) >= 4:
            return "flat"
        return "inconsistent" if item in ("pm25", "pm10") and _contradicts(reading.values) else "ok"

    def usable(self, item: str) -> dict[dt.datetime, dict[str, Reading]]:
        """Return the devices with a valid value, by hour."""
        found: dict[dt.datetime, dict[str, Reading]] = defaultdict(dict)
        for reading in self.readings:
            if self.flags[reading.device, item, reading.start] == "ok":
                found[reading.start][reading.device] = reading
        return found


def _contradicts(values: Values) -> bool:
    fine, coarse = values["pm25"], values["pm10"]
    return fine is not None and coarse is not None and fine > coarse * Decimal("1.1")


@dataclass(frozen=True)
class Fit:
    """What one month of a device says about it."""

    pairs: int
    slope: float | None = None
    intercept: float | None = None
    r: float | None = None
    rmse: float | None = None
    bias: float | None = None

    @property
    def status(self) -> str:
        if self.pairs < MIN_PAIRS or self.r is None or self.slope is None:
            return "insufficient"
        return "ok" if 0.5 <= self.slope <= 2 and self.r >= 0.7 else "suspect"


def fit_months(network: Network) -> dict[tuple[str, str, dt.date], Fit]:
    """Fit each device, item and month by numpy's least squares."""
    pairs: dict[tuple[str, str, dt.date], list[tuple[float, float]]] = defaultdict(list)
    for reading in network.readings:
        month = reading.start.date().replace(day=1)
        for item in ITEMS:
            found = pairs[reading.device, item, month]
            reference = network.stations.get((reading.station, reading.start), {}).get(item)
            value = reading.values[item]
            if network.flags[reading.device, item, reading.start] == "ok" and reference is not None:
                found.append((float(value or 0), float(reference)))
    return {key: _fit(np.array(found)) for key, found in pairs.items()}


def _fit(pairs: np.ndarray) -> Fit:
    if len(pairs) < 2 or np.ptp(pairs[:, 0]) == 0:
        return Fit(len(pairs))
    x, y = pairs[:, 0], pairs[:, 1]
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - (slope * x + intercept)
    r = float(np.corrcoef(x, y)[0, 1]) if np.ptp(y) else None
    return Fit(len(x), slope, intercept, r, float(np.sqrt(np.mean(residual**2))), float(np.mean(x - y)))


def find_spikes(network: Network) -> dict[Place, str]:
    """Return spike or regional for every device, item and hour that exceeds its neighbours or the network."""
    found: dict[Place, str] = {}
    for item in ITEMS:
        for start, devices in network.usable(item).items():
            for reading in devices.values():
                kind = _judge(reading, item, devices, network.stations.get((reading.station, start), {}).get(item))
                if kind:
                    found[reading.device, item, start] = kind
    return found


def _judge(reading: Reading, item: str, devices: dict[str, Reading], reference: Decimal | None) -> str | None:
    near = [r.values[item] for d, r in devices.items() if d != reading.device and r.station == reading.station]
    network = [Fraction(r.values[item] or 0) for r in devices.values()]
    value = reading.values[item]
    rules = (
        lambda v: item in ("pm25", "pm10") and len(near) >= 3 and _is_far(v, statistics.median(near)),  # type: ignore[type-var]
        lambda v: len(network) >= 30 and _is_outlier(Fraction(v), network),
    )
    met = [rule for rule in rules if rule(value)]
    if not met:
        return None
    return "regional" if reference is not None and all(rule(reference) for rule in met) else "spike"


def _is_far(value: Decimal, median: Decimal | None) -> bool:
    return median is not None and value > 2 * median and value - median > 50


def _is_outlier(value: Fraction, network: list[Fraction]) -> bool:
    mean = sum(network) / len(network)
    variance = sum((other - mean) ** 2 for other in network) / (len(network) - 1)
    return value > mean and (value - mean) ** 2 > 9 * variance


def find_steps(network: Network) -> set[Place]:
    """Return the hours whose value is far from the one just before, both plausible."""
    plausible = {place for place, flag in network.flags.items() if flag in ("ok", "flat", "inconsistent")}
    found = set()
    for device, item, start in plausible:
        before = (device, item, start - HOUR)
        if before in plausible:
            change = network.by_place[device, start].values[item] - network.by_place[device, start - HOUR].values[item]  # type: ignore[operator]
            if abs(change) > STEP[item]:
                found.add((device, item, start))
    return found
