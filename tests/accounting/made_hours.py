"""Ugly hours, made: what loggers send when things go wrong, and the lists that belong to them. Seeded, so repeatable.

An outlet is a healthy stretch of hours that is then spoiled piece by piece (`Outlet.spoil`, `stop`, `lose`, …); what
comes out are rows as they are admitted, in one load or two.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.accounting.independent import CHINA, HOUR, Binding, Check, Reading

AIR_FACTORS, WATER_FACTORS = ("a21002", "a21026", "a24088"), ("w01018", "w21003")
FLOW = {"air": "a00000", "water": "w00000"}


def at(text: str) -> dt.datetime:
    """A moment in Shanghai from `2024-03-31` or `2024-03-31 23:10`."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=CHINA)


def iterate_hours(first: str, end: str) -> Iterator[dt.datetime]:
    """Hours from `first` to before `end`."""
    moment = at(first)
    while moment < at(end):
        yield moment
        moment += HOUR


@dataclass
class Outlet:
    """One outlet, its readings by factor and hour, and what is listed about it."""

    permit_no: str
    outlet_code: str
    medium: str
    county_code: str = "430302"
    discharge_mode: str = "direct"
    readings: dict[tuple[str, dt.datetime], Reading] = field(default_factory=dict)
    bindings: list[Binding] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    @property
    def flow(self) -> str:
        return FLOW[self.medium]

    def run(self, first: str, end: str, factors: tuple[str, ...], dice: random.Random) -> Outlet:
        """Fill a stretch of time with healthy hours; every fifth or so brings no total of the flow."""
        for hour in iterate_hours(first, end):
            for factor in factors:
                self.put(factor, hour, _roll(dice, 5, 300))
            flow = _roll(dice, 20, 90)
            volume = flow * (3600 if self.medium == "air" else Decimal("3.6"))
            # The logger's own sum is never quite its mean times the hour.
            noted = (volume * _roll(dice, 995, 1005) / 1000).quantize(Decimal("0.0001"))
            self.put(self.flow, hour, flow, None if dice.random() < 0.2 else noted)
        return self

    def put(self, factor: str, hour: dt.datetime, average: Decimal | None, total: Decimal | None = None) -> None:
        self.readings[factor, hour] = Reading(self.permit_no, self.outlet_code, factor, hour, average, total)

    def bind(self, first: str, last: str | None = None) -> Outlet:
        end = None if last is None else at(last).date()
        self.bindings.append(Binding(self.permit_no, self.outlet_code, at(first).date(), end))
        return self

    def spoil(self, first: str, end: str, flag: str | None, factor: str | None = None) -> Outlet:
        """Put a data flag on all factors, or one."""
        for key in self._between(first, end, factor):
            self.readings[key] = replace(self.readings[key], instrument_flag=flag)
        return self

    def mark(self, first: str, end: str, mark: str, factor: str | None = None) -> Outlet:
        """Put an operating mark on all factors, or one."""
        for key in self._between(first, end, factor):
            self.readings[key] = replace(self.readings[key], process_flag=mark)
        return self

    def lose(self, first: str, end: str, factor: str | None = None) -> Outlet:
        """Rows that never came."""
        for key in self._between(first, end, factor):
            del self.readings[key]
        return self

    def blank(self, first: str, end: str, factor: str | None = None) -> Outlet:
        """Rows that came without a value."""
        for key in self._between(first, end, factor):
            self.readings[key] = replace(self.readings[key], average=None, total=None)
        return self

    def dry(self, first: str, end: str) -> Outlet:
        """No flow."""
        for key in self._between(first, end, self.flow):
            self.readings[key] = replace(self.readings[key], average=Decimal(0), total=Decimal(0))
        return self

    def stretch(self, first: str, end: str, factor: str, times: str) -> Outlet:
        """Scale the means of a factor: a peak."""
        for key in self._between(first, end, factor):
            average = self.readings[key].average
            assert average is not None, f"{key} has no mean to scale"
            self.readings[key] = replace(self.readings[key], average=average * Decimal(times))
        return self

    def check(self, kind: str, moment: str, passed: bool | None, factor: str | None = None) -> Outlet:
        self.checks.append(
            Check(self.permit_no, self.outlet_code, factor or self.main_factor, kind, at(moment), passed)
        )
        return self

    def sample(self, moment: str, kilograms: str, samples: int, factor: str | None = None) -> Outlet:
        """Manual sampling of a day."""
        self.checks.append(
            Check(
                self.permit_no, self.outlet_code, factor or self.main_factor, "manual", at(moment), None,
                samples, Decimal(kilograms),
            )
        )  # fmt: skip
        return self

    @property
    def main_factor(self) -> str:
        return (AIR_FACTORS if self.medium == "air" else WATER_FACTORS)[0]

    def _between(self, first: str, end: str, factor: str | None) -> list[tuple[str, dt.datetime]]:
        start, stop = at(first), at(end)
        return [key for key in self.readings if start <= key[1] < stop and factor in (None, key[0])]


