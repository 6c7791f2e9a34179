"""A third plan is rows of seeds and no code: other indicators, other counties, other years, assessment points of its own."""

# ruff: noqa: E501 — a row of a table is one line

from __future__ import annotations

import csv
import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.settings import Settings, get_settings
from tanhuan.warehouse.build import run_dbt

AS_OF = dt.date(2032, 1, 31)
CITY, XIANGXIANG, SHAOSHAN = "430300", "430381", "430382"
DOC = {"source_doc": "试验规划〔2027〕1号", "confidence": "design"}
MODELS = (
    "path:models/intermediate/plan", "ind_plan_indicator", "ind_plan_verdict", "ind_plan_commitment", "ind_plan_note", "dim_indicator",
    "plan", "region", "assessment_cause", "resource_type:seed,plan_*", "plans_have_their_indicators",
)  # fmt: skip

#: the rows that make the plan
NEW_ROWS: dict[str, list[dict[str, Any]]] = {
    "plan": [
        {"plan_id": "99", "title_zh": "试验规划", "title_en": "Trial plan", "region_code": CITY, "start_year": 2027, "end_year": 2030,
         "base_year": 2026, "indicator_count": 5, "binding_count": 4, "doc_no": "试验规划〔2027〕1号", "issued_date": "2027-01-05"},
    ],
    "plan_assessment_point": [
        {"plan_id": "99", "assessment_point": "CHECK_2028", "point_kind": "mid", "year": 2028, "due_date": "2028-09-30"},
        {"plan_id": "99", "assessment_point": "END_2030", "point_kind": "final", "year": 2030, "due_date": "2030-12-31"},
    ],
    "plan_indicator": [
        {"plan_id": "99", "target_year": 2030, "coverage_min": 1, "attribute": "约束性", "decimals": 0, **row}
        for row in (
            {"indicator_no": 1, "indicator": "噪声", "unit": "dB", "kind": "N", "op": "<=", "target_num": 55, "direction": "down",
             "path": "even", "value_source": "department_return", "value_key": "1", "value_rule": "ratio", "target_raw": "55"},
            {"indicator_no": 2, "indicator": "单位产值水耗降低", "unit": "%", "kind": "N", "op": ">=", "target_num": 16, "direction": "up",
             "value_source": "department_return", "value_key": "2", "value_rule": "intensity_drop", "target_raw": "16"},
            {"indicator_no": 3, "indicator": "地下水Ⅴ类比例", "unit": "%", "kind": "N", "op": "<=", "target_num": 0, "direction": "down",
             "value_source": "water", "value_key": "groundwater_v_ratio", "value_rule": "given", "decimals": 4, "target_raw": "0"},
            {"indicator_no": 4, "indicator": "PM2.5", "unit": "μg/m3", "kind": "P", "op": "<=", "direction": "down", "coverage_min": "",
             "value_source": "air_pm25_mean", "value_key": "strict", "value_rule": "given", "target_raw": "省级下达"},
            {"indicator_no": 5, "indicator": "湿地面积", "unit": "%", "kind": "Q", "direction": "hold", "attribute": "指导性", "decimals": 1,
             "value_source": "department_return", "value_key": "5", "value_rule": "ratio", "target_raw": "保持稳定"},
        )
    ],
    "plan_indicator_region": [
        *({"plan_id": "99", "indicator_no": n, "region_code": CITY, "shown": "always"} for n in range(1, 6)),
        {"plan_id": "99", "indicator_no": 1, "region_code": XIANGXIANG, "shown": "always"},
        {"plan_id": "99", "indicator_no": 1, "region_code": SHAOSHAN, "shown": "with_value"},
        {"plan_id": "99", "indicator_no": 4, "region_code": SHAOSHAN, "shown": "with_value"},
    ],
    "plan_baseline": [{"plan_id": "99", "indicator_no": 1, "year": 2026, "value": 61, "baseline_kind": "level", "is_path_start": "true"}],
    "plan_path": [{"plan_id": "99", "path": "even", "year": year, "share_pct": share} for year, share in ((2028, 50), (2030, 100))],
    "plan_guard": [
        {"plan_id": "99", "indicator_no": 5, "guard_no": 1, "quantity": "numerator", "guard_kind": "not_below_base", "bound": 0,
         "guard_zh": "面积不减少", "guard_en": "area does not shrink"},
    ],
    "plan_note": [{"plan_id": "99", "note_id": "N01", "indicator_no": 1, "note_zh": "试验「噪声」", "note_en": "a trial"}],
    "plan_commitment": [
        {"plan_id": "99", "commitment_id": "X1", "section": "一", "commitment_zh": "建成40处", "commitment_en": "40 built", "due_text": "2029年",
         "due_date": "2029-12-31", "due_kind": "once", "op": ">=", "target_value": 40, "unit": "处", "decimals": 0,
         "value_source": "commitment_return", "value_key": "X1", "coverage_min": 1},
    ],
}  # fmt: skip


