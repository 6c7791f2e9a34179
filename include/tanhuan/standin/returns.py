"""What is handed in about the invented city: base, projects, evidence, waste, execution reports.

Belongs here: the snapshot tables of the feed `returns`, and which execution reports there are and when they come. The
facts are CSV files in data/; the base of a source is derived, so that it always covers what its hours show today and
what its projects take away. Does not belong here: the tonnes of a report, which follow its outlets' stops
(sql/execution_report.sql); quantities of the account (`quantities.py`); checks of monitors (`checks.py`); returns of
indicators and targets (`plan_returns.py`); registers of water and air (`surroundings.py`).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from tanhuan.standin.city import LIMIT_YEARS, SYNTHETIC, City, Row, read_rows
from tanhuan.standin.draws import between, day_between, uniform
from tanhuan.standin.plan_returns import list_commitments, list_returns, list_targets
from tanhuan.standin.quantities import list_quantities
from tanhuan.standin.surroundings import list_points

BASE_YEAR = 2020
POLLUTANTS = ("cod", "nh3n", "vocs", "nox")

_POLLUTANT_OF = {"w01018": "cod", "w21003": "nh3n", "a24088": "vocs", "a21002": "nox"}
#: Share of a source's VOCs that its stacks see; the rest escapes from halls and tanks.
_SEEN_BY_STACKS = {"vocs": 0.6}
#: Each kind of evidence, and after how many days from commissioning it is usually issued.
_EVIDENCE_DAYS = {
    "acceptance": (20, 60),
    "permit_change": (40, 90),
    "monitoring": (100, 150),
    "execution_report": (160, 220),
}

WASTE_YEARS = range(2020, 2026)
#: Every permit of these trades also reports by the month (thermal power; see HJ 944-2018 and the permits' own texts).
_MONTHLY_INDUSTRIES = {"4411", "4412"}
#: A report that is handed in again corrects what its first version left out.
_FIRST_VERSION_SHARE = 0.92


class Period(NamedTuple):
    """A reporting period, and within how many days from its end reports are handed in."""

    kind: str
    name: str
    first: dt.date
    last: dt.date
    days: tuple[int, int]


def returns_tables(city: City) -> dict[str, list[Row]]:
    """Return the tables of the feed returns, by contract name."""
    projects = [row for line in read_rows("projects") for row in _project_rows(city, line)]
    return {
        "accounting_quantity": list_quantities(city),
        "emission_base": _site_bases(city, projects) + _area_bases(),
        "reduction_project": projects,
        "reduction_evidence": [row for line in read_rows("projects") for row in _evidence_rows(city, line)],
        "provincial_target": list_targets(),
        "department_return": list_returns(city),
        "commitment_return": list_commitments(),
        "water_point": list_points(),
        "hazardous_waste_balance": [row for line in read_rows("hazardous_waste") for row in _waste_rows(city, line)],
    }


def report_lines(city: City) -> list[Row]:
    """Return one line per version of an execution report and pollutant, without its tonnes.

    In every year one ammonia figure is in kg instead of t (`slip`), one report comes two months late, and a few
    quarters are handed in again.
    """
    pollutants: dict[str, set[str]] = defaultdict(set)
    sites = {city.permit_no(site): facts for site, facts in city.sites.items()}
    for outlet in city.outlets:
        pollutants[outlet.permit_no].update(outlet.pollutants)
    due = [
        (permit_no, factor_code, period)
        for permit_no, factor_codes in pollutants.items()
        for period in _periods(sites[permit_no])
        for factor_code in sorted(factor_codes)
    ]
    slips = {_one_of(city, year, "slip", due, "w21003") for year in LIMIT_YEARS}
    late = {_one_of(city, year, "late", due, "w01018")[::2] for year in LIMIT_YEARS}
    return [
        line
        for permit_no, factor_code, period in due
        for line in _report_versions(
            city,
            permit_no,
            factor_code,
            period,
            slip=1000 if (permit_no, factor_code, period) in slips else 1,
            delay=60 if (permit_no, period) in late else 0,
        )
    ]


def _one_of(
    city: City, year: int, what: str, due: list[tuple[str, str, Period]], factor_code: str
) -> tuple[str, str, Period]:
    """Draw one quarterly line of a pollutant and a year."""
    lines = [d for d in due if d[1] == factor_code and d[2].kind == "季报" and d[2].first.year == year]
    return lines[int(uniform(city.seed, what, year) * len(lines))]


def _report_versions(
    city: City, permit_no: str, factor_code: str, period: Period, slip: int, delay: int
) -> Iterator[Row]:
    key = (city.seed, "report", permit_no, period.name)
    soonest, latest = (period.last + dt.timedelta(days=days + delay) for days in period.days)
    submitted = day_between(soonest, latest, *key)
    accuracy = between(0.97, 1.03, *key, factor_code)
    restated = period.kind == "季报" and uniform(*key, "restated") < 0.03
    versions: list[tuple[int, dt.date, float, str | None]] = [
        (1, submitted, accuracy * (_FIRST_VERSION_SHARE if restated else 1), None)
    ]
    if restated:
        versions.append((2, submitted + dt.timedelta(days=25), accuracy, "示例：补计自动监控缺失时段"))
    for version, day, version_accuracy, remark in versions:
        yield {
            "permit_no": permit_no,
            "period_type": period.kind,
            "period": period.name,
            "factor_code": factor_code,
            "first_date": period.first.isoformat(),
            "last_date": period.last.isoformat(),
            "submitted_date": day.isoformat(),
            "version": str(version),
            "accuracy": f"{version_accuracy:.4f}",
            "slip": str(slip),
            "exceed_count": str(int(max(0.0, uniform(*key, factor_code, "exceeded") - 0.9) * 60)),
            "remark": remark,
        }


def _periods(site: Row) -> Iterator[Period]:
    """Yield the periods that a site reports on; none that ends after it closed."""
    months_of_kind = {"年报": 12}
    if site["management_level"] == "重点管理":
        months_of_kind["季报"] = 3
    if site["industry_code"] in _MONTHLY_INDUSTRIES:
        months_of_kind["月报"] = 1
    closed = dt.date.fromisoformat(site["closed_date"]) if site["closed_date"] else dt.date.max
    for year in LIMIT_YEARS:
        for kind, months in months_of_kind.items():
            for month in range(1, 13, months):
                after = dt.date(year + (month + months > 12), (month + months - 1) % 12 + 1, 1)
                last = after - dt.timedelta(days=1)
                names = {"年报": f"{year}", "季报": f"{year}Q{month // 3 + 1}", "月报": f"{year}-{month:02d}"}
                if last <= closed:
                    days = (10, 30) if kind == "年报" else (5, 15)
                    yield Period(kind, names[kind], dt.date(year, month, 1), last, days)


def _waste_rows(city: City, line: Row) -> Iterator[Row]:
    """Yield the yearly balances of a waste; each opens with what the year before closed with."""
    site = str(line["site"])
    stock = Decimal(str(line["opening_stock_t"]))
    for year in WASTE_YEARS:
        key = (city.seed, "waste", site, line["waste_code"], year)
        generated = round(Decimal(str(line["generated_t"])) * Decimal(between(0.85, 1.15, *key)), 2)
        utilised, disposed = (
            round(generated * Decimal(str(line[f"{way}_share"])), 2) for way in ("utilised", "disposed")
        )
        opening, stock = stock, stock + generated - utilised - disposed
        # A ledger that forgot a shipment: the balance of this year does not close.
        forgotten = disposed / 10 if str(year) == line["unbalanced_year"] else 0
        yield {
            "uscc": city.uscc(site),
            "enterprise_name": city.sites[site]["enterprise_name"],
            "year": str(year),
            "waste_code": line["waste_code"],
            "opening_stock_t": str(opening),
            "generated_t": str(generated),
            "utilised_t": str(utilised),
            "disposed_t": str(disposed - forgotten),
            "closing_stock_t": str(stock),
            "doc_no": f"示例危废〔{year + 1}〕{city.sites[site]['site_no']}号",
            "remark": None,
            "data_basis": SYNTHETIC,
        }


def _project_rows(city: City, line: Row) -> list[Row]:
    source = str(line["source"])
    site = city.sites.get(source)
    return [
        {
            "project_id": line["project_id"],
            "project_name": line["project_name"],
            "source_code": city.permit_no(source) if site else source,
            "county_code": site["county_code"] if site else source.split("-")[1],
            "zone_code": site["zone_code"] if site else None,
            "category": line["category"],
            "pollutant_id": pollutant,
            "plan_year": line["plan_year"],
            "planned_t": line[f"{pollutant}_planned"],
            "claimed_t": line[f"{pollutant}_claimed"],
            "commissioned_date": line["commissioned_date"],
            "doc_no": line["doc_no"],
            "data_basis": SYNTHETIC,
        }
        for pollutant in POLLUTANTS
        if line[f"{pollutant}_planned"]
    ]


def _evidence_rows(city: City, line: Row) -> list[Row]:
    if not line["commissioned_date"]:
        return []
    commissioned = dt.date.fromisoformat(line["commissioned_date"])
    rows: list[Row] = []
    for number, (kind, (first, last)) in enumerate(_EVIDENCE_DAYS.items(), start=1):
        if kind == line["evidence_lacking"]:
            continue
        key = (city.seed, "evidence", line["project_id"], kind)
        issued = day_between(commissioned + dt.timedelta(days=first), commissioned + dt.timedelta(days=last), *key)
        rows.append(
            {
                "project_id": line["project_id"],
                "evidence_kind": kind,
                "issued_date": issued.isoformat(),
                "doc_no": f"示例佐证〔{issued.year}〕{line['project_id']}-{number}号",
                "data_basis": SYNTHETIC,
            }
        )
    return rows


def _site_bases(city: City, projects: list[Row]) -> list[Row]:
    """Rows for sites: today's mass with 5 % on top, and what their projects take away since 2020."""
    tonnes: dict[tuple[str, str], float] = defaultdict(float)
    for outlet in city.outlets:
        # Waste water that goes to a sewage works is counted there, not twice.
        if outlet.closed or outlet.facts["discharge_mode"] == "indirect":
            continue
        for factor_code in outlet.pollutants:
            if pollutant := _POLLUTANT_OF.get(factor_code):
                mass = outlet.tonnes_a_year(factor_code) * 1.05 / _SEEN_BY_STACKS.get(pollutant, 1.0)
                tonnes[outlet.permit_no, pollutant] += mass
    for project in projects:
        if not str(project["source_code"]).startswith("AREA-"):
            tonnes[str(project["source_code"]), str(project["pollutant_id"])] += float(str(project["planned_t"]))
    sites = {city.permit_no(site): facts for site, facts in city.sites.items()}
    return [
        _base_row(
            source_code=permit_no,
            source_name=str(sites[permit_no]["enterprise_name"]) + str(sites[permit_no]["site_name"]),
            source_type="municipal" if sites[permit_no]["industry_code"] == "4620" else "industrial",
            county_code=sites[permit_no]["county_code"],
            zone_code=sites[permit_no]["zone_code"],
            pollutant_id=pollutant,
            base_t=f"{mass:.2f}",
        )
        for (permit_no, pollutant), mass in sorted(tonnes.items())
    ]


def _area_bases() -> list[Row]:
    return [
        _base_row(
            source_code=f"AREA-{row['county_code']}-{row['kind']}",
            zone_code=None,
            **{k: v for k, v in row.items() if k != "kind"},
        )
        for row in read_rows("area_sources")
    ]


def _base_row(**facts: str | None) -> Row:
    return {**facts, "base_year": str(BASE_YEAR), "doc_no": "示例环统〔2021〕1号", "data_basis": SYNTHETIC}