def _roll(dice: random.Random, low: int, high: int) -> Decimal:
    """A value with the four decimals that a column of the feed holds."""
    return Decimal(dice.randint(low * 10**4, high * 10**4)).scaleb(-4)


@dataclass
class City:
    """All outlets, the night, and the outlet hours that came a second time with other values."""

    outlets: list[Outlet]
    night: dt.date
    restated: list[Reading] = field(default_factory=list)

    def first_load(self) -> list[Reading]:
        return [reading for outlet in self.outlets for reading in outlet.readings.values()]

    def newest_readings(self) -> list[Reading]:
        """What is in force: a key that came again has the values of its later load."""
        newest = {_key(reading): reading for reading in self.first_load()}
        newest |= {_key(reading): reading for reading in self.restated}
        return list(newest.values())

    @property
    def bindings(self) -> list[Binding]:
        return [binding for outlet in self.outlets for binding in outlet.bindings]

    @property
    def checks(self) -> list[Check]:
        return [check for outlet in self.outlets for check in outlet.checks]


def _key(reading: Reading) -> tuple[str, str, str, dt.datetime]:
    return reading.permit_no, reading.outlet_code, reading.factor, reading.hour


# --- the city of the comparison -----------------------------------------------------------------------------------


def number_permit(number: int) -> str:
    """A permit number of the form, of nobody."""
    return f"91430300MA{number:07d}X001P"


def make_city(seed: int = 5) -> City:
    """Two winters and what lies between, 2023-10-01 to 2024-04-20, with one outlet for each way to go wrong."""
    dice = random.Random(seed)
    makers = (
        make_sinter_head, make_short_history, make_exact_captures, make_rounded_capture, make_uncalibrated_kiln,
        make_late_binding, make_closed_outlet, make_flags, make_unbound, make_sewage_works, make_batches,
        make_checked_water, make_silent_water, make_random_air, make_random_air, make_random_water, make_random_water,
    )  # fmt: skip
    outlets = [maker(number_permit(number), dice) for number, maker in enumerate(makers, start=1)]
    city = City(outlets, dt.date(2024, 4, 20))
    restate_quarter(city, dice)
    return city


def make_sinter_head(permit_no: str, dice: random.Random) -> Outlet:
    """Runs of 24 and 25 hours, runs over the ends of quarter and year, a run cut by a stop, start and stop marks."""
    outlet = Outlet(permit_no, "DA001", "air", "430304").bind("2020-01-01")
    outlet.run("2023-10-01", "2024-04-21", AIR_FACTORS[:2], dice)
    outlet.stretch("2023-11-20 05:00", "2023-11-20 06:00", "a21002", "1.9")
    outlet.spoil("2023-11-28 03:00", "2023-11-29 03:00", "M").spoil("2023-12-03 00:00", "2023-12-04 01:00", "D")
    outlet.lose("2023-12-31 18:00", "2024-01-01 07:00").spoil("2024-03-31 10:00", "2024-04-01 12:00", "C", "a21002")
    outlet.mark("2024-02-08 00:00", "2024-02-17 00:00", "F").mark("2024-02-07 20:00", "2024-02-08 00:00", "Sd")
    outlet.mark("2024-02-17 00:00", "2024-02-17 06:00", "St").mark("2024-02-18 06:00", "2024-02-18 08:00", "B")
    outlet.spoil("2024-03-02 00:00", "2024-03-03 06:00", "D").mark("2024-03-02 20:00", "2024-03-02 21:00", "F")
    outlet.lose("2024-03-10", "2024-03-12").blank("2024-03-12 00:00", "2024-03-12 03:00", "a00000")
    return outlet.dry("2024-03-20 00:00", "2024-03-20 05:00")


