"""The invented city: its register of enterprises, permits, outlets, devices and credit.

Belongs here: every snapshot table of the feeds `permits` and `credit`, and what the hourly generator must know of each
outlet. The plain facts are the CSV files in data/; what nobody would type (codes, dates, coordinates, permitted
amounts) is drawn from the seed. Does not belong here: hours (sql/), projects and returns (`returns.py`).
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from tanhuan.standards.identifiers import complete_uscc, compose_permit_no
from tanhuan.standin.draws import between, day_between, digest, uniform

Row = dict[str, str | None]

DATA = Path(__file__).parent / "data"
SYNTHETIC = "synthetic"
LIMIT_YEARS = range(2021, 2027)

#: Rough centres of the counties, degrees east and north; outlets are scattered around them.
_CENTRES = {
    "430302": (112.90, 27.87),
    "430304": (112.96, 27.83),
    "430321": (112.95, 27.77),
    "430381": (112.53, 27.73),
    "430382": (112.52, 27.91),
}
_CREDIT_PUBLISHED = {2020: "2021-07-12", 2021: "2022-06-20", 2022: "2023-07-05", 2023: "2024-06-05", 2024: "2025-06-05"}
_GRADES = {
    "NAT2013": {"5": "环保诚信企业", "4": "环保良好企业", "3": "环保警示企业", "2": "环保不良企业"},
    "HN-A": {"5": "环保诚信", "4": "环保合格", "3": "环保风险", "2": "环保不良", "1": "环保不良"},
    "HN-B": {"5": "绿牌", "4": "蓝牌", "3": "黄牌", "2": "红牌", "1": "黑牌"},
}
_FIRST_HN_B_YEAR = 2023
_LISTED_TWICE_SHARE = 0.25
#: sites whose permit went to a new holder, and the name of the one before
_FORMER_HOLDERS = {"turbine": "turbine_before_2023"}


class Channel(NamedTuple):
    """One monitored factor of an outlet: HJ 212 code, what it is to the generator, typical value, full scale."""

    factor_code: str
    role: str  # flow, oxygen, gas or water
    mean: float
    full_scale: float


class Limit(NamedTuple):
    """A concentration limit as permitted, and the one it replaced."""

    factor_code: str
    value: str
    value_before: str | None
    changed: dt.date | None


@dataclass(frozen=True)
class Outlet:
    """An outlet with its permit number and the line of outlets.csv that describes it."""

    permit_no: str
    facts: Row
    site: Row
    schedule: Row

    @property
    def code(self) -> str:
        """Outlet code, unique within the permit."""
        return str(self.facts["outlet_code"])

    @property
    def is_water(self) -> bool:
        """Whether it discharges to water."""
        return self.facts["kind"] == "water"

    @property
    def is_main(self) -> bool:
        """Whether an annual amount is permitted; ordinary outlets have concentrations only (HJ 942)."""
        return self.facts["outlet_type"] == "主要排放口"

    @property
    def closed(self) -> dt.date | None:
        """The day its site closed."""
        return _date(self.site["closed_date"])

    @cached_property
    def pollutants(self) -> list[str]:
        """Factor codes of the pollutants, in the order of conc_1, conc_2."""
        return {"combustion": ["a21026", "a21002"], "voc": ["a24088"], "water": ["w01018", "w21003"]}[
            str(self.facts["kind"])
        ]

    @cached_property
    def limits(self) -> list[Limit]:
        """Concentration limits of its pollutants; only the second pollutant's may have changed."""
        limits = []
        for position, factor_code in enumerate(self.pollutants, start=1):
            before = self.facts["limit_2_before"] if position == 2 else None
            changed = _date(self.facts["limit_2_changed"]) if before else None
            limits.append(Limit(factor_code, str(self.facts[f"limit_{position}"]), before or None, changed))
        return limits

    @cached_property
    def channels(self) -> list[Channel]:
        """What its devices report: flow (m3/s or L/s), oxygen (%) at combustion plants, concentrations."""
        flow = _number(self.facts["flow"])
        channels = [Channel("w00000" if self.is_water else "a00000", "flow", flow, 2 * flow)]
        if self.facts["kind"] == "combustion":
            reference = self.facts["o2_reference_pct"]
            channels.append(Channel("a19001", "oxygen", float(reference) - 0.2 if reference else 9.0, 25.0))
        for position, (factor_code, limit) in enumerate(zip(self.pollutants, self.limits, strict=True), start=1):
            role = "water" if self.is_water else "gas"
            mean = _number(self.facts[f"conc_{position}"])
            channels.append(Channel(factor_code, role, mean, 3 * max(float(limit.value), mean)))
        return channels

    @cached_property
    def hours_a_year(self) -> float:
        """Hours in operation that its schedule leads to, unplanned stops off."""
        daily = int(str(self.schedule["last_hour"])) - int(str(self.schedule["first_hour"])) + 1
        days = 365 if self.schedule["works_sunday"] == "true" else 313
        # A stop lasts 72 hours on average and is drawn once in 336 (sql/source_hour.sql).
        return daily * days * (1 - _number(self.schedule["stop_probability"]) * 72 / 336)

    def tonnes_a_year(self, factor_code: str) -> float:
        """Return the mass of a pollutant that its hours will add up to in a year."""
        flow, pollutant = self.channels[0], next(c for c in self.channels if c.factor_code == factor_code)
        m3_an_hour = flow.mean * (3.6 if self.is_water else 3600.0)
        tonnes_a_m3 = pollutant.mean * (1e-6 if self.is_water else 1e-9)
        return m3_an_hour * tonnes_a_m3 * self.hours_a_year


