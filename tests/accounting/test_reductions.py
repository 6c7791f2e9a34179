"""Reductions: the worked numbers of the formulas, and the marts against the independent calculation."""

from __future__ import annotations

import csv
import datetime as dt
import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tanhuan.settings import Settings
from tests.accounting.independent import to_decimal
from tests.accounting.independent_reduction import (
    EVIDENCE,
    FORMULAS,
    Evidence,
    Fact,
    Project,
    Register,
    compute_verified,
    count_months,
    has_evidence,
    sum_counties,
)
from tests.accounting.made_warehouse import add_load, build_anew, create_warehouse, read_rows

NIGHT = dt.date(2025, 12, 31)
COUNTIES = ("430302", "430304", "430321", "430381", "430382")
YEARS = range(2021, 2026)


def compute(formula: str, **terms: str | int) -> Fraction:
    return FORMULAS[formula]({name: Fraction(value) for name, value in terms.items()})


@pytest.mark.parametrize(
    ("formula", "terms", "tonnes"),
    [
        ("wwtp_volume", {"q_y": 12000, "q_0": 10500, "c_in": 180, "c_out": 30}, "2250"),
        ("wwtp_volume", {"q_y": 12000, "q_0": 10500, "c_in": 18, "c_out": "1.5"}, "247.5"),
        ("wwtp_upgrade", {"q_0": 10500, "c_out_0": 50, "c_out_y": 30}, "2100"),
        ("product_concentration", {"g": 1500000, "v": 2500, "c_0": 320, "c_y": 95}, "843.75"),
        ("livestock", {"n": 10000, "pig_factor": "0.5", "e": 36, "eta_y": "0.85", "eta_0": "0.70"}, "27"),
        ("vocs_treatment", {"p": 200, "c_y": "0.65", "eta_y": "0.9", "c_0": 0, "eta_0": 0}, "117"),
        ("vocs_treatment", {"p": 200, "c_y": "0.3", "eta_y": "0.15", "c_0": 0, "eta_0": 0}, "9"),
        ("nox_ratio", {"base_t": 1000, "c_y": 50, "v_y": 90, "c_0": 100, "v_0": 100}, "550"),
        ("nox_cems", {"base_t": 1000, "e_y": 300, "g_0": 90, "g_y": 100}, "730"),
    ],
)
def test_worked_numbers_of_the_formulas(formula: str, terms: dict[str, str | int], tonnes: str) -> None:
    assert compute(formula, **terms) == Fraction(tonnes)


def make_project(number: int, commissioned: str | None, claimed: str | None = "100", **changes: Any) -> Project:
    named: dict[str, Any] = {"source": "AREA-430302-a", "county": "430302", "category": "structure", "pollutant": "cod"}
    day = None if commissioned is None else dt.date.fromisoformat(commissioned)
    return Project(
        f"P{number:03d}", claimed=None if claimed is None else Fraction(claimed), commissioned=day, **(named | changes)
    )


def prove(project: Project, issued: str | None = None) -> list[Evidence]:
    """All the evidence a project's category asks for."""
    assert project.commissioned is not None, "nothing proves what does not run"
    day = dt.date.fromisoformat(issued) if issued else project.commissioned + dt.timedelta(days=100)
    return [Evidence(project.project_id, kind, day) for kind in EVIDENCE[project.category]]


def upgrade(project: Project, tonnes: str, year: int = 2020) -> list[Fact]:
    """A formula that gives so many tonnes."""
    terms = {"q_0": Fraction(tonnes), "c_out_0": Fraction(150), "c_out_y": Fraction(50)}
    return [
        Fact(project.project_id, project.pollutant, "wwtp_upgrade", year, "1", name, value)
        for name, value in terms.items()
    ]


def test_a_december_brings_nothing_in_its_year_and_a_reversal_ends_with_its_month() -> None:
    assert count_months(make_project(1, "2023-12-05"), 2023, None) == 0
    assert count_months(make_project(1, "2023-05-16"), 2023, None) == 7
    assert count_months(make_project(1, "2023-05-16"), 2024, dt.date(2024, 5, 31)) == 5
    assert count_months(make_project(1, "2023-05-16"), 2025, dt.date(2024, 5, 31)) == 0


def test_monitoring_counts_three_months_after_commissioning() -> None:
    project = make_project(1, "2023-05-31", category="management")
    for issued, proven in (("2023-08-30", False), ("2023-08-31", True)):
        register = Register([project], [], prove(project, issued), {}, NIGHT)
        assert has_evidence(project, 2023, register) is proven


def test_projects_share_a_base_in_their_order_and_a_closure_takes_the_rest() -> None:
    one, other = make_project(1, "2022-01-10", "80"), make_project(2, "2021-06-10", "70")
    closure = make_project(3, "2023-06-30", "500")
    facts = upgrade(one, "90") + upgrade(other, "60")
    facts += [Fact(closure.project_id, "cod", "closure", 2020, "1", "", Fraction(0))]
    evidence = [document for project in (one, other, closure) for document in prove(project)]
    register = Register([one, other, closure], facts, evidence, {("AREA-430302-a", "cod"): Fraction(150)}, NIGHT)
    # 60 by computation, 80 by claim, and 10 are left for the closure.
    assert [compute_verified(register, 2024)[f"P00{n}", "cod"] for n in (1, 2, 3)] == [80, 60, 10]
    assert compute_verified(register, 2023)["P003", "cod"] == 5
    assert sum_counties(register, 2025) == {("430302", "cod"): Fraction(150)}


# --- against the marts ------------------------------------------------------------------------------------------------