def make_short_history(permit_no: str, dice: random.Random) -> Outlet:
    """Bound five days before its first fault: fewer than 180 valid hours, and nothing at all before its first hour."""
    outlet = Outlet(permit_no, "DA001", "air", "430321").bind("2024-02-20")
    outlet.run("2024-02-20", "2024-04-21", AIR_FACTORS, dice)
    outlet.spoil("2024-02-20 00:00", "2024-02-20 05:00", "D", "a24088")
    outlet.spoil("2024-02-25 08:00", "2024-02-25 11:00", "M").spoil(
        "2024-03-05 01:00", "2024-03-07 00:00", "T", "a21002"
    )
    return outlet


def make_exact_captures(permit_no: str, dice: random.Random) -> Outlet:
    """NOx: exactly 90 % of the last quarter of 2023, exactly 75 % of the first of 2024; SO2 one hour less of each."""
    outlet = Outlet(permit_no, "DA001", "air", "430381").bind("2023-01-01")
    outlet.run("2023-10-01", "2024-04-21", AIR_FACTORS[:2], dice)
    # 92 days less 8 stopped hours are 2200; 91 days 2184.
    outlet.mark("2023-10-20 00:00", "2023-10-20 08:00", "F")
    for number in range(22):
        outlet.spoil(f"2023-11-{number + 2:02d} 07:00", f"2023-11-{number + 2:02d} 17:00", "D")
    outlet.spoil("2023-12-20 11:00", "2023-12-20 12:00", "D", "a21026")
    for number in range(26):
        outlet.lose(f"2024-02-{number + 1:02d} 02:00", f"2024-02-{number + 1:02d} 23:00")
    outlet.spoil("2024-03-15 11:00", "2024-03-15 12:00", "B", "a21026")
    return outlet


def make_rounded_capture(permit_no: str, dice: random.Random) -> Outlet:
    """1979 of 2199 hours are 89.995 %: it rounds to 90.00 and is less."""
    outlet = Outlet(permit_no, "DA001", "air", "430382").bind("2023-01-01")
    outlet.run("2023-10-01", "2024-04-21", AIR_FACTORS[:1], dice)
    outlet.mark("2023-10-20 00:00", "2023-10-20 09:00", "F")
    outlet.stretch("2023-10-21 04:00", "2023-10-21 05:00", "a21002", "3")
    for number in range(22):
        outlet.spoil(f"2023-12-{number + 2:02d} 07:00", f"2023-12-{number + 2:02d} 17:00", "D")
    return outlet


def make_uncalibrated_kiln(permit_no: str, dice: random.Random) -> Outlet:
    """Out of control from failed checks: over a month, in mid-hour, without an earlier pass, beside plain faults."""
    outlet = Outlet(permit_no, "DA001", "air", "430302").bind("2023-01-01")
    outlet.run("2023-10-01", "2024-04-21", AIR_FACTORS[:2], dice)
    outlet.check("calibration", "2023-10-05 09:10", False).check("calibration", "2023-10-05 15:50", True)
    outlet.check("calibration", "2023-11-10 09:00", True).check("calibration", "2023-12-01 10:20", False)
    outlet.check("comparison", "2023-12-02 08:00", False).check("calibration", "2023-12-03 16:10", True)
    # A peak between the pass and the failure: an out-of-control hour may not take it.
    outlet.stretch("2023-11-25 00:00", "2023-11-25 01:00", "a21002", "2.5")
    outlet.spoil("2023-12-01 04:00", "2023-12-01 10:00", "D", "a21002").lose("2023-12-02 00:00", "2023-12-02 06:00")
    outlet.check("comparison", "2024-01-15 10:50", False).check("comparison", "2024-01-15 20:10", True)
    outlet.check("calibration", "2024-02-10 11:00", False, "a00000")
    outlet.check("calibration", "2024-02-10 18:00", True, "a00000")
    outlet.mark("2024-02-10 14:00", "2024-02-10 15:00", "F")
    # Of a kind that does not count for air, and a failure that nothing has ended yet.
    outlet.check("standard_check", "2024-03-01 11:00", False).check("calibration", "2024-04-18 12:00", False)
    return outlet


def make_late_binding(permit_no: str, dice: random.Random) -> Outlet:
    """A logger bound in mid-quarter whose first data came before: both count."""
    outlet = Outlet(permit_no, "DA001", "air", "430321", readings={}).bind("2024-02-15")
    outlet.run("2024-02-10", "2024-02-12", AIR_FACTORS[:1], dice).run(
        "2024-02-16 06:00", "2024-04-21", AIR_FACTORS[:1], dice
    )
    return outlet.spoil("2024-03-01 00:00", "2024-03-02 12:00", "D")


