"""What the bureau and other departments hand in about the invented city: base, projects, evidence, targets, returns.

Belongs here: every snapshot table of the feed `returns`. The facts are CSV files in data/; the base of a source is
derived, so that it always covers what its hours show today and what its projects take away.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from tanhuan.standin.city import SYNTHETIC, City, Row, read_rows
from tanhuan.standin.draws import day_between

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


def returns_tables(city: City) -> dict[str, list[Row]]:
    """Return the tables of the feed returns, by contract name."""
    projects = [row for line in read_rows("projects") for row in _project_rows(city, line)]
    return {
        "emission_base": _site_bases(city, projects) + _area_bases(),
        "reduction_project": projects,
        "reduction_evidence": [row for line in read_rows("projects") for row in _evidence_rows(city, line)],
        "provincial_target": [{**row, "data_basis": SYNTHETIC} for row in read_rows("targets")],
        "department_return": [row for line in read_rows("returns") for row in _return_rows(line)],
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


def _return_rows(line: Row) -> list[Row]:
    return [
        {
            "indicator_no": line["indicator_no"],
            "region_code": "430300",
            "year": str(year),
            "numerator": line[f"numerator_{year}"],
            "denominator": line["denominator"],
            "quantity_unit": line["quantity_unit"],
            "issuer": line["issuer"],
            "doc_no": f"示例报送〔{year + 1}〕{line['indicator_no']}号",
            "issued_date": f"{year + 1}-02-{10 + int(str(line['indicator_no'])) % 15:02d}",
            "data_basis": SYNTHETIC,
        }
        for year in range(2021, 2026)
        if line[f"numerator_{year}"]
    ]