def make_register(seed: int = 12) -> Register:
    """Area sources with up to four projects each: unproven, reversed, claimed above and below what is computed."""
    dice = random.Random(seed)
    register = Register([], [], [], {}, NIGHT)
    for number in range(40):
        county, pollutant = dice.choice(COUNTIES), dice.choice(("cod", "nh3n"))
        source = f"AREA-{county}-made{number}"
        if dice.random() < 0.9:
            register.bases[source, pollutant] = Fraction(dice.randint(500, 4000), 10)
        # Different days, so that the order of commissioning is never a matter of taste.
        days = sorted(dice.sample(range(1800), dice.randint(1, 4)))
        for index, day in enumerate(days):
            _add_project(
                register,
                dice,
                number * 10 + index,
                source,
                county,
                pollutant,
                dt.date(2021, 1, 5) + dt.timedelta(days=day),
            )
    return register


def _add_project(
    register: Register, dice: random.Random, number: int, source: str, county: str, pollutant: str, day: dt.date
) -> None:
    project = make_project(
        number, day.isoformat(), str(dice.randint(10, 200)), source=source, county=county, pollutant=pollutant,
        category=dice.choice(sorted(EVIDENCE)),
    )  # fmt: skip
    register.projects.append(project)
    if dice.random() < 0.9:
        register.facts += upgrade(project, str(dice.randint(5, 220)))
        if dice.random() < 0.3:
            register.facts += upgrade(project, str(dice.randint(5, 220)), 2024)
    documents = prove(project, (day + dt.timedelta(days=dice.choice((80, 95, 200)))).isoformat())
    register.evidence += documents if dice.random() < 0.85 else documents[1:]
    if dice.random() < 0.15:
        register.evidence.append(
            Evidence(project.project_id, "reversal", day + dt.timedelta(days=dice.randint(120, 700)))
        )


def add_register(settings: Settings, register: Register, units: dict[tuple[str, str], str]) -> None:
    zone: dict[str, Any] = {"doc_no": "made"}
    projects = [
        zone
        | {
            "project_id": p.project_id, "project_name": p.project_id, "source_code": p.source, "county_code": p.county,
            "category": p.category, "pollutant_id": p.pollutant, "plan_year": 2021, "planned_t": 1,
            "claimed_t": None if p.claimed is None else to_decimal(p.claimed, 4), "commissioned_date": p.commissioned,
        }
        for p in register.projects
    ]  # fmt: skip
    bases = [
        zone
        | {
            "source_code": source, "source_name": source, "source_type": "municipal", "county_code": source[5:11],
            "pollutant_id": pollutant, "base_year": 2020, "base_t": to_decimal(tonnes, 4),
        }
        for (source, pollutant), tonnes in register.bases.items()
    ]  # fmt: skip
    facts = [
        zone
        | {
            "item_kind": "project", "item_code": f.project_id, "formula_id": f.formula, "pollutant_id": f.pollutant,
            "year": f.year, "part": f.part, "quantity": f.quantity, "value": to_decimal(f.value),
            "unit": units[f.formula, f.quantity],
        }
        for f in register.facts
    ]  # fmt: skip
    evidence = [
        {"project_id": e.project_id, "evidence_kind": e.kind, "issued_date": e.issued, "doc_no": f"made {n}"}
        for n, e in enumerate(register.evidence)
    ]
    add_load(settings, "reduction_project", projects, NIGHT, "file")
    add_load(settings, "emission_base", bases, NIGHT, "file")
    add_load(settings, "accounting_quantity", facts, NIGHT, "file")
    add_load(settings, "reduction_evidence", evidence, NIGHT, "file")


def read_units(settings: Settings) -> dict[tuple[str, str], str]:
    """The unit of every term, as the rules name it: a return in another unit is not computed."""
    path = Path(settings.dbt_project) / "seeds" / "accounting_term.csv"
    with path.open(encoding="utf-8") as file:
        return {(row["formula_id"], row["quantity"]): row["unit"] for row in csv.DictReader(file)}


@pytest.mark.slow
def test_projects_and_counties_are_the_same_to_the_gram(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    register = make_register()
    create_warehouse(NIGHT, settings)
    add_register(settings, register, read_units(settings))
    build_anew(settings, "mart_reduction_project", "mart_reduction_cod", "mart_reduction_nh3n")

    published = {
        (row["project_id"], row["pollutant_id"], row["year"]): row
        for row in read_rows(settings, "mart_reduction_project")
    }
    notes = []
    for year in YEARS:
        for (project_id, pollutant), tonnes in sorted(compute_verified(register, year).items()):
            row = published[project_id, pollutant, year]
            if abs(Fraction(row["verified_t"]) - tonnes) > Fraction(1, 10**6):
                notes.append(
                    f"{project_id} {year} {row['verification_state']}: {row['verified_t']} here {to_decimal(tonnes)}"
                )
    assert notes == [], f"{len(notes)} differ:\n" + "\n".join(notes[:40])
    compare_counties(settings, register)


def compare_counties(settings: Settings, register: Register) -> None:
    published: dict[tuple[str, str, int], Decimal] = {}
    for pollutant in ("cod", "nh3n"):
        for row in read_rows(settings, f"mart_reduction_{pollutant}"):
            published[row["region_code"], pollutant, row["year"]] = row["verified_t"]
    city: dict[tuple[str, int], Fraction] = defaultdict(Fraction)
    for year in YEARS:
        for (county, pollutant), tonnes in sum_counties(register, year).items():
            assert abs(Fraction(published[county, pollutant, year]) - tonnes) < Fraction(1, 10**4), (
                county,
                pollutant,
                year,
            )
            city[pollutant, year] += tonnes
    for (pollutant, year), tonnes in city.items():
        assert abs(Fraction(published["430300", pollutant, year]) - tonnes) < Fraction(1, 10**4), (pollutant, year)