def returned(no: int, region: str, year: int, numerator: str, denominator: str) -> dict[str, Any]:
    return {
        "plan_id": "99", "indicator_no": no, "region_code": region, "year": year, "part": "1", "numerator": Decimal(numerator),
        "denominator": Decimal(denominator), "issuer": "试", "doc_no": f"R{year}", "as_of_date": dt.date(year, 12, 31),
        "issued_date": dt.date(year + 1, 1, 10), "data_basis": "measured",
    }  # fmt: skip


RETURNS = [
    returned(1, CITY, 2028, "58.4", "1"), returned(1, CITY, 2030, "55.4", "1"), returned(1, XIANGXIANG, 2030, "60", "1"),
    returned(2, CITY, 2026, "100", "10"), returned(2, CITY, 2030, "92.4", "11"),
    returned(5, CITY, 2026, "300", "5006"), returned(5, CITY, 2030, "301", "5006"),
]  # fmt: skip
ORDERS = [
    {"plan_id": "99", "indicator_no": no, "region_code": region, "year": 2030, "target_value": value, "unit": unit, "metric": "level",
     "doc_no": f"省〔2027〕{no}号", "issued_date": dt.date(2027, 3, 1), "superseded_date": None, "data_basis": "measured"}
    for no, region, value, unit in ((4, CITY, 30, "ug/m3"), (1, XIANGXIANG, 58, "dB"))
]  # fmt: skip
AIR = [
    {"region_code": region, "period_kind": "year", "year": year, "basis": "strict", "series": "all", "pm25_mean_ug_m3": Decimal("30.4"),
     "pm25_valid_days": 350, "required_days": 324, "pm25_full_months": 12, "pm25_is_sufficient": True, "standard_code": "HJ 663-2026",
     "data_basis": "measured", "inputs_hash": "a"}
    for region, year in ((CITY, 2030), (SHAOSHAN, 2030), (CITY, 2031))
]  # fmt: skip
WATER = [
    {"region_code": CITY, "year": 2030, "measure": "groundwater_v_ratio", "numerator": 0, "denominator": 12, "value_pct": 0, "coverage_n": 12,
     "coverage_required": 12, "is_sufficient": True, "standard_code": "GB/T 14848-2017", "data_basis": "measured", "inputs": "w"},
]  # fmt: skip

