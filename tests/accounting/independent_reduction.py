"""Reductions a second time: formulas of the plan's accounting, evidence, months and caps, to the county. Plain Python.

The guide 环办综合函〔2022〕350号 was not at hand; its rules are taken as docs/accounting.md and the issue tell
them. Left out here: what a source's own monitoring or permit takes from a project (capture, limits, indirect
discharge); the sources of the comparison are area sources, which have none.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

Terms = dict[str, Fraction]

#: kinds of evidence that a category needs besides a formula that can be computed
EVIDENCE = {
    "engineering": ("acceptance", "monitoring", "permit_change", "execution_report"),
    "structure": ("acceptance", "permit_change"),
    "management": ("monitoring", "execution_report"),
}
MONTHS_OF_MONITORING = 3

#: t/a from 万m³/a and mg/L, kg, mg/m³ × m³, and g/km × km
_WATER, _KG, _MG, _GRAM = Fraction(1, 100), Fraction(1, 1000), Fraction(1, 10**9), Fraction(1, 10**6)

FORMULAS: dict[str, Callable[[Terms], Fraction]] = {
    "wwtp_volume": lambda t: (t["q_y"] - t["q_0"]) * (t["c_in"] - t["c_out"]) * _WATER,
    "wwtp_upgrade": lambda t: t["q_0"] * (t["c_out_0"] - t["c_out_y"]) * _WATER,
    "network": lambda t: t["q"] * (t["c_in_y"] - t["c_in_0"]) * _WATER - t["added_out"],
    "reclaimed_water": lambda t: t["q_reuse"] * t["c_out"] * _WATER,
    "rural_sewage": lambda t: t["p"] * t["g"] * 365 * t["coverage"] * t["eta"] * _WATER,
    "water_upgrade": lambda t: t["q_0"] * (t["c_0"] - t["c_y"]) * _WATER,
    "water_product": lambda t: t["g_y"] * (t["ef_0"] - t["ef_y"]),
    "closure": lambda t: t["base_t"],
    "livestock": lambda t: t["n"] * t["pig_factor"] * t["e"] * (t["eta_y"] - t["eta_0"]) * _KG,
    "nox_ratio": lambda t: t["base_t"] * (1 - t["c_y"] * t["v_y"] / (t["c_0"] * t["v_0"])),
    "nox_cems": lambda t: t["base_t"] - t["e_y"] * t["g_0"] / t["g_y"],
    "product_concentration": lambda t: t["g"] * t["v"] * (t["c_0"] - t["c_y"]) * _MG,
    "boiler_gas": lambda t: t["f_coal"] * t["ef_coal"] * (1 - t["eta"]) - t["f_gas"] * t["ef_gas"],
    "boiler_low_nox": lambda t: t["f_gas"] * (t["ef_old"] - t["ef_new"]),
    "power": lambda t: t["w"] * (t["ef_coal"] - t["ef_gas"]),
    "vehicle": lambda t: t["n"] * (t["ef_old"] - t["ef_new"]) * t["vkt"] * _GRAM,
    "vocs_substitution": lambda t: t["m"] * (t["w_before"] - t["w_after"]) * (1 - t["c"] * t["eta"]),
    "vocs_treatment": lambda t: t["p"] * (t["c_y"] * t["eta_y"] - t["c_0"] * t["eta_0"]),
}


@dataclass(frozen=True)
class Project:
    """A project and its claim for one pollutant."""

    project_id: str
    source: str
    county: str
    category: str
    pollutant: str
    claimed: Fraction | None
    commissioned: dt.date | None


@dataclass(frozen=True)
class Fact:
    """A quantity of a project's formula, true from a year on."""

    project_id: str
    pollutant: str
    formula: str
    year: int
    part: str
    quantity: str
    value: Fraction


@dataclass(frozen=True)
class Evidence:
    """A document about a project."""

    project_id: str
    kind: str
    issued: dt.date


@dataclass
class Register:
    """All that reductions are computed from; `bases` by source and pollutant, in tonnes."""

    projects: list[Project]
    facts: list[Fact]
    evidence: list[Evidence]
    bases: dict[tuple[str, str], Fraction]
    night: dt.date