class City:
    """The register of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.sites = {str(row["site"]): row for row in read_rows("sites")}
        schedules = {row["schedule"]: row for row in read_rows("schedules")}
        self.outlets = [
            Outlet(self.permit_no(str(row["site"])), row, self.sites[str(row["site"])], schedules[row["schedule"]])
            for row in read_rows("outlets")
        ]

    def uscc(self, site: str) -> str:
        """Return the invented holder's code: 91 (enterprise), 430300 (the city's registration office), drawn body."""
        return self._draw_uscc(str(self.sites[site]["enterprise"]))

    def _draw_uscc(self, holder: str) -> str:
        letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
        drawn = int(digest(self.seed, "uscc", holder), 16)
        body = "".join(letters[drawn // 31**place % 31] for place in range(7))
        return complete_uscc(f"91430300MA{body}")

    def permit_no(self, site: str) -> str:
        """Return the permit number of a site."""
        return compose_permit_no(self.uscc(site), int(str(self.sites[site]["site_no"])))

    def tables(self) -> dict[str, list[Row]]:
        """Return the snapshot tables of the feeds permits and credit, by contract name."""
        return {
            "permit": [self._permit(site) for site in self.sites],
            "permit_outlet": [self._outlet(outlet) for outlet in self.outlets],
            "permit_limit": [row for outlet in self.outlets for row in _limit_rows(outlet)],
            "permit_annual_limit": [row for outlet in self.outlets for row in self._annual_limits(outlet)],
            "device_binding": [row for outlet in self.outlets for row in self._bindings(outlet)],
            "credit_evaluation": [row for site in self.sites for row in self._evaluations(site)],
            "credit_repair": [self._repair(row) for row in read_rows("credit_repairs")],
            "penalty": [row for line in read_rows("penalties") for row in self._penalties(line)],
            "blacklist": [
                {**_without(row, "site"), "uscc": self.uscc(str(row["site"])), "data_basis": SYNTHETIC}
                for row in read_rows("blacklist")
            ],
        }

    def generator_tables(self) -> dict[str, list[Row]]:
        """Return what the hourly generator reads: outlets with their habits, channels, micro-stations."""
        return {
            "habit": [self._habit(outlet) for outlet in self.outlets],
            "channel": [
                {
                    "outlet": f"{outlet.permit_no}|{outlet.code}",
                    "ordinal": str(ordinal),
                    "factor_code": channel.factor_code,
                    "role": channel.role,
                    "mean": str(channel.mean),
                    "full_scale": str(channel.full_scale),
                }
                for outlet in self.outlets
                for ordinal, channel in enumerate(outlet.channels)
            ],
            "micro_device": self._micro_devices(),
        }

    def _permit(self, site: str) -> Row:
        facts = self.sites[site]
        closed = _date(facts["closed_date"])
        first, last = (
            (dt.date(2019, 3, 1), dt.date(2020, 6, 30)) if closed else (dt.date(2022, 1, 10), dt.date(2024, 11, 29))
        )
        issued = day_between(first, last, self.seed, "issued", site)
        names = ("enterprise_name", "site_name", "county_code", "zone_code", "industry_code", "industry_name")
        return {
            "permit_no": self.permit_no(site),
            "uscc": self.uscc(site),
            **{name: facts[name] or None for name in names},
            "management_level": facts["management_level"],
            "status": facts["status"],
            "issued_date": issued.isoformat(),
            "valid_from_date": issued.isoformat(),
            "valid_to_date": _last_day_of_permit(issued).isoformat(),
            **self._version(site, issued),
            "data_basis": SYNTHETIC,
        }

    def _version(self, site: str, issued: dt.date) -> Row:
        """Return which version of its permit a site holds; one holder was restructured and got another number."""
        former = _FORMER_HOLDERS.get(site)
        changed = day_between(issued, issued + dt.timedelta(days=300), self.seed, "changed", site) if former else issued
        return {
            "version_no": "2" if former else "1",
            "change_type": "变更" if former else "申领",
            "changed_date": changed.isoformat(),
            "previous_permit_no": compose_permit_no(self._draw_uscc(former), 1) if former else None,
        }

    def _outlet(self, outlet: Outlet) -> Row:
        east, north = _CENTRES[str(outlet.site["county_code"])]
        names = ("outlet_name", "outlet_type", "o2_reference_pct", "discharge_mode", "receiving_water")
        key = (self.seed, outlet.permit_no, outlet.code)
        return {
            "permit_no": outlet.permit_no,
            "outlet_code": outlet.code,
            "medium": "water" if outlet.is_water else "air",
            **{name: outlet.facts[name] or None for name in names},
            "longitude": f"{east + between(-0.05, 0.05, *key, 'east'):.6f}",
            "latitude": f"{north + between(-0.04, 0.04, *key, 'north'):.6f}",
            "data_basis": SYNTHETIC,
        }

    def _annual_limits(self, outlet: Outlet) -> list[Row]:
        if not outlet.is_main:
            return []
        last_year = outlet.closed.year if outlet.closed else LIMIT_YEARS[-1]
        return [
            {
                "permit_no": outlet.permit_no,
                "outlet_code": outlet.code,
                "factor_code": limit.factor_code,
                "year": str(year),
                "limit_t": f"{self._permitted_tonnes(outlet, limit, year):.2f}",
                "data_basis": SYNTHETIC,
            }
            for limit in outlet.limits
            for year in LIMIT_YEARS
            if year <= last_year
        ]

    def _permitted_tonnes(self, outlet: Outlet, limit: Limit, year: int) -> float:
        """Return the permitted amount: some room above the usual mass at most outlets, too little at a few."""
        luck = uniform(self.seed, "room", outlet.permit_no, outlet.code, limit.factor_code)
        room = 0.96 if luck < 0.04 else 1.10 + 0.25 * luck
        if limit.changed and limit.value_before and year < limit.changed.year:
            room *= float(limit.value_before) / float(limit.value)
        return outlet.tonnes_a_year(limit.factor_code) * room

    def _bindings(self, outlet: Outlet) -> list[Row]:
        """Bind a data logger to the outlet; some loggers were replaced when HJ 212-2025 came into force."""
        replaced = outlet.closed is None and uniform(self.seed, "replaced", outlet.permit_no, outlet.code) < 0.15
        spans = [("2018-07-01", "2025-12-31"), ("2026-01-01", None)] if replaced else [("2018-07-01", None)]
        return [
            {
                "mn_code": digest(self.seed, "mn", outlet.permit_no, outlet.code, first)[:24],
                "permit_no": outlet.permit_no,
                "outlet_code": outlet.code,
                "valid_from_date": first,
                "valid_to_date": outlet.closed.isoformat() if outlet.closed else last,
                "data_basis": SYNTHETIC,
            }
            for first, last in spans
        ]

    def _evaluations(self, site: str) -> list[Row]:
        facts = self.sites[site]
        rows: list[Row] = []
        for year, rank in zip(_CREDIT_PUBLISHED, facts["credit_ranks"] or "", strict=False):
            if rank == ".":
                continue
            regime = self._regime(site, year)
            rows.append(
                {
                    "uscc": self.uscc(site),
                    "enterprise_name": facts["enterprise_name"],
                    "eval_year": str(year),
                    "regime": regime,
                    "grade": _GRADES[regime][rank],
                    "published_date": _CREDIT_PUBLISHED[year],
                    **self._issuer(site, regime),
                    "data_basis": SYNTHETIC,
                }
            )
        return rows

    def _regime(self, site: str, year: int) -> str:
        if str(year) in (self.sites[site]["elsewhere_years"] or "").split():
            return "NAT2013"
        return "HN-B" if year >= _FIRST_HN_B_YEAR else "HN-A"

    def _issuer(self, site: str, regime: str) -> Row:
        """Return who published a grade: the province for key holders, the city for others, or another province."""
        if regime == "NAT2013":
            return {"issuer_level": "省级", "issuer": "外省生态环境厅（示例）"}
        if self.sites[site]["management_level"] == "重点管理":
            return {"issuer_level": "省级", "issuer": "湖南省生态环境厅"}
        return {"issuer_level": "市级", "issuer": "湘潭市生态环境局"}

    def _repair(self, row: Row) -> Row:
        site, year = str(row["site"]), int(str(row["eval_year"]))
        grades = _GRADES[self._regime(site, year)]
        rank_before = str(self.sites[site]["credit_ranks"])[list(_CREDIT_PUBLISHED).index(year)]
        return {
            "uscc": self.uscc(site),
            "enterprise_name": self.sites[site]["enterprise_name"],
            "regime": self._regime(site, year),
            "eval_year": row["eval_year"],
            "grade_before": grades[rank_before],
            "grade_after": grades[str(row["rank_after"])],
            "repaired_date": row["repaired_date"],
            "doc_no": row["doc_no"],
            "data_basis": SYNTHETIC,
        }

    def _penalties(self, row: Row) -> list[Row]:
        """Return a decision as the city lists it; one in four stands in the province's list too, written otherwise."""
        site = str(row["site"])
        about_permit = "排污许可" in str(row["law_basis"])
        amount = row["amount_cny"]
        in_wan = f"{int(amount) / 10_000:g}" if amount else None
        listing = {
            **_without(row, "site"),
            "uscc": self.uscc(site),
            "permit_no": self.permit_no(site) if about_permit else None,
            "amount_text": f"{in_wan}万元" if amount else None,
            "amount_unit": None,
            "issuer_level": "市级",
            "data_basis": SYNTHETIC,
        }
        if uniform(self.seed, "listed twice", row["case_no"]) > _LISTED_TWICE_SHARE:
            return [listing]
        elsewhere = {
            "case_no": str(row["case_no"]).replace("〔", "【").replace("〕", "】"),
            "amount_cny": None,
            "amount_text": in_wan,
            "amount_unit": "万元" if amount else None,
            "decided_date": None,
            "issuer_level": "省级",
        }
        return [listing, {**listing, **elsewhere}]

    def _habit(self, outlet: Outlet) -> Row:
        # A few neglected devices: the rules for captures below 75 % and 90 % must have something to bite on.
        neglect = 6.0 if uniform(self.seed, "neglect", outlet.permit_no, outlet.code) < 0.04 else 1.0
        return {
            "outlet": f"{outlet.permit_no}|{outlet.code}",
            "permit_no": outlet.permit_no,
            "outlet_code": outlet.code,
            "kind": outlet.facts["kind"],
            **outlet.schedule,
            "o2_reference_pct": outlet.facts["o2_reference_pct"],
            "neglect": str(neglect),
            "closed_date": outlet.site["closed_date"],
        }

    def _micro_devices(self) -> list[Row]:
        rows: list[Row] = []
        for group in read_rows("micro_stations"):
            for _ in range(int(str(group["devices"]))):
                code = f"WZ{len(rows) + 1:03d}"
                rows.append(
                    {
                        "device_code": code,
                        "county_code": group["county_code"],
                        "nearest_station_code": group["nearest_station_code"],
                        "slope": f"{between(0.85, 1.18, self.seed, 'slope', code):.4f}",
                    }
                )
        return rows