#: what the plan's models read, in their columns, with the rows of this trial
GIVEN: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "raw.night": ("as_of date", [{"as_of": AS_OF}]),
    "staging.stg_returns__department_return": (
        "plan_id varchar, indicator_no integer, region_code varchar, year integer, part varchar, numerator decimal(18,4), "
        "denominator decimal(18,4), issuer varchar, doc_no varchar, as_of_date date, issued_date date, data_basis varchar",
        RETURNS,
    ),
    "staging.stg_returns__provincial_target": (
        "plan_id varchar, indicator_no integer, region_code varchar, year integer, target_value decimal(18,4), unit varchar, "
        "metric varchar, doc_no varchar, issued_date date, superseded_date date, data_basis varchar",
        ORDERS,
    ),
    "staging.stg_returns__commitment_return": (
        "plan_id varchar, commitment_id varchar, region_code varchar, year integer, numerator decimal(18,4), denominator decimal(18,4), "
        "quantity_unit varchar, issuer varchar, doc_no varchar, as_of_date date, issued_date date, data_basis varchar",
        [{"plan_id": "99", "commitment_id": "X1", "region_code": CITY, "year": 2029, "numerator": 38, "denominator": 1, "quantity_unit": "处",
          "issuer": "试", "doc_no": "R", "as_of_date": dt.date(2029, 12, 31), "issued_date": dt.date(2030, 1, 9), "data_basis": "measured"}],
    ),
    "staging.stg_returns__hazardous_waste_balance": (
        "uscc varchar, year integer, opening_stock_t decimal(18,4), generated_t decimal(18,4), utilised_t decimal(18,4), "
        "disposed_t decimal(18,4), closing_stock_t decimal(18,4), doc_no varchar, data_basis varchar",
        [],
    ),
    "main.mart_air_period": (
        "region_code varchar, period_kind varchar, year integer, basis varchar, series varchar, good_ratio_pct decimal(9,1), "
        "judged_days bigint, pm25_mean_ug_m3 decimal(18,4), pm25_valid_days bigint, required_days decimal(18,4), judged_full_months bigint, "
        "pm25_full_months bigint, judged_is_sufficient boolean, pm25_is_sufficient boolean, standard_code varchar, data_basis varchar, "
        "inputs_hash varchar",
        AIR,
    ),
    "intermediate.int_water__indicator_year": (
        "region_code varchar, year integer, measure varchar, numerator decimal(18,4), denominator decimal(18,4), value_pct decimal(18,6), "
        "coverage_n integer, coverage_required integer, is_sufficient boolean, standard_code varchar, data_basis varchar, inputs varchar",
        WATER,
    ),
    "intermediate.int_reduction__region_year": (
        "region_code varchar, region_level varchar, pollutant_id varchar, year integer, base_t decimal(18,4), verified_cum_t decimal(18,6), "
        "rate_b_pct decimal(12,2), project_count integer, source_count integer, evidence_gap_count integer, data_basis varchar",
        [],
    ),
    "intermediate.int_reduction__target_split": (
        "region_code varchar, pollutant_id varchar, year integer, target_year integer, target_t decimal(18,4), target_doc_no varchar, "
        "data_basis varchar",
        [],
    ),
    "main.mart_water_body_status": (
        "body_code varchar, county_code varchar, built_up_kind varchar, half_start_date date, is_relapsed boolean",
        [],
    ),
    "main.dim_permit": ("permit_no varchar, industry_code varchar", []),
    "main.dim_station": ("station_code varchar, station_kind varchar, valid_from_date date, data_basis varchar", []),
    "main.fct_source_day": (
        "permit_no varchar, outlet_code varchar, pollutant_id varchar, business_date date, max_corrected_mg_m3 decimal(18,4), "
        "is_valid_day boolean, data_basis varchar",
        [],
    ),
}  # fmt: skip


def copy_project(root: Path) -> None:
    """Copy the project as it is, and add rows to its seeds; no other file changes."""
    original = get_settings().dbt_project
    shutil.copytree(original, root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs", "dbt_packages"))
    for seed, rows in NEW_ROWS.items():
        path = root / "dbt_project" / "seeds" / f"{seed}.csv"
        with path.open(encoding="utf-8", newline="") as handle:
            names = next(csv.reader(handle))
        with path.open("a", encoding="utf-8", newline="") as handle:
            csv.DictWriter(handle, names, restval="", lineterminator="\n").writerows({**DOC, **row} for row in rows)


def give(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse)) as con:
        for relation, (columns, rows) in GIVEN.items():
            con.execute(f"create schema if not exists {relation.split('.')[0]}")
            con.execute(f"create table {relation} ({columns})")
            if rows:
                con.execute(f"insert into {relation} by name select unnest($rows, recursive := true)", {"rows": rows})