def compute_effect(facts: Iterable[Fact], year: int, base: Fraction) -> Fraction | None:
    """Full-year effect by the formulas, with the newest facts of the year or before; a sum over parts and formulas.

    A return states a formula's quantities together: those of an earlier year do not complete it.
    """
    known = [fact for fact in facts if fact.year <= year]
    newest = {fact.formula: max(f.year for f in known if f.formula == fact.formula) for fact in known}
    parts: dict[tuple[str, str], Terms] = defaultdict(lambda: {"base_t": base})
    for fact in known:
        if fact.year == newest[fact.formula]:
            parts[fact.formula, fact.part][fact.quantity] = fact.value
    return sum((FORMULAS[formula](terms) for (formula, _), terms in parts.items()), Fraction(0)) if parts else None


def add_months(date: dt.date, months: int) -> dt.date:
    """The same day so many months later; the last of a shorter month."""
    index = date.year * 12 + date.month - 1 + months
    year, month = index // 12, index % 12 + 1
    last = (dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)).day
    return dt.date(year, month, min(date.day, last))


def count_months(project: Project, year: int, reversed_on: dt.date | None) -> int:
    """Months in effect: from the month after commissioning to the month of a reversal."""
    assert project.commissioned is not None, "only what is in operation has months"
    first = project.commissioned.year * 12 + project.commissioned.month
    end = (year + 1) * 12 if reversed_on is None else min((year + 1) * 12, reversed_on.year * 12 + reversed_on.month)
    return max(end - max(first, year * 12), 0)


def has_evidence(project: Project, year: int, register: Register) -> bool:
    """Whether all kinds had been issued by the end of the year; monitoring not before three months of operation."""
    assert project.commissioned is not None, "evidence is asked of what is in operation"
    end = min(dt.date(year, 12, 31), register.night)
    present = set()
    for document in register.evidence:
        wait = MONTHS_OF_MONITORING if document.kind == "monitoring" else 0
        is_ripe = not wait or document.issued >= add_months(project.commissioned, wait)
        if document.project_id == project.project_id and document.issued <= end and is_ripe:
            present.add(document.kind)
    return set(EVIDENCE[project.category]) <= present


def compute_verified(register: Register, year: int) -> dict[tuple[str, str], Fraction]:
    """Verified tonnes of a year by project and pollutant.

    Projects of one source and pollutant share its base in the order of commissioning: each takes the least of claim,
    computation and what is left for a full year, and of that its months.
    """
    left = dict(register.bases)
    verified = {}
    for project in sorted(register.projects, key=lambda p: (p.commissioned or dt.date.max, p.project_id)):
        key = (project.source, project.pollutant)
        verified[project.project_id, project.pollutant] = Fraction(0)
        if not _is_in_account(project, year, register):
            continue
        facts = [f for f in register.facts if (f.project_id, f.pollutant) == (project.project_id, project.pollutant)]
        # A ratio is one of the base year's emission; a closure takes what is left of it.
        is_closure = any(fact.formula == "closure" for fact in facts)
        effect = left[key] if is_closure else compute_effect(facts, year, register.bases[key])
        reversed_on = min((e.issued for e in register.evidence if _is_reversal(e, project, register)), default=None)
        months = count_months(project, year, reversed_on)
        if effect is None or project.claimed is None or not months:
            continue
        full = max(min(project.claimed, effect, left[key]), Fraction(0))
        left[key] -= full
        verified[project.project_id, project.pollutant] = full * months / 12
    return verified


def _is_in_account(project: Project, year: int, register: Register) -> bool:
    is_running = project.commissioned is not None and project.commissioned <= min(dt.date(year, 12, 31), register.night)
    return (
        is_running and (project.source, project.pollutant) in register.bases and has_evidence(project, year, register)
    )


def _is_reversal(document: Evidence, project: Project, register: Register) -> bool:
    is_known = document.issued <= register.night
    return is_known and document.kind == "reversal" and document.project_id == project.project_id


def sum_counties(register: Register, year: int) -> dict[tuple[str, str], Fraction]:
    """Verified tonnes by county and pollutant."""
    counties: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    county_of = {(p.project_id, p.pollutant): p.county for p in register.projects}
    for (project_id, pollutant), tonnes in compute_verified(register, year).items():
        counties[county_of[project_id, pollutant], pollutant] += tonnes
    return dict(counties)