def make_closed_outlet(permit_no: str, dice: random.Random) -> Outlet:
    """Closed on 10 March, its logger changed in January."""
    outlet = (
        Outlet(permit_no, "DA002", "air", "430302").bind("2023-01-01", "2024-01-10").bind("2024-01-11", "2024-03-10")
    )
    outlet.run("2023-12-01", "2024-03-10 15:00", AIR_FACTORS[1:], dice)
    return outlet.spoil("2024-03-09 20:00", "2024-03-10 15:00", "D", "a24088")


def make_flags(permit_no: str, dice: random.Random) -> Outlet:
    """Every flag there is, unknown ones, none at all; marks on the flow alone."""
    outlet = Outlet(permit_no, "DA003", "air", "430304").bind("2023-01-01")
    outlet.run("2024-01-01", "2024-04-21", AIR_FACTORS[:2], dice)
    for number, flag in enumerate(("S", "T", "M", "C", "D", "F", "B", "X", None, "n")):
        outlet.spoil(f"2024-02-{number + 1:02d} 05:00", f"2024-02-{number + 1:02d} 08:00", flag)
    for number, mark in enumerate(("F", "St", "Sd", "B", "Md", "Zz")):
        outlet.mark(f"2024-03-{number + 1:02d} 05:00", f"2024-03-{number + 1:02d} 07:00", mark, "a00000")
    outlet.lose("2024-03-20 01:00", "2024-03-20 03:00", "a00000").lose("2024-03-21 01:00", "2024-03-21 03:00", "a21002")
    # Only the flow says that the source stood still, and there is no row of NOx.
    outlet.lose("2024-03-25 01:00", "2024-03-25 03:00", "a21002").mark(
        "2024-03-25 01:00", "2024-03-25 03:00", "F", "a00000"
    )
    return outlet.blank("2024-03-22 01:00", "2024-03-22 03:00", "a21002")


def make_unbound(permit_no: str, dice: random.Random) -> Outlet:
    """No logger is listed for it: due from its first to its last day."""
    outlet = Outlet(permit_no, "DA001", "air", "430381")
    outlet.run("2024-01-20 10:00", "2024-03-15 09:00", AIR_FACTORS[:1], dice)
    return outlet.lose("2024-02-01", "2024-02-03")


def make_sewage_works(permit_no: str, dice: random.Random) -> Outlet:
    """Never still; days at exactly 75 %, days below, a whole day lost, flow lost, manual days with 3 and 4 samples."""
    outlet = Outlet(permit_no, "DW001", "water", "430302").bind("2020-01-01")
    outlet.run("2023-10-01", "2024-04-21", WATER_FACTORS, dice)
    outlet.spoil("2023-10-03 00:00", "2023-10-04 00:00", "D").check("comparison", "2023-12-10 10:00", True)
    outlet.spoil("2024-01-05 00:00", "2024-01-05 06:00", "M", "w01018")
    outlet.spoil("2024-01-06 00:00", "2024-01-06 07:00", "M", "w01018")
    outlet.spoil("2024-01-09 03:00", "2024-01-09 08:00", "D", "w00000").lose("2024-01-12", "2024-01-13")
    outlet.lose("2024-01-14 03:00", "2024-01-14 08:00", "w01018").lose("2024-01-15 03:00", "2024-01-15 08:00", "w00000")
    for day, samples in (("2024-02-01", 3), ("2024-02-02", 4), ("2024-02-04", 5)):
        outlet.sample(f"{day} 10:00", "612.345678", samples)
    outlet.spoil("2024-02-01", "2024-02-04", "D", "w01018")
    return outlet