@pytest.mark.slow
def test_a_new_plan_is_rows_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANHUAN_WAREHOUSE", "")
    copy_project(tmp_path / "checkout")
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(home=home, project_root=tmp_path / "checkout", _env_file=None)  # type: ignore[call-arg]
    give(settings.warehouse)
    run_dbt(
        ["build", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious", "--select", *MODELS],
        settings,
    )

    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        rows = con.execute(
            "select indicator_no, region_code, assessment_point, status, cause from ind_plan_indicator "
            "where plan_id = '99' and assessment_point in ('CHECK_2028', 'END_2030', 'ANNUAL_2031') order by all"
        ).fetchall()
        verdicts = con.execute(
            "select region_code, assessment_point, verdict, binding_count, binding_attained_count from ind_plan_verdict "
            "where plan_id = '99' and assessment_point in ('CHECK_2028', 'END_2030') order by all"
        ).fetchall()
        promise = con.execute("select year, value, status from ind_plan_commitment where plan_id = '99'").fetchall()
        drop = con.execute(
            "select value, numerator, denominator from ind_plan_indicator "
            "where plan_id = '99' and indicator_no = 2 and assessment_point = 'END_2030'"
        ).fetchone()
        other_plans = con.execute(
            "select plan_id, count(*) from ind_plan_indicator where assessment_point in ('FINAL_2020', 'FINAL_2025') "
            "and region_code = '430300' group by plan_id order by plan_id"
        ).fetchall()

    assert [row for row in rows if row[1] == CITY] == [
        # 61 in 2026 and 55 in 2030: half-way 58; 58.4 is rounded to it
        (1, CITY, "CHECK_2028", "on_track", "path_met"),
        (1, CITY, "END_2030", "attained", "target_met"),
        (2, CITY, "CHECK_2028", "data_missing", "data_missing"),
        (2, CITY, "END_2030", "attained", "target_met"),
        (3, CITY, "CHECK_2028", "data_missing", "data_missing"),
        (3, CITY, "END_2030", "attained", "target_met"),
        (4, CITY, "ANNUAL_2031", "not_assessed", "after_plan"),
        (4, CITY, "CHECK_2028", "data_missing", "data_missing"),
        (4, CITY, "END_2030", "attained", "target_met"),
        (5, CITY, "CHECK_2028", "data_missing", "data_missing"),
        (5, CITY, "END_2030", "qualitative_review", "guard_passed"),
    ]
    # The county has an order of its own; in 韶山 only the air has a value, and no target.
    assert [row for row in rows if row[1] != CITY] == [
        (1, XIANGXIANG, "CHECK_2028", "data_missing", "data_missing"),
        (1, XIANGXIANG, "END_2030", "not_attained", "target_not_met"),
        (4, SHAOSHAN, "CHECK_2028", "data_missing", "data_missing"),
        (4, SHAOSHAN, "END_2030", "target_missing", "target_missing"),
    ]
    assert drop == (Decimal("16.0000"), Decimal("92.4000"), Decimal("11.0000")), "1 - (92.4 / 11) / (100 / 10)"
    assert verdicts == [
        (CITY, "CHECK_2028", "undecided", 4, 0),
        (CITY, "END_2030", "attained", 4, 4),
        (XIANGXIANG, "CHECK_2028", "undecided", 1, 0),
        (XIANGXIANG, "END_2030", "not_attained", 1, 0),
        (SHAOSHAN, "CHECK_2028", "undecided", 1, 0),
        (SHAOSHAN, "END_2030", "undecided", 1, 0),
    ]
    assert promise == [(2029, Decimal("38.0000"), "not_attained")]
    assert other_plans == [("13", 27), ("14", 28)], "the plans before it stay whole"
