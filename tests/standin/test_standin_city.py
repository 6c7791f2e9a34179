"""The invented city is complete, consistent and plainly invented."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tanhuan.contracts import load_contracts
from tanhuan.settings import TIME_ZONE, get_settings
from tanhuan.standards.identifiers import is_valid_permit_no, is_valid_uscc
from tanhuan.standin.city import City
from tanhuan.standin.platform import Platform

COUNTIES = {"430302", "430304", "430321", "430381", "430382"}
ANY_DAY = dt.date(2026, 11, 1)
SNAPSHOTS = [c.table for c in load_contracts().values() if c.mode == "snapshot"]

Rows = list[dict[str, Any]]


def rows_of(platform: Platform, table: str, first: dt.date = ANY_DAY, last: dt.date = ANY_DAY) -> Rows:
    answer = platform.ask(table, first, last)
    return [dict(zip(answer.contract.names, row, strict=True)) for row in platform.rows(answer)]


@pytest.mark.parametrize("table", list(load_contracts()))
def test_every_table_keeps_its_contract(platform: Platform, table: str) -> None:
    contract = load_contracts()[table]
    rows = rows_of(platform, table, ANY_DAY - dt.timedelta(days=contract.late_window_days), ANY_DAY)
    assert rows, f"{table} is empty"
    keys = Counter(tuple(row[name] for name in contract.key) for row in rows)
    assert keys.total() == len(keys), f"{table} has rows of the same key"
    for name in (c.name for c in contract.columns if c.required):
        assert all(row[name] not in (None, "") for row in rows), f"{table}.{name} is empty in some row"
    assert {row["data_basis"] for row in rows} == {"synthetic"}


def test_the_city_is_large_enough_and_in_all_counties(platform: Platform) -> None:
    permits = rows_of(platform, "permit")
    assert len({row["uscc"] for row in permits}) == 36
    assert {row["county_code"] for row in permits} == COUNTIES
    assert {row["zone_code"] for row in permits} == {None, "430371", "430373"}
    assert len(rows_of(platform, "permit_outlet")) >= 62
    devices = {(row["device_code"], row["county_code"]) for row in rows_of(platform, "micro_air_hour")}
    assert len(devices) == 138
    assert {county for _, county in devices} == COUNTIES


def test_codes_are_valid_and_names_plainly_invented(platform: Platform) -> None:
    permits = rows_of(platform, "permit")
    for row in permits:
        assert is_valid_uscc(row["uscc"]), row
        assert is_valid_permit_no(row["permit_no"]), row
        assert row["permit_no"].startswith(row["uscc"])
        assert row["enterprise_name"].startswith("示例")
        assert row["valid_to_date"] > row["valid_from_date"]
    for binding in rows_of(platform, "device_binding"):
        assert len(binding["mn_code"]) == 24
        assert set(binding["mn_code"]) <= set("0123456789ABCDEF")


def test_every_invented_document_says_so(platform: Platform) -> None:
    for table in SNAPSHOTS:
        for row in rows_of(platform, table):
            number = row.get("doc_no", row.get("case_no"))
            if number and row.get("project_id") not in ("P2-1", "P2-2"):
                assert "示例" in number, f"{table}: {number}"


def test_references_between_tables_hold(platform: Platform) -> None:
    permits = {row["permit_no"] for row in rows_of(platform, "permit")}
    holders = {row["uscc"] for row in rows_of(platform, "permit")}
    outlets = {(row["permit_no"], row["outlet_code"]) for row in rows_of(platform, "permit_outlet")}
    assert {permit_no for permit_no, _ in outlets} == permits
    assert {row["permit_no"] for row in rows_of(platform, "execution_report")} == permits
    for table in ("permit_limit", "permit_annual_limit", "device_binding", "source_check"):
        assert {(row["permit_no"], row["outlet_code"]) for row in rows_of(platform, table)} <= outlets, table
    for table in ("credit_evaluation", "credit_repair", "penalty", "blacklist", "hazardous_waste_balance"):
        assert {row["uscc"] for row in rows_of(platform, table)} <= holders, table
    bases = {(row["source_code"], row["pollutant_id"]) for row in rows_of(platform, "emission_base")}
    projects = rows_of(platform, "reduction_project")
    assert {(row["source_code"], row["pollutant_id"]) for row in projects} <= bases
    ids = {row["project_id"] for row in projects}
    assert {row["project_id"] for row in rows_of(platform, "reduction_evidence")} <= ids
    items: dict[str, set[str]] = {}
    for row in rows_of(platform, "accounting_quantity"):
        items.setdefault(row["item_kind"], set()).add(row["item_code"])
    assert items["project"] <= ids
    assert items["growth"] == COUNTIES
    assert {tuple(code.split("/")) for code in items["estimate"]} <= outlets


def test_the_plans_two_projects_stand_with_their_tonnes(platform: Platform) -> None:
    planned = {
        row["project_id"]: (row["pollutant_id"], float(row["planned_t"]), row["county_code"])
        for row in rows_of(platform, "reduction_project")
        if row["doc_no"] == "潭政办发〔2021〕47号 专栏2"
    }
    assert planned == {"P2-1": ("nox", 1550.0, "430304"), "P2-2": ("nox", 78.0, "430304")}


def test_no_source_gives_up_more_than_its_base(platform: Platform) -> None:
    bases = {(r["source_code"], r["pollutant_id"]): r["base_t"] for r in rows_of(platform, "emission_base")}
    planned: Counter[tuple[str, str]] = Counter()
    for row in rows_of(platform, "reduction_project"):
        planned[row["source_code"], row["pollutant_id"]] += row["planned_t"]
        assert row["claimed_t"] is None or row["claimed_t"] <= row["planned_t"]
    assert all(tonnes <= bases[source] for source, tonnes in planned.items())


def test_projects_are_of_every_kind_and_evidence_has_gaps(platform: Platform) -> None:
    projects = rows_of(platform, "reduction_project")
    assert {row["pollutant_id"] for row in projects} == {"cod", "nh3n", "vocs", "nox"}
    assert {row["category"] for row in projects} == {"engineering", "structure", "management"}
    kinds: dict[str, set[str]] = {}
    for row in rows_of(platform, "reduction_evidence"):
        kinds.setdefault(row["project_id"], set()).add(row["evidence_kind"])
    complete = {"acceptance", "monitoring", "permit_change", "execution_report"}
    assert {len(found) for found in kinds.values()} == {3, 4}
    assert set.union(*kinds.values()) == complete
    uncommissioned = {row["project_id"] for row in projects if row["commissioned_date"] is None}
    assert uncommissioned
    assert not uncommissioned & kinds.keys()


def test_a_failed_check_is_made_good_within_two_days(platform: Platform) -> None:
    checks = rows_of(platform, "source_check")
    passed: dict[tuple[str, str, str], list[dt.datetime]] = {}
    for row in checks:
        if row["is_passed"]:
            passed.setdefault((row["permit_no"], row["outlet_code"], row["factor_code"]), []).append(row["checked_at"])
    failed = [row for row in checks if row["is_passed"] is False]
    assert {row["check_kind"] for row in failed} == {"calibration", "standard_check"}
    for row in failed:
        moments = passed[row["permit_no"], row["outlet_code"], row["factor_code"]]
        after = min((m for m in moments if m > row["checked_at"]), default=None)
        before = max(m for m in moments if m < row["checked_at"])
        assert before >= row["checked_at"] - dt.timedelta(hours=24)
        assert after is None or after <= row["checked_at"] + dt.timedelta(hours=40)
    for row in checks:
        manual = row["check_kind"] == "manual"
        assert manual == (row["is_passed"] is None) == (row["manual_kg"] is not None) == (row["sample_count"] == 4)


def test_every_outlet_is_compared_once_a_quarter_and_never_in_days_to_come(platform: Platform) -> None:
    counted: Counter[tuple[str, str, str, int, int]] = Counter()
    for row in rows_of(platform, "source_check"):
        at = row["checked_at"].astimezone(TIME_ZONE)
        assert row["checked_at"] <= platform.now()
        if row["check_kind"] == "comparison":
            counted[row["permit_no"], row["outlet_code"], row["factor_code"], at.year, (at.month - 1) // 3] += 1
    monitored = {key[:3] for key in counted}
    whole = [(2025, 0), (2025, 1), (2025, 2), (2025, 3), (2026, 0), (2026, 1), (2026, 2)]
    assert set(counted.values()) == {1}
    assert all((*outlet, *quarter) in counted for outlet in monitored for quarter in whole)


#: formulas of the account, as 环办综合函〔2022〕350号 has them, for what the stand-in's projects report
FORMULAS: dict[str, Callable[[dict[str, float]], float]] = {
    "wwtp_volume": lambda t: (t["q_y"] - t["q_0"]) * (t["c_in"] - t["c_out"]) / 100,
    "wwtp_upgrade": lambda t: t["q_0"] * (t["c_out_0"] - t["c_out_y"]) / 100,
    "network": lambda t: t["q"] * (t["c_in_y"] - t["c_in_0"]) / 100 - t["added_out"],
    "reclaimed_water": lambda t: t["q_reuse"] * t["c_out"] / 100,
    "rural_sewage": lambda t: t["p"] * t["g"] * 3.65 * t["coverage"] * t["eta"],
    "water_upgrade": lambda t: t["q_0"] * (t["c_0"] - t["c_y"]) / 100,
    "livestock": lambda t: t["n"] * t["pig_factor"] * t["e"] * (t["eta_y"] - t["eta_0"]) / 1000,
    "nox_ratio": lambda t: t["base"] * (1 - t["c_y"] * t["v_y"] / (t["c_0"] * t["v_0"])),
    "nox_cems": lambda t: t["base"] - t["e_y"] * t["g_0"] / t["g_y"],
    "product_concentration": lambda t: t["g"] * t["v"] * (t["c_0"] - t["c_y"]) / 1e9,
    "vehicle": lambda t: t["n"] * (t["ef_old"] - t["ef_new"]) * t["vkt"] / 1e6,
    "vocs_substitution": lambda t: t["m"] * (t["w_before"] - t["w_after"]) * (1 - t["c"] * t["eta"]),
    "vocs_treatment": lambda t: t["p"] * (t["c_y"] * t["eta_y"] - t["c_0"] * t["eta_0"]),
    "living_growth": lambda t: t["d_pop"] * t["g"] * 3.65,
    "industry_growth": lambda t: t["d_output"] * t["intensity"],
    "coal_growth": lambda t: t["d_coal"] * t["ef"],
    "vehicle_growth": lambda t: t["d_n"] * t["ef"] * t["vkt"] / 1e6,
}


def list_results(platform: Platform, kind: str) -> dict[tuple[str, str, int], float]:
    """Return item, pollutant and year -> tonnes of all its formulas; the national coefficients."""
    path = get_settings().dbt_project / "seeds" / "accounting_coefficient.csv"
    with path.open(encoding="utf-8", newline="") as file:
        chosen = {r["coefficient_id"]: float(r["value"]) for r in csv.DictReader(file) if not r["province_code"]}
    bases = {(r["source_code"], r["pollutant_id"]): r["base_t"] for r in rows_of(platform, "emission_base")}
    projects = {(r["project_id"], r["pollutant_id"]): r["source_code"] for r in rows_of(platform, "reduction_project")}
    parts: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows_of(platform, "accounting_quantity"):
        if row["item_kind"] == kind and row["formula_id"] != "closure":
            key = tuple(row[name] for name in ("item_code", "pollutant_id", "year", "formula_id", "part"))
            value = chosen[row["choice"]] if row["choice"] else float(row["value"])
            parts.setdefault(key, {})[row["quantity"]] = value
    results: Counter[tuple[str, str, int]] = Counter()
    for (item, pollutant, year, formula, _), terms in parts.items():
        base = float(bases.get((projects.get((item, pollutant), ""), pollutant), 0))
        results[item, pollutant, int(year)] += FORMULAS[formula](terms | {"base": base})  # type: ignore[assignment]
    return dict(results)


def test_formulas_give_a_little_more_than_most_projects_claim(platform: Platform) -> None:
    claims = {
        (r["project_id"], r["pollutant_id"]): float(r["claimed_t"])
        for r in rows_of(platform, "reduction_project")
        if r["claimed_t"] is not None
    }
    shares = {key[:2]: tonnes / claims[key[:2]] for key, tonnes in list_results(platform, "project").items()}
    below = {key for key, share in shares.items() if share < 1}
    assert below == {("P-008", "nox"), ("P-026", "vocs")}
    assert all(0.69 < shares[key] < 0.71 for key in below)
    assert {key: share for key, share in shares.items() if key not in below and not 1.015 < share < 1.085} == {}
    closed = {("P-009", "nox"), ("P-022", "cod"), ("P-022", "nh3n")}
    assert claims.keys() - shares.keys() - closed == {("P-007", "nox"), ("P-030", "vocs")}


def test_growth_is_small_beside_the_base(platform: Platform) -> None:
    bases: Counter[tuple[str, str]] = Counter()
    for row in rows_of(platform, "emission_base"):
        bases[row["county_code"], row["pollutant_id"]] += row["base_t"]
    growth = list_results(platform, "growth")
    assert {year for *_, year in growth} == {2021, 2022, 2023, 2024}
    assert {key[:2] for key in growth} == bases.keys()
    shares = {key: tonnes / float(bases[key[:2]]) for key, tonnes in growth.items()}
    assert {key: share for key, share in shares.items() if not 0 < share <= 0.01} == {}


def test_three_credit_regimes_use_their_own_grades(platform: Platform) -> None:
    grades = {
        "NAT2013": {"环保诚信企业", "环保良好企业", "环保警示企业", "环保不良企业"},
        "HN-A": {"环保诚信", "环保合格", "环保风险", "环保不良"},
        "HN-B": {"绿牌", "蓝牌", "黄牌", "红牌", "黑牌"},
    }
    rows = rows_of(platform, "credit_evaluation")
    assert {row["regime"] for row in rows} == set(grades)
    for row in rows:
        assert row["grade"] in grades[row["regime"]]
        assert (row["regime"] == "HN-B") == (row["eval_year"] >= 2023)
        assert row["published_date"].year == row["eval_year"] + 1


def test_a_repair_raises_the_grade_that_was_published(platform: Platform) -> None:
    evaluated = {(r["uscc"], r["regime"], r["eval_year"]): r for r in rows_of(platform, "credit_evaluation")}
    repairs = rows_of(platform, "credit_repair")
    assert {row["regime"] for row in repairs} == {"HN-A", "HN-B"}
    for row in repairs:
        evaluation = evaluated[row["uscc"], row["regime"], row["eval_year"]]
        assert row["grade_before"] == evaluation["grade"] != row["grade_after"]
        assert row["repaired_date"] > evaluation["published_date"]


def test_waste_is_balanced_but_for_two_forgotten_shipments(platform: Platform) -> None:
    rows = rows_of(platform, "hazardous_waste_balance")
    closing = {(r["uscc"], r["waste_code"], r["year"]): r["closing_stock_t"] for r in rows}
    unbalanced = 0
    for row in rows:
        due = row["opening_stock_t"] + row["generated_t"] - row["utilised_t"] - row["disposed_t"]
        unbalanced += due != row["closing_stock_t"]
        before = closing.get((row["uscc"], row["waste_code"], row["year"] - 1))
        assert before in (None, row["opening_stock_t"]), row
    assert unbalanced == 2


def test_targets_and_returns_leave_honest_gaps(platform: Platform) -> None:
    targets = rows_of(platform, "provincial_target")
    assert {row["indicator_no"] for row in targets} == {1, 2, 3, 10, 11, 12, 13, 14, 15, 25, 26}
    assert {row["metric"] for row in targets if 12 <= row["indicator_no"] <= 15} == {"tonnes"}
    returned = {row["indicator_no"] for row in rows_of(platform, "department_return")}
    assert returned == {10, 11, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28}
    assert not {"C10", "C18"} & {row["commitment_id"] for row in rows_of(platform, "commitment_return")}


def test_counties_add_up_to_the_city_in_what_departments_return(platform: Platform) -> None:
    returned: dict[tuple[int, str, int], dict[str, tuple[Any, Any]]] = {}
    for row in rows_of(platform, "department_return"):
        of_year = returned.setdefault((row["indicator_no"], row["part"], row["year"]), {})
        of_year.setdefault(row["region_code"], (row["numerator"], row["denominator"]))
        assert row["indicator_no"] in (25, 26) or row["numerator"] <= row["denominator"]
    complete = {key: regions for key, regions in returned.items() if len(regions) == 6}
    assert len(complete) >= 40
    for key, regions in complete.items():
        city = regions.pop("430300")
        assert tuple(map(sum, zip(*regions.values(), strict=True))) == city, key


def test_every_point_that_is_sampled_is_registered_and_the_lake_has_what_a_lake_needs(platform: Platform) -> None:
    points = {(row["sample_kind"], row["point_code"]): row for row in rows_of(platform, "water_point")}
    samples = rows_of(platform, "water_sample", ANY_DAY - dt.timedelta(days=62), ANY_DAY)
    assert {(row["sample_kind"], row["point_code"]) for row in samples} <= points.keys()
    assert sum(row["sample_kind"] == "section" and row["is_assessed"] for row in points.values()) == 10
    lakes = {row["point_code"] for row in samples if row["item_code"] in ("w01004", "w01016")}
    assert lakes == {code for (kind, code), row in points.items() if kind == "section" and row["body_kind"] == "lake"}


def test_one_water_fell_back_and_was_healed(platform: Platform) -> None:
    checks = rows_of(platform, "water_body_check")
    assert len({row["body_code"] for row in checks if row["built_up_kind"] == "prefecture_city"}) == 23
    black = [row for row in checks if row["treated_date"] and row["nh3n_mg_l"] > 8]
    assert {(row["body_code"], row["checked_date"].year) for row in black} == {("HC07", 2023)}


def test_another_seed_is_another_city() -> None:
    one, same, other = City(1), City(1), City(2)
    assert one.tables() == same.tables()
    assert one.uscc("steel") != other.uscc("steel")
