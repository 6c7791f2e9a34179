"""The quantities from which reductions, growth and estimated emissions of the invented city are computed.

Belongs here: every row of the table `accounting_quantity`. The figures are CSV files in data/. Those of the projects
were set once so that most formulas give a little more than is claimed, two give clearly less, and two projects have
none. Does not belong here: the projects and their claims (`returns.py`); the formulas, which are the warehouse's seeds.
"""

from __future__ import annotations

from collections.abc import Iterator

from tanhuan.standin.city import SYNTHETIC, City, Row, read_rows

GROWTH_YEARS = range(2021, 2025)
ESTIMATE_YEAR = 2025


def list_quantities(city: City) -> list[Row]:
    """Return the rows of the table accounting_quantity."""
    return [*_project_rows(), *_growth_rows(), *_estimate_rows(city)]


def _project_rows() -> Iterator[Row]:
    """Yield what each project's formula needs; it holds from the year in which the project was commissioned."""
    years = {line["project_id"]: str(line["commissioned_date"])[:4] for line in read_rows("projects")}
    for line in read_rows("project_quantities"):
        year = years[line["project_id"]]
        yield {
            "item_kind": "project",
            "item_code": line["project_id"],
            "year": year,
            **_facts(line),
            "part": line["part"],
            "value": line["value"],
            "choice": line["choice"],
            "doc_no": f"示例核算〔{year}〕{line['project_id']}号",
        }


def _growth_rows() -> Iterator[Row]:
    for line in read_rows("growth_quantities"):
        for year in GROWTH_YEARS:
            yield {
                "item_kind": "growth",
                "item_code": line["county_code"],
                "year": str(year),
                **_facts(line),
                "part": line["part"],
                "value": line[f"value_{year}"],
                "choice": None,
                "doc_no": f"示例新增〔{year + 1}〕{line['county_code']}号",
            }


def _estimate_rows(city: City) -> Iterator[Row]:
    for line in read_rows("outlet_estimates"):
        site = str(line["site"])
        yield {
            "item_kind": "estimate",
            "item_code": f"{city.permit_no(site)}/{line['outlet_code']}",
            "year": str(ESTIMATE_YEAR),
            **_facts(line),
            "part": "1",
            "value": line["value"],
            "choice": None,
            "doc_no": f"示例估算〔{ESTIMATE_YEAR + 1}〕{site}1号",
        }


def _facts(line: Row) -> Row:
    names = ("formula_id", "pollutant_id", "quantity", "unit")
    return {**{name: line[name] for name in names}, "data_basis": SYNTHETIC}