def make_batches(permit_no: str, dice: random.Random) -> Outlet:
    """Discharges in batches: zero flow between them, days without any, an invalid zero."""
    outlet = Outlet(permit_no, "DW001", "water", "430321", "indirect").bind("2023-12-20")
    outlet.run("2023-12-20", "2024-04-21", WATER_FACTORS[:1], dice)
    for number in range(1, 31):
        outlet.dry(f"2024-01-{number:02d} 00:00", f"2024-01-{number:02d} 08:00")
        outlet.dry(f"2024-01-{number:02d} 20:00", f"2024-01-{number + 1:02d} 00:00")
    outlet.dry("2024-02-03", "2024-02-06").spoil("2024-02-04 03:00", "2024-02-04 05:00", "D", "w00000")
    outlet.spoil("2024-01-10 08:00", "2024-01-10 11:00", "D", "w01018").spoil(
        "2024-01-11 08:00", "2024-01-11 12:00", "D"
    )
    return outlet.mark("2024-03-01 00:00", "2024-03-01 12:00", "F", "w01018")


def make_checked_water(permit_no: str, dice: random.Random) -> Outlet:
    """A failed standard check takes the days since the last passed one; a failed one of the flow takes the volume."""
    outlet = Outlet(permit_no, "DW002", "water", "430381").bind("2023-01-01")
    outlet.run("2023-12-01", "2024-04-21", WATER_FACTORS, dice)
    for moment, passed in (("2024-01-05 09:20", True), ("2024-01-12 09:00", False), ("2024-01-12 16:30", True)):
        outlet.check("standard_check", moment, passed)
    outlet.check("comparison", "2024-02-01 10:00", True, "w21003").check(
        "comparison", "2024-03-01 10:00", False, "w21003"
    )
    outlet.check("comparison", "2024-03-02 10:10", True, "w21003").spoil("2024-03-08", "2024-03-09", "C", "w21003")
    outlet.check("calibration", "2024-04-01 10:00", False)
    return outlet


def make_silent_water(permit_no: str, dice: random.Random) -> Outlet:
    """Never a valid day: its days have no mass, and not one of 0."""
    outlet = Outlet(permit_no, "DW001", "water", "430382").bind("2024-03-01")
    return outlet.run("2024-03-01", "2024-03-20", WATER_FACTORS[:1], dice).spoil(
        "2024-03-01", "2024-03-20", "D", "w01018"
    )


def make_random_air(permit_no: str, dice: random.Random) -> Outlet:
    outlet = (
        Outlet(permit_no, "DA001", "air", "430381")
        .bind("2023-10-01")
        .run("2023-10-01", "2024-04-21", AIR_FACTORS[:2], dice)
    )
    return roll_faults(outlet, dice, ("calibration", "comparison"))


def make_random_water(permit_no: str, dice: random.Random) -> Outlet:
    outlet = Outlet(permit_no, "DW001", "water", "430304").bind("2023-10-01")
    outlet.run("2023-10-01", "2024-04-21", WATER_FACTORS[:1], dice)
    return roll_faults(outlet, dice, ("standard_check", "comparison"))


def roll_faults(outlet: Outlet, dice: random.Random, kinds: tuple[str, ...], count: int = 60) -> Outlet:
    """Spoil an outlet at random: any length, any fault, any factor, and checks of which every third fails."""
    hours = sorted({hour for _, hour in outlet.readings})
    factors = (outlet.main_factor, outlet.flow, None, None)
    for _ in range(count):
        start = dice.choice(hours)
        end = start + dt.timedelta(hours=dice.choice((1, 2, 3, 8, 20, 24, 25, 26, 50)))
        first, last, factor = say(start), say(end), dice.choice(factors)
        roll = dice.randrange(6)
        if roll == 0:
            outlet.mark(first, last, dice.choice(("F", "Md", "St")), factor)
        elif roll == 1:
            outlet.lose(first, last, factor)
        elif roll == 2:
            outlet.dry(first, last)
        elif roll == 3:
            outlet.blank(first, last, factor)
        else:
            outlet.spoil(first, last, dice.choice(("M", "C", "D", "T", "B")), factor)
    for _ in range(8):
        moment = dice.choice(hours) + dt.timedelta(minutes=dice.randrange(60))
        outlet.check(dice.choice(kinds), say(moment), dice.random() < 0.7)
    return outlet


def say(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def restate_quarter(city: City, dice: random.Random) -> None:
    """The enterprise reviews the closed quarter: some hours come again, scaled, mended or withdrawn."""
    outlet = city.outlets[0]
    for key, reading in outlet.readings.items():
        if at("2023-11-15") <= key[1] < at("2023-12-15") and key[0] == "a21002":
            mended = replace(reading, average=_roll(dice, 5, 400), instrument_flag="N")
            city.restated.append(replace(mended, instrument_flag="D") if dice.random() < 0.1 else mended)