def read_rows(name: str) -> list[Row]:
    """Read data/<name>.csv; an empty cell is None."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]


def _limit_rows(outlet: Outlet) -> list[Row]:
    rows: list[Row] = []
    for limit in outlet.limits:
        spans: list[tuple[str | None, dt.date, dt.date | None]] = [(limit.value, dt.date(2020, 1, 1), None)]
        if limit.changed:
            last = limit.changed - dt.timedelta(days=1)
            spans = [(limit.value_before, dt.date(2020, 1, 1), last), (limit.value, limit.changed, None)]
        rows += [
            {
                "permit_no": outlet.permit_no,
                "outlet_code": outlet.code,
                "factor_code": limit.factor_code,
                "limit_value": value,
                "unit": "mg/L" if outlet.is_water else "mg/m3",
                # Air is judged by the hour, water by the daily mean (GB 18918 for sewage works).
                "averaging": "day" if outlet.is_water else "hour",
                "valid_from_date": first.isoformat(),
                "valid_to_date": last.isoformat() if last else None,
                "data_basis": SYNTHETIC,
            }
            for value, first, last in spans
        ]
    return rows


def _last_day_of_permit(issued: dt.date) -> dt.date:
    """Return the last of the five years that a permit is valid (排污许可管理条例 art. 14)."""
    before = issued - dt.timedelta(days=1)
    return before.replace(year=before.year + 5, day=min(before.day, 28) if before.month == 2 else before.day)


def _without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _number(text: str | None) -> float:
    assert text, "a number that the generator needs is missing in data/*.csv"
    return float(text)
