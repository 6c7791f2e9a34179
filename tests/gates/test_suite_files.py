"""What the suite files promise: complete, unambiguous, runnable, and able to tell good rows from bad ones."""

from __future__ import annotations

import csv
import datetime as dt
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tanhuan.contracts import Contract, load_contracts
from tanhuan.files import read_json
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import Check, load_suite
from tanhuan.settings import get_settings
from tanhuan.standards.identifiers import complete_uscc, is_valid_uscc

EXPECTATIONS = get_settings().expectations
MODELS = get_settings().dbt_project / "models"
GATES = ("source", "mart")
SEVERITY_OF_ACTION = {"refuse_row": "critical", "refuse_batch": "critical", "flag": "warning"}
ROW_TYPES = {
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_match_regex",
    "expect_column_pair_values_a_to_be_greater_than_b",
    "unexpected_rows_expectation",
}
PARAMETERS = {"as_of": "2026-11-23", "days": 1}
SUITE_PATHS = [path for gate in GATES for path in sorted((EXPECTATIONS / gate).glob("*.json"))]
CHINA = dt.timezone(dt.timedelta(hours=8))


@cache
def read_published_columns() -> dict[str, dict[str, str]]:
    """Return column name -> type of every published model, from the dbt contracts."""
    columns: dict[str, dict[str, str]] = {}
    for path in sorted(p for folder in ("marts", "indicators", "ops") for p in (MODELS / folder).rglob("*.yml")):
        for model in yaml.safe_load(path.read_text("utf-8")).get("models", []):
            columns[model["name"]] = {c["name"]: c["data_type"] for c in model["columns"]}
    return columns


def read_columns(path: Path) -> dict[str, str]:
    """Return column name -> type of the table that a suite file judges."""
    if path.parent.name == "source":
        return {c.name: c.type for c in load_contracts()[path.stem].columns}
    return read_published_columns()[path.stem]


def create_table(con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str]) -> None:
    con.execute(f'create or replace table "{table}" ({", ".join(f"{n} {t}" for n, t in columns.items())})')


def list_known_statements() -> list[str]:
    """Return the statements that make schema `known` as a gate shows it, with nothing admitted yet."""
    more = {"business_date": "DATE", "_row_hash": "VARCHAR"}
    tables = {name: {c.name: c.type for c in contract.columns} | more for name, contract in load_contracts().items()}
    described = {name: ", ".join(f"{c} {t}" for c, t in columns.items()) for name, columns in tables.items()}
    return ["create schema known", *(f"create table known.{name} ({columns})" for name, columns in described.items())]


def as_great_expectations_runs_it(query: str, table: str) -> str:
    return query.format(batch=f'(select * from "{table}") as subselect')


def named_columns(expectation: dict[str, Any]) -> set[str]:
    kwargs = expectation["kwargs"]
    names = {kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs}
    return names | set(kwargs.get("column_list", []))


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'Asia/Shanghai'")
        for statement in list_known_statements():
            connection.execute(statement)
        yield connection


@pytest.fixture(params=SUITE_PATHS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_contract_table_has_a_source_suite() -> None:
    assert {p.stem for p in SUITE_PATHS if p.parent.name == "source"} == set(load_contracts())


def test_every_published_table_has_a_mart_suite() -> None:
    assert {p.stem for p in SUITE_PATHS if p.parent.name == "mart"} == set(read_published_columns())


def test_ids_are_unique_across_all_suites() -> None:
    counted = Counter(e["meta"]["id"] for p in SUITE_PATHS for e in read_json(p)["expectations"])
    assert not [check_id for check_id, count in counted.items() if count > 1]


def test_a_suite_is_named_after_its_gate_and_table(path: Path) -> None:
    data = read_json(path)
    assert data["name"] == f"{path.parent.name}.{path.stem}"
    assert data["meta"] == {"table": path.stem, "gate": path.parent.name}


def test_every_expectation_says_what_a_clerk_needs(path: Path) -> None:
    prefixes = set()
    for expectation in read_json(path)["expectations"]:
        meta, severity = expectation["meta"], expectation["severity"]
        assert set(meta) == {"id", "level", "action", "zh", "en", "source"}, meta
        assert re.fullmatch(r"(SRC|MART)-[A-Z0-9]{2,4}-\d{3}", meta["id"]), meta["id"]
        prefixes.add(meta["id"].rsplit("-", 1)[0])
        assert severity == SEVERITY_OF_ACTION[meta["action"]], f"{meta['id']}: severity {severity}"
        assert meta["level"] in ("row", "batch"), meta["id"]
        assert re.search("[\u4e00-\u9fff]{4}", meta["zh"]), f"{meta['id']}: zh is no Chinese sentence"
        assert len(meta["en"].split()) >= 5, f"{meta['id']}: en is no sentence"
        assert meta["source"], f"{meta['id']}: no source is cited"
    assert len(prefixes) == 1, f"one table, one prefix: {prefixes}"


def test_a_row_is_only_refused_by_a_row_check_and_a_batch_by_a_batch_check(path: Path) -> None:
    for expectation in read_json(path)["expectations"]:
        meta = expectation["meta"]
        if path.parent.name == "mart":
            # a published table is refused as a whole or not at all
            assert meta["action"] in ("refuse_batch", "flag"), meta["id"]
        else:
            assert meta["action"] in ("flag", f"refuse_{meta['level']}"), meta["id"]


def test_a_suite_is_small_enough_for_a_night(path: Path) -> None:
    low, high = (5, 26) if path.parent.name == "source" else (2, 16)
    assert low <= len(read_json(path)["expectations"]) <= high


def test_columns_named_exist(path: Path) -> None:
    known = set(read_columns(path))
    for expectation in read_json(path)["expectations"]:
        unknown = named_columns(expectation) - known
        assert not unknown, f"{expectation['meta']['id']} names unknown columns {sorted(unknown)}"


def test_row_checks_compile_and_run_on_the_contract_columns(path: Path, con: duckdb.DuckDBPyConnection) -> None:
    create_table(con, path.stem, read_columns(path))
    for check in load_suite(path).at("row"):
        assert check.expectation is not None
        assert check.expectation["type"] in ROW_TYPES, f"{check.id}: no row form"
        con.execute(f'select count(*) from "{path.stem}" where {compile_failing(check)}').fetchall()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of all published tables, in which the checks of a mart may name its neighbours."""
    path = tmp_path_factory.mktemp("published") / "all.duckdb"
    with duckdb.connect(str(path)) as con:
        for table, columns in read_published_columns().items():
            create_table(con, table, columns)
    return path


def test_queries_run_on_the_contract_columns(path: Path, database: Path, con: duckdb.DuckDBPyConnection) -> None:
    if path.parent.name == "mart":
        con.execute(f"attach '{database}' as published (read_only)")
        con.execute("use published")
    else:
        create_table(con, path.stem, read_columns(path))
    for check in load_suite(path).checks:
        assert check.expectation is not None
        if (query := check.expectation["kwargs"].get("unexpected_rows_query")) is None:
            continue
        # a brace besides {batch} would break the substitution; a colon before a word would be a bind parameter
        assert re.findall(r"[{}]", query.replace("{batch}", "")) == [], check.id
        assert not re.search(r":[A-Za-z_]", query), check.id
        con.execute(as_great_expectations_runs_it(query, path.stem)).fetchall()


def test_great_expectations_can_run_every_expectation(path: Path, database: Path, tmp_path: Path) -> None:
    from tanhuan.gates.engine import get_validator

    suite, validator = load_suite(path), get_validator()
    checks = list(suite.checks)
    if path.parent.name == "mart":
        with validator.open_database(database) as batch_of:
            results = validator.check(batch_of(path.stem), suite, checks, PARAMETERS)
    else:
        parquet = tmp_path / "batch.parquet"
        with duckdb.connect() as con:
            create_table(con, path.stem, read_columns(path))
            con.execute(f"copy \"{path.stem}\" to '{parquet}'")
        with validator.open_parquet(str(parquet), list_known_statements()) as batch:
            results = validator.check(batch, suite, checks, PARAMETERS)
    raised = [f"{r.id}: {r.observed}" for r in results if "Error" in (r.observed or "")]
    assert not raised


# ---------------------------------------------------------------- lists that the rule seeds hold too


def read_seed(name: str) -> list[dict[str, str]]:
    with (get_settings().dbt_project / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def value_set(table: str, check_id: str) -> set[str]:
    expectations = read_json(EXPECTATIONS / "source" / f"{table}.json")["expectations"]
    return set(next(e["kwargs"]["value_set"] for e in expectations if e["meta"]["id"] == check_id))


def query_of(table: str, check_id: str) -> str:
    expectations = read_json(EXPECTATIONS / "source" / f"{table}.json")["expectations"]
    return str(next(e["kwargs"]["unexpected_rows_query"] for e in expectations if e["meta"]["id"] == check_id))


def test_counties_and_zones_are_those_of_the_region_seed() -> None:
    regions = read_seed("region")
    counties = {r["region_code"] for r in regions if r["level"] == "county"}
    assert value_set("permit", "SRC-PE-070") == value_set("emission_base", "SRC-EB-020") == counties
    assert value_set("complaint", "SRC-CM-020") == counties
    assert value_set("permit", "SRC-PE-080") == {r["region_code"] for r in regions if r["level"] == "zone"}
    assert value_set("water_point", "SRC-WP-030") == value_set("water_body_check", "SRC-WB-020") == counties
    assert value_set("air_exception_event", "SRC-AX-020") == counties | {"430300"}
    for table, check_id in (
        ("provincial_target", "PT-020"),
        ("department_return", "DR-020"),
        ("commitment_return", "CT-030"),
    ):
        assert set(re.findall(r"'(43[0-9]{4})'", query_of(table, f"SRC-{check_id}"))) == counties | {"430300"}, table


def test_stations_are_those_of_the_station_seed() -> None:
    assert value_set("air_hour", "SRC-AH-150") == {r["station_code"] for r in read_seed("station")}


def test_flags_and_factors_are_those_of_the_seeds() -> None:
    assert value_set("source_hour", "SRC-SH-110") == {r["flag"] for r in read_seed("instrument_flag") if r["flag"]}
    factors = {r[c] for r in read_seed("pollutant_factor") for c in ("factor_code", "flow_factor_code")}
    assert factors <= value_set("source_hour", "SRC-SH-100")


@pytest.mark.parametrize("contract", load_contracts().values(), ids=lambda c: c.table)
def test_a_contracts_range_is_the_one_its_suite_checks(contract: Contract) -> None:
    written = {c.name: tuple(None if b is None else Decimal(b) for b in c.range) for c in contract.columns if c.range}
    checked = {}
    for check in load_suite(EXPECTATIONS / "source" / f"{contract.table}.json").at("row"):
        assert check.expectation is not None
        kwargs = check.expectation["kwargs"]
        bounds = [kwargs.get("min_value"), kwargs.get("max_value")]
        plain = check.expectation["type"] == "expect_column_values_to_be_between"
        if plain and not any(isinstance(bound, str) for bound in bounds):
            checked[kwargs["column"]] = tuple(None if b is None else Decimal(str(b)) for b in bounds)
    assert written == checked


def test_evidence_kinds_are_those_of_the_evidence_rules() -> None:
    required = {r["evidence_kind"] for r in read_seed("reduction_evidence_rule")}
    # The calculation is computed here, nobody hands it in; no category asks for a reversal.
    assert value_set("reduction_evidence", "SRC-RE-020") == required - {"calculation"} | {"reversal"}


def test_kinds_of_checks_are_those_of_the_rules_and_manual_sampling() -> None:
    ruled = {r["check_kind"] for r in read_seed("source_check_rule")}
    assert value_set("source_check", "SRC-SK-040") == ruled | {"manual"}


def test_coefficients_that_may_be_chosen_are_those_of_the_seed() -> None:
    known = {r["coefficient_id"] for r in read_seed("accounting_coefficient")}
    assert value_set("accounting_quantity", "SRC-AQ-130") == known


QUANTITY_OF_USE = {"reduction": "project", "growth": "growth", "emission": "estimate"}


def test_formulas_terms_and_units_are_those_of_the_seeds(con: duckdb.DuckDBPyConnection) -> None:
    items = {"project": "P2-1", "growth": "430302", "estimate": f"{PERMIT}/DA001"}
    kinds = {r["formula_id"]: QUANTITY_OF_USE[r["use"]] for r in read_seed("accounting_formula")}
    terms = [r for r in read_seed("accounting_term") if r["quantity"] != "base_t"]
    good = [
        GOOD_ROWS["accounting_quantity"]
        | {"item_kind": kinds[term["formula_id"]], "item_code": items[kinds[term["formula_id"]]], "value": 1}
        | {name: term[name] for name in ("formula_id", "quantity")}
        | {"unit": term["unit"] or "万t"}
        for term in terms
    ]
    fill_table(con, "accounting_quantity", good)
    assert failing_row_checks(con, "accounting_quantity") == set()
    spoilt = [(0, {"quantity": "x"}, 1), (0, {"unit": "m³/a"}, 1), (0, {"formula_id": "wwtp"}, 2)]
    spoilt += [
        (n, {"item_kind": "growth", "item_code": "430302"}, 1)
        for n, r in enumerate(good)
        if r["item_kind"] == "project"
    ]
    for number, change, checks in spoilt:
        fill_table(con, "accounting_quantity", [good[number] | change])
        assert len(failing_row_checks(con, "accounting_quantity")) == checks, (good[number], change)


def test_every_grade_with_a_rank_is_admitted_and_no_other(con: duckdb.DuckDBPyConnection) -> None:
    ranked = [(r["regime"], r["grade"]) for r in read_seed("credit_grade")]
    regimes, grades = {r for r, _ in ranked}, {g for _, g in ranked}
    offered = [(r, g) for r in sorted(regimes) for g in sorted(grades)]
    fill_table(
        con,
        "credit_evaluation",
        [GOOD_ROWS["credit_evaluation"] | {"regime": r, "grade": g} for r, g in offered],
    )
    suite = load_suite(EXPECTATIONS / "source" / "credit_evaluation.json")
    rule = compile_failing(next(c for c in suite.checks if c.id == "SRC-CE-060"))
    admitted = con.execute(f"select regime, grade from credit_evaluation where not ({rule})").fetchall()
    assert sorted(admitted) == sorted(ranked)


# ---------------------------------------------------------------- what the rules catch, and what they let pass

PERMIT = "91430304MA0000001A001P"
GOOD_ROWS: dict[str, dict[str, Any]] = {
    "source_hour": {
        "mn_code": "4303040000000A0B0C0D0E01",
        "permit_no": PERMIT,
        "outlet_code": "DA001",
        "factor_code": "a21002",
        "hour_start": dt.datetime(2026, 11, 15, 0, tzinfo=CHINA),
        "avg_value": Decimal("38.6"),
        "min_value": Decimal("30.2"),
        "max_value": Decimal("47.9"),
        "corrected_avg_value": Decimal("40.1"),
        "total_value": Decimal("12.298"),
        "instrument_flag": "N",
        "data_status": "preliminary",
        "data_basis": "synthetic",
    },
    "air_hour": {
        "station_code": "1508A",
        "hour_end": dt.datetime(2019, 1, 5, 3, tzinfo=CHINA),
        "pm25_ug_m3": 40,
        "pm10_ug_m3": 62,
        "so2_ug_m3": 8,
        "no2_ug_m3": 31,
        "o3_ug_m3": 30,
        "co_mg_m3": Decimal("0.9"),
        "aqi": 57,
        "data_status": "final",
        "data_basis": "measured",
    },
    "micro_air_hour": {
        "device_code": "W001",
        "county_code": "430302",
        "nearest_station_code": "1508A",
        "hour_end": dt.datetime(2026, 11, 15, 3, tzinfo=CHINA),
        "pm25_ug_m3": 40,
        "pm10_ug_m3": 62,
        "device_status": "online",
        "data_basis": "synthetic",
    },
    "permit": {
        "permit_no": PERMIT,
        "uscc": "91430304MA0000001A",
        "enterprise_name": "甲公司",
        "site_name": "一厂",
        "county_code": "430304",
        "industry_code": "3110",
        "industry_name": "炼铁",
        "management_level": "重点管理",
        "status": "有效",
        "issued_date": dt.date(2022, 1, 1),
        "valid_from_date": dt.date(2022, 1, 1),
        "valid_to_date": dt.date(2026, 12, 31),
        "data_basis": "synthetic",
    },
    "permit_outlet": {
        "permit_no": PERMIT,
        "outlet_code": "DW001",
        "outlet_name": "总排口",
        "medium": "water",
        "outlet_type": "主要排放口",
        "discharge_mode": "direct",
        "receiving_water": "湘江",
        "longitude": Decimal("112.9"),
        "latitude": Decimal("27.8"),
        "data_basis": "synthetic",
    },
    "permit_limit": {
        "permit_no": PERMIT,
        "outlet_code": "DW001",
        "factor_code": "w01018",
        "limit_value": 50,
        "unit": "mg/L",
        "averaging": "day",
        "valid_from_date": dt.date(2022, 1, 1),
        "data_basis": "synthetic",
    },
    "permit_annual_limit": {
        "permit_no": PERMIT,
        "outlet_code": "DW001",
        "factor_code": "w01018",
        "year": 2025,
        "limit_t": 0,
        "data_basis": "synthetic",
    },
    "device_binding": {
        "mn_code": "4303040000000A0B0C0D0E01",
        "permit_no": PERMIT,
        "outlet_code": "DA001",
        "valid_from_date": dt.date(2022, 1, 1),
        "data_basis": "synthetic",
    },
    "credit_evaluation": {
        "uscc": "91430304MA0000001A",
        "enterprise_name": "甲公司",
        "eval_year": 2024,
        "regime": "HN-B",
        "grade": "蓝牌",
        "published_date": dt.date(2025, 6, 5),
        "data_basis": "synthetic",
    },
    "penalty": {
        "case_no": "潭环罚〔2024〕12号",
        "uscc": "91430304MA0000001A",
        "penalty_type": "责令改正",
        "law_basis": "《中华人民共和国水污染防治法》",
        "decided_date": dt.date(2024, 3, 1),
        "data_basis": "synthetic",
    },
    "blacklist": {
        "uscc": "91430304MA0000001A",
        "listed_date": dt.date(2024, 3, 1),
        "reason": "环境犯罪",
        "doc_no": "潭环〔2024〕1号",
        "data_basis": "synthetic",
    },
    "emission_base": {
        "source_code": "AREA-430321-livestock",
        "source_name": "畜禽养殖",
        "source_type": "agricultural",
        "county_code": "430321",
        "pollutant_id": "cod",
        "base_year": 2020,
        "base_t": 3000,
        "doc_no": "潭环函〔2021〕5号",
        "data_basis": "synthetic",
    },
    "reduction_project": {
        "project_id": "P2-1",
        "project_name": "湘钢450平烧结机",
        "source_code": PERMIT,
        "county_code": "430304",
        "category": "engineering",
        "pollutant_id": "nox",
        "plan_year": 2022,
        "planned_t": 1550,
        "doc_no": "潭政办发〔2021〕47号",
        "data_basis": "synthetic",
    },
    "reduction_evidence": {
        "project_id": "P2-1",
        "evidence_kind": "acceptance",
        "issued_date": dt.date(2022, 12, 1),
        "doc_no": "验〔2022〕3号",
        "data_basis": "synthetic",
    },
    "source_check": {
        "permit_no": PERMIT,
        "outlet_code": "DA001",
        "factor_code": "a21002",
        "check_kind": "calibration",
        "checked_at": dt.datetime(2026, 11, 12, 9, 40, tzinfo=CHINA),
        "is_passed": True,
        "doc_no": "运维〔2026〕12号",
        "data_basis": "synthetic",
    },
    "accounting_quantity": {
        "item_kind": "project",
        "item_code": "P2-1",
        "formula_id": "product_concentration",
        "pollutant_id": "nox",
        "year": 2022,
        "part": "1",
        "quantity": "c_0",
        "value": 320,
        "unit": "mg/m³",
        "doc_no": "核算〔2023〕1号",
        "data_basis": "synthetic",
    },
    "provincial_target": {
        "plan_id": "14",
        "indicator_no": 15,
        "region_code": "430300",
        "year": 2025,
        "target_value": 4200,
        "unit": "t",
        "metric": "tonnes",
        "issued_by": "省厅",
        "doc_no": "湘环函〔2022〕9号",
        "issued_date": dt.date(2022, 6, 1),
        "data_basis": "synthetic",
    },
    "department_return": {
        "plan_id": "14",
        "indicator_no": 27,
        "region_code": "430300",
        "year": 2024,
        "part": "1",
        "numerator": 234,
        "denominator": 500,
        "quantity_unit": "km2",
        "issuer": "林业局",
        "doc_no": "潭林函〔2025〕2号",
        "as_of_date": dt.date(2024, 12, 31),
        "issued_date": dt.date(2025, 3, 1),
        "data_basis": "synthetic",
    },
    "water_point": {
        "sample_kind": "section",
        "point_code": "DM01",
        "point_name": "昭山",
        "county_code": "430304",
        "water_body": "湘江",
        "body_kind": "river",
        "target_class": "Ⅲ",
        "control_level": "国控",
        "is_assessed": True,
        "province": "湖南省",
        "section_name": "昭山",
        "valid_from_date": dt.date(2020, 1, 1),
        "doc_no": "点位〔2020〕1号",
        "data_basis": "synthetic",
    },
    "source_intake": {
        "point_code": "SY01",
        "month_date": dt.date(2024, 5, 1),
        "intake_10k_m3": Decimal("512.3"),
        "issuer": "水利局",
        "doc_no": "取水〔2024〕5号",
        "issued_date": dt.date(2024, 6, 7),
        "data_basis": "synthetic",
    },
    "water_body_check": {
        "body_code": "HC01",
        "body_name": "某渠",
        "county_code": "430302",
        "built_up_kind": "prefecture_city",
        "identified_date": dt.date(2016, 5, 1),
        "treated_date": dt.date(2019, 9, 1),
        "checked_date": dt.date(2024, 6, 10),
        "transparency_cm": 40,
        "do_mg_l": Decimal("3.4"),
        "orp_mv": 120,
        "nh3n_mg_l": Decimal("2.1"),
        "satisfaction_pct": 93,
        "issuer": "住建局",
        "doc_no": "水体〔2024〕6号",
        "issued_date": dt.date(2024, 7, 1),
        "data_basis": "synthetic",
    },
    "air_exception_event": {
        "event_id": "AE-2025-01",
        "region_code": "430300",
        "pollutant_id": "pm10",
        "event_kind": "沙尘",
        "start_date": dt.date(2025, 4, 12),
        "end_date": dt.date(2025, 4, 14),
        "approved_by": "省生态环境厅",
        "doc_no": "例外〔2025〕1号",
        "issued_date": dt.date(2025, 5, 26),
        "data_basis": "synthetic",
    },
    "commitment_return": {
        "plan_id": "14",
        "commitment_id": "C14a",
        "region_code": "430300",
        "year": 2024,
        "numerator": 410,
        "denominator": 412,
        "quantity_unit": "家",
        "issuer": "农业农村局",
        "doc_no": "承诺〔2025〕14号",
        "as_of_date": dt.date(2024, 12, 31),
        "issued_date": dt.date(2025, 3, 5),
        "data_basis": "synthetic",
    },
    "water_sample": {
        "sample_kind": "section",
        "point_code": "DM01",
        "sampled_date": dt.date(2026, 9, 3),
        "item_code": "w21003",
        "value_text": "0.212",
        "value": Decimal("0.212"),
        "is_below_detection": False,
        "detection_limit": Decimal("0.025"),
        "unit": "mg/L",
        "reported_date": dt.date(2026, 9, 25),
        "doc_no": "监字〔2026〕91号",
        "data_basis": "synthetic",
    },
    "device_state": {
        "mn_code": "4303040000000A0B0C0D0E01",
        "state": "fault",
        "state_from_at": dt.datetime(2026, 11, 15, 3, tzinfo=CHINA),
        "state_to_at": dt.datetime(2026, 11, 15, 9, tzinfo=CHINA),
        "data_basis": "synthetic",
    },
    "execution_report": {
        "permit_no": PERMIT,
        "period_type": "季报",
        "period": "2025Q3",
        "factor_code": "a21002",
        "actual_t": Decimal("70.1"),
        "exceed_count": 0,
        "submitted_date": dt.date(2025, 10, 12),
        "version": 1,
        "data_basis": "synthetic",
    },
    "credit_repair": {
        "uscc": "91430304MA0000001A",
        "regime": "HN-B",
        "eval_year": 2024,
        "grade_before": "黄牌",
        "grade_after": "蓝牌",
        "repaired_date": dt.date(2026, 1, 12),
        "doc_no": "潭环信修〔2026〕1号",
        "data_basis": "synthetic",
    },
    "complaint": {
        "complaint_no": "20260903-1",
        "received_date": dt.date(2026, 9, 3),
        "county_code": "430304",
        "channel": "12345",
        "medium": "air",
        "subject": "夜间有异味",
        "status": "已办结",
        "closed_date": dt.date(2026, 9, 20),
        "data_basis": "synthetic",
    },
    "hazardous_waste_balance": {
        "uscc": "91430304MA0000001A",
        "year": 2025,
        "waste_code": "HW17",
        "opening_stock_t": 90,
        "generated_t": 1450,
        "utilised_t": 170,
        "disposed_t": 1240,
        "closing_stock_t": 130,
        "doc_no": "潭环固〔2026〕3号",
        "data_basis": "synthetic",
    },
    "water_section_4h": {
        "province": "湖南省",
        "basin": "长江流域",
        "section_name": "昭山",
        "measured_at": dt.datetime(2026, 11, 15, 8, tzinfo=CHINA),
        "water_class": "Ⅱ",
        "ph": Decimal("7.5"),
        "do_mg_l": Decimal("6.9"),
        "nh3n_mg_l": Decimal("0.09"),
        "tn_mg_l": Decimal("2.77"),
        "station_status": "正常",
        "data_status": "preliminary",
        "data_basis": "measured",
    },
}

MASSES = ("total_value", "corrected_avg_value")
SOURCE = {
    "sample_kind": "drinking_source",
    "point_code": "SY01",
    "source_level": "city",
    "is_in_use": True,
    "is_groundwater_source": False,
    "province": None,
    "section_name": None,
}
MANUAL = {"check_kind": "manual", "is_passed": None, "sample_count": 4, "manual_kg": 31}
TREATED = {"formula_id": "vocs_treatment", "pollutant_id": "vocs", "quantity": "c_0", "unit": "1"}
GROWN = {"item_kind": "growth", "item_code": "430302", "formula_id": "industry_growth", "quantity": "d_output"}
BAD_ROWS = [
    ("source_hour", {"avg_value": 38600, "max_value": 47900}, {"SRC-SH-050"}),
    ("source_hour", {"min_value": 50}, {"SRC-SH-040"}),
    ("source_hour", {"outlet_code": "DW001"}, {"SRC-SH-020"}),
    ("source_hour", {"outlet_code": "DA1"}, {"SRC-SH-020"}),
    ("source_hour", {"hour_start": dt.datetime(2026, 11, 15, 0, 30, tzinfo=CHINA)}, {"SRC-SH-030"}),
    ("source_hour", {"factor_code": "a19001", "avg_value": 21.5, "min_value": 21}, {"SRC-SH-070"}),
    ("source_hour", {"instrument_flag": "X", "avg_value": -5}, {"SRC-SH-110", "SRC-SH-170"}),
    ("source_hour", {"instrument_flag": "T", "avg_value": 9999}, {"SRC-SH-170"}),
    ("source_hour", {"instrument_flag": "T", "avg_value": 9999} | dict.fromkeys(MASSES), set()),
    ("source_hour", {"avg_value": None}, {"SRC-SH-170"}),
    ("source_hour", {"total_value": -1}, {"SRC-SH-170"}),
    ("source_hour", {"process_flag": "F"}, {"SRC-SH-170"}),
    ("source_hour", {"process_flag": "Md"}, {"SRC-SH-170"}),
    ("source_hour", {"process_flag": "St"}, set()),
    ("source_hour", {"process_flag": "X"}, {"SRC-SH-180"}),
    ("air_hour", {"co_mg_m3": 900}, {"SRC-AH-080", "SRC-AH-170"}),
    ("air_hour", {"pm25_ug_m3": -1}, {"SRC-AH-030"}),
    ("air_hour", {"pm25_ug_m3": 338, "pm10_ug_m3": 300}, {"SRC-AH-120", "SRC-AH-170"}),
    ("air_hour", {"pm10_ug_m3": None}, set()),
    ("air_hour", {"aqi": 59}, {"SRC-AH-170"}),
    ("air_hour", {"pm25_ug_m3": 30, "pm10_ug_m3": 45}, {"SRC-AH-170"}),
    ("air_hour", {"pm25_24h_ug_m3": 60, "pm10_24h_ug_m3": 80, "aqi": 82}, set()),
    # 00:00 is the last hour of the day before: the edition of that day holds
    ("air_hour", {"hour_end": dt.datetime(2026, 3, 1, 0, tzinfo=CHINA), "aqi": 57}, set()),
    ("air_hour", {"hour_end": dt.datetime(2026, 3, 1, 1, tzinfo=CHINA), "aqi": 57}, {"SRC-AH-170"}),
    ("air_hour", {"hour_end": dt.datetime(2026, 3, 1, 1, tzinfo=CHINA), "aqi": 60}, set()),
    ("micro_air_hour", {"county_code": "430371"}, {"SRC-MA-010"}),
    ("micro_air_hour", {"pm25_ug_m3": 9999}, {"SRC-MA-040", "SRC-MA-110"}),
    ("micro_air_hour", {"pm25_ug_m3": 9999, "device_status": "fault"}, set()),
    ("permit", {"county_code": "430372"}, {"SRC-PE-070"}),
    ("permit", {"uscc": "91430304MA00OO001A", "permit_no": "91430304MA00OO001A001P"}, {"SRC-PE-040"}),
    ("permit", {"uscc": "91430304MA0000001B", "permit_no": "91430304MA0000001B001P"}, {"SRC-PE-030"}),
    ("permit", {"uscc": "914303040"}, {"SRC-PE-020", "SRC-PE-050"}),
    ("permit", {"valid_to_date": dt.date(2021, 1, 1)}, {"SRC-PE-110", "SRC-PE-120"}),
    ("permit", {"zone_code": "430304"}, {"SRC-PE-080"}),
    ("permit_outlet", {"medium": "air"}, {"SRC-PO-040"}),
    ("permit_outlet", {"longitude": Decimal("27.8"), "latitude": Decimal("112.9")}, {"SRC-PO-100"}),
    ("permit_limit", {"limit_value": 0}, {"SRC-PL-030", "SRC-PL-080"}),
    ("permit_limit", {"unit": "ug/L"}, {"SRC-PL-040"}),
    ("permit_limit", {"valid_to_date": dt.date(2021, 1, 1)}, {"SRC-PL-060"}),
    ("permit_annual_limit", {"limit_t": 90000}, {"SRC-PA-030"}),
    ("device_binding", {"mn_code": "88888880000005"}, {"SRC-DB-040"}),
    ("device_binding", {"mn_code": "设备 1"}, {"SRC-DB-030", "SRC-DB-040"}),
    ("credit_evaluation", {"regime": "HN-A"}, {"SRC-CE-050", "SRC-CE-060"}),
    ("credit_evaluation", {"grade": "合格"}, {"SRC-CE-060"}),
    ("credit_evaluation", {"published_date": dt.date(2024, 6, 5)}, {"SRC-CE-070"}),
    ("penalty", {"amount_cny": -1}, {"SRC-PN-050"}),
    ("penalty", {"amount_cny": 5, "penalty_type": "罚款"}, {"SRC-PN-080"}),
    ("penalty", {"penalty_type": "罚款"}, {"SRC-PN-090"}),
    ("blacklist", {"removed_date": dt.date(2024, 1, 1)}, {"SRC-BL-030"}),
    ("emission_base", {"county_code": "430302"}, {"SRC-EB-040"}),
    ("emission_base", {"base_year": 2015}, {"SRC-EB-070"}),
    ("reduction_project", {"claimed_t": 3000}, {"SRC-RP-110", "SRC-RP-120"}),
    ("reduction_project", {"planned_t": 1550000}, {"SRC-RP-080"}),
    ("reduction_evidence", {"doc_no": "待补"}, {"SRC-RE-030"}),
    ("reduction_evidence", {"evidence_kind": "reversal"}, set()),
    ("reduction_evidence", {"evidence_kind": "calculation"}, {"SRC-RE-020"}),
    ("source_check", {"outlet_code": "DW001"}, {"SRC-SK-020"}),
    ("source_check", {"factor_code": "氮氧化物"}, {"SRC-SK-020", "SRC-SK-030"}),
    ("source_check", {"check_kind": "校准"}, {"SRC-SK-040"}),
    ("source_check", {"is_passed": None}, {"SRC-SK-050"}),
    ("source_check", {"check_kind": "manual", "is_passed": None}, {"SRC-SK-050"}),
    ("source_check", MANUAL, set()),
    ("source_check", MANUAL | {"is_passed": True}, {"SRC-SK-110"}),
    ("source_check", MANUAL | {"sample_count": None}, {"SRC-SK-050"}),
    ("source_check", MANUAL | {"sample_count": 0}, {"SRC-SK-060"}),
    ("source_check", MANUAL | {"manual_kg": -1}, {"SRC-SK-070"}),
    ("source_check", {"manual_kg": 5}, {"SRC-SK-110"}),
    ("source_check", {"checked_at": dt.datetime(2062, 11, 12, 9, tzinfo=CHINA)}, {"SRC-SK-080"}),
    ("source_check", {"check_kind": "standard_check"}, {"SRC-SK-120"}),
    ("source_check", {"permit_no": "91520198MAAMOWECXQ001V"}, {"SRC-SK-140"}),
    ("source_check", {"doc_no": "待补"}, {"SRC-SK-090"}),
    ("accounting_quantity", {"item_kind": "source"}, {"SRC-AQ-010", "SRC-AQ-030"}),
    ("accounting_quantity", {"item_code": "430304/1"}, {"SRC-AQ-020"}),
    ("accounting_quantity", {"value": None}, {"SRC-AQ-070"}),
    ("accounting_quantity", {"choice": "pig_cod"}, {"SRC-AQ-070"}),
    ("accounting_quantity", {"value": None, "choice": "pig"}, {"SRC-AQ-130"}),
    ("accounting_quantity", {"pollutant_id": "pm25"}, {"SRC-AQ-040"}),
    ("accounting_quantity", {"year": 2014}, {"SRC-AQ-050"}),
    ("accounting_quantity", {"quantity": "原浓度"}, {"SRC-AQ-060", "SRC-AQ-140"}),
    ("accounting_quantity", {"value": -1}, {"SRC-AQ-090"}),
    ("accounting_quantity", TREATED | {"value": Decimal("0.8")}, set()),
    ("accounting_quantity", TREATED | {"value": 80}, {"SRC-AQ-080"}),
    ("accounting_quantity", TREATED | {"quantity": "eta_0", "value": 15}, {"SRC-AQ-080"}),
    ("accounting_quantity", {"unit": "mg/m3"}, set()),
    ("accounting_quantity", {"unit": "g/m3"}, {"SRC-AQ-140"}),
    ("accounting_quantity", {"doc_no": "待补"}, {"SRC-AQ-110"}),
    ("accounting_quantity", GROWN, set()),
    ("accounting_quantity", GROWN | {"value": -2}, set()),
    ("accounting_quantity", GROWN | {"item_code": "430371"}, {"SRC-AQ-020"}),
    ("provincial_target", {"unit": "万t", "target_value": Decimal("0.42")}, {"SRC-PT-050", "SRC-PT-120"}),
    ("provincial_target", {"target_value": 4200000}, {"SRC-PT-060"}),
    ("provincial_target", {"region_code": "430371"}, {"SRC-PT-020"}),
    ("department_return", {"numerator": Decimal("0.234")}, {"SRC-DR-070"}),
    ("department_return", {"numerator": 501}, {"SRC-DR-060"}),
    ("department_return", {"numerator": 501, "indicator_no": 26}, set()),
    ("department_return", {"indicator_no": 100}, {"SRC-DR-010"}),
    ("department_return", {"plan_id": "15", "region_code": "430225", "numerator": 501}, set()),
    ("department_return", {"plan_id": "十四五"}, {"SRC-DR-150"}),
    ("department_return", {"region_code": "430371"}, {"SRC-DR-020"}),
    ("department_return", {"part": "pattern"}, {"SRC-DR-160"}),
    ("department_return", {"indicator_no": 28, "part": "pattern", "numerator": 61, "denominator": 100}, set()),
    ("department_return", {"as_of_date": dt.date(2025, 3, 2)}, {"SRC-DR-170"}),
    ("department_return", {"as_of_date": dt.date(2024, 6, 30)}, {"SRC-DR-180"}),
    ("department_return", {"indicator_no": 7, "numerator": 22, "denominator": 23}, {"SRC-DR-110"}),
    ("provincial_target", {"plan_id": "2021"}, {"SRC-PT-150"}),
    ("provincial_target", {"plan_id": "15", "indicator_no": 3}, set()),
    ("provincial_target", {"metric": "level", "unit": "ug/m3", "indicator_no": 1, "target_value": 85}, {"SRC-PT-160"}),
    ("water_point", {"body_kind": None}, {"SRC-WP-040"}),
    ("water_point", {"target_class": "III"}, {"SRC-WP-050"}),
    ("water_point", {"source_level": "city"}, {"SRC-WP-070"}),
    ("water_point", {"province": None}, {"SRC-WP-080"}),
    ("water_point", {"background_items": "铁、锰"}, {"SRC-WP-090"}),
    ("water_point", {"background_items": "w20125|w20124"}, set()),
    ("water_point", {"valid_to_date": dt.date(2019, 1, 1)}, {"SRC-WP-100"}),
    ("water_point", SOURCE, set()),
    ("water_point", SOURCE | {"is_in_use": None}, {"SRC-WP-070"}),
    ("water_point", SOURCE | {"is_assessed": False}, {"SRC-WP-170"}),
    ("source_intake", {"month_date": dt.date(2024, 5, 2)}, {"SRC-SI-020"}),
    ("source_intake", {"intake_10k_m3": 5123000}, {"SRC-SI-040"}),
    ("source_intake", {"issued_date": dt.date(2024, 4, 20)}, {"SRC-SI-050", "SRC-SI-090"}),
    ("source_intake", {"issued_date": dt.date(2024, 5, 20)}, {"SRC-SI-090"}),
    ("water_body_check", {"treated_date": None, "orp_mv": None, "satisfaction_pct": None}, set()),
    ("water_body_check", {"treated_date": dt.date(2015, 1, 1)}, {"SRC-WB-090"}),
    ("water_body_check", {"treated_date": dt.date(2024, 8, 1)}, {"SRC-WB-100"}),
    ("water_body_check", {"issued_date": dt.date(2024, 6, 1)}, {"SRC-WB-110"}),
    ("water_body_check", {"transparency_cm": Decimal("0.4")}, {"SRC-WB-160"}),
    ("water_body_check", {"satisfaction_pct": Decimal("0.93")}, {"SRC-WB-160"}),
    (
        "water_body_check",
        dict.fromkeys(("transparency_cm", "do_mg_l", "orp_mv", "nh3n_mg_l")),
        {"SRC-WB-150"},
    ),
    ("air_exception_event", {"end_date": dt.date(2025, 4, 11)}, {"SRC-AX-050"}),
    ("air_exception_event", {"issued_date": dt.date(2025, 4, 1)}, {"SRC-AX-060"}),
    ("air_exception_event", {"end_date": dt.date(2025, 5, 12)}, {"SRC-AX-110"}),
    ("air_exception_event", {"pollutant_id": "o3"}, {"SRC-AX-120"}),
    ("air_exception_event", {"pollutant_id": "PM2.5"}, {"SRC-AX-030", "SRC-AX-120"}),
    ("commitment_return", {"commitment_id": "14"}, {"SRC-CT-020"}),
    ("commitment_return", {"numerator": 413}, {"SRC-CT-070"}),
    ("commitment_return", {"as_of_date": dt.date(2023, 12, 31)}, {"SRC-CT-090", "SRC-CT-120"}),
    ("water_sample", {"value_text": "<0.025", "value": None, "is_below_detection": True}, set()),
    ("water_sample", {"value_text": "0.025L", "value": None, "is_below_detection": True}, set()),
    ("water_sample", {"value_text": "0.025L"}, {"SRC-WM-050", "SRC-WM-060"}),
    ("water_sample", {"value_text": "<0.025", "is_below_detection": True}, {"SRC-WM-050"}),
    ("water_sample", {"unit": "ug/L"}, {"SRC-WM-070"}),
    (
        "water_sample",
        {"value": 212, "value_text": "212", "item_code": "w01001", "unit": "无量纲"},
        {"SRC-WM-080", "SRC-WM-160"},
    ),
    ("water_sample", {"value": Decimal("21.2"), "value_text": "21.2"}, {"SRC-WM-160"}),
    ("water_sample", {"value": Decimal("0.012"), "value_text": "0.012"}, {"SRC-WM-150"}),
    ("water_sample", {"value_text": "<0.05", "value": None, "is_below_detection": True}, {"SRC-WM-150"}),
    ("water_sample", {"reported_date": dt.date(2026, 8, 25)}, {"SRC-WM-110"}),
    ("device_state", {"mn_code": "88888880000005"}, {"SRC-DS-020"}),
    ("device_state", {"state": "broken"}, {"SRC-DS-030"}),
    ("device_state", {"state_to_at": dt.datetime(2026, 11, 15, 3, tzinfo=CHINA)}, {"SRC-DS-040"}),
    ("device_state", {"state_to_at": None}, set()),
    ("device_state", {"state_to_at": dt.datetime(2026, 11, 21, 3, tzinfo=CHINA)}, {"SRC-DS-060"}),
    ("device_state", {"state": "offline", "state_to_at": dt.datetime(2026, 11, 21, 3, tzinfo=CHINA)}, {"SRC-DS-110"}),
    ("execution_report", {"permit_no": "91520198MAAMOWECXQ001V"}, {"SRC-ER-030"}),
    ("execution_report", {"permit_no": "91230600716671629P001P"}, {"SRC-ER-020"}),
    ("execution_report", {"period": "2025-09"}, {"SRC-ER-040"}),
    ("execution_report", {"factor_code": "氮氧化物"}, {"SRC-ER-050"}),
    ("execution_report", {"actual_t": 280400}, {"SRC-ER-060"}),
    ("credit_repair", {"uscc": "91430304MA00OO001A"}, {"SRC-CR-030"}),
    ("credit_repair", {"uscc": "91430304MA0000001B"}, {"SRC-CR-020"}),
    ("credit_repair", {"grade_after": "合格"}, {"SRC-CR-060"}),
    ("credit_repair", {"grade_after": "黄牌"}, {"SRC-CR-070"}),
    ("credit_repair", {"repaired_date": dt.date(2024, 6, 5)}, {"SRC-CR-080"}),
    ("complaint", {"county_code": "430371"}, {"SRC-CM-020"}),
    ("complaint", {"closed_date": None}, {"SRC-CM-070"}),
    ("complaint", {"closed_date": dt.date(2026, 12, 20)}, {"SRC-CM-080"}),
    ("complaint", {"subject": "请致电13800000000"}, {"SRC-CM-090"}),
    ("hazardous_waste_balance", {"uscc": "91430304MA0000001B"}, {"SRC-HW-020"}),
    ("hazardous_waste_balance", {"waste_code": "900-214-08"}, set()),
    ("hazardous_waste_balance", {"waste_code": "HW51"}, {"SRC-HW-050"}),
    ("hazardous_waste_balance", {"closing_stock_t": 100}, {"SRC-HW-110"}),
    ("hazardous_waste_balance", {"disposed_t": -1}, {"SRC-HW-090", "SRC-HW-110"}),
    ("water_section_4h", {"ph": 15}, {"SRC-WS-030", "SRC-WS-160"}),
    ("water_section_4h", {"water_class": "Ⅲ"}, {"SRC-WS-160"}),
    ("water_section_4h", {"do_mg_l": Decimal("4.9")}, {"SRC-WS-160"}),
    ("water_section_4h", {"tp_mg_l": Decimal("0.03")}, set()),
    ("water_section_4h", {"ec_us_cm": Decimal("0.0001")}, {"SRC-WS-050"}),
    ("water_section_4h", {"turbidity_ntu": 5099}, {"SRC-WS-060"}),
    ("water_section_4h", {"tn_mg_l": Decimal("0.05")}, {"SRC-WS-100"}),
    ("water_section_4h", {"water_class": "II"}, {"SRC-WS-110"}),
    ("water_section_4h", {"tp_mg_l": -1}, {"SRC-WS-090"}),
]


def fill_table(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]], gate: str = "source") -> None:
    columns = read_columns(EXPECTATIONS / gate / f"{table}.json")
    assert {name for row in rows for name in row} <= set(columns), f"the rows name columns unknown to {table}"
    create_table(con, table, columns)
    con.executemany(
        f'insert into "{table}" values ({", ".join("?" * len(columns))})',
        [[row.get(name) for name in columns] for row in rows],
    )


def find_day(moment: dt.date, label: str) -> dt.date:
    """Return the business day: 00:00 that ends an hour belongs to the day before."""
    if not isinstance(moment, dt.datetime):
        return moment
    return (moment - dt.timedelta(hours=label == "end")).date()


def fill_known(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Let rows count as admitted."""
    day = load_contracts()[table].day
    for row in rows:
        told = row | ({"business_date": find_day(row[day.column], day.label)} if day else {})
        columns = ", ".join(told)
        con.execute(f"insert into known.{table} ({columns}) values ({', '.join('?' * len(told))})", list(told.values()))


def failing_row_checks(con: duckdb.DuckDBPyConnection, table: str, gate: str = "source") -> set[str]:
    suite = load_suite(EXPECTATIONS / gate / f"{table}.json")
    return {
        c.id for c in suite.at("row") if con.execute(f'select 1 from "{table}" where {compile_failing(c)}').fetchall()
    }


def failing_batch_queries(con: duckdb.DuckDBPyConnection, table: str, gate: str = "source") -> set[str]:
    suite = load_suite(EXPECTATIONS / gate / f"{table}.json")
    return {c.id for c in suite.at("batch") if find_unexpected(con, table, c)}


def failing_named_lists(con: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    """Return the checks that list values which a batch must contain, and that miss one."""
    failing = set()
    for check in load_suite(EXPECTATIONS / "source" / f"{table}.json").at("batch"):
        assert check.expectation is not None
        kwargs = check.expectation["kwargs"]
        if check.expectation["type"] == "expect_column_distinct_values_to_contain_set":
            there = {v for (v,) in con.execute(f'select distinct {kwargs["column"]} from "{table}"').fetchall()}
            failing |= set() if set(kwargs["value_set"]) <= there else {check.id}
    return failing


def find_unexpected(con: duckdb.DuckDBPyConnection, table: str, check: Check) -> list[Any]:
    assert check.expectation is not None
    query = check.expectation["kwargs"].get("unexpected_rows_query")
    return con.execute(as_great_expectations_runs_it(query, table)).fetchall() if query else []


@pytest.mark.parametrize("table", sorted(GOOD_ROWS))
def test_a_good_row_passes_every_row_check(table: str, con: duckdb.DuckDBPyConnection) -> None:
    fill_table(con, table, [GOOD_ROWS[table]])
    assert failing_row_checks(con, table) == set()


def test_there_is_a_good_row_for_every_table() -> None:
    assert set(GOOD_ROWS) == set(load_contracts())


@pytest.mark.parametrize(("table", "change", "expected"), BAD_ROWS)
def test_a_bad_row_is_caught_by_the_check_meant_for_it(
    table: str, change: dict[str, Any], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_table(con, table, [GOOD_ROWS[table] | change])
    assert failing_row_checks(con, table) == expected


def test_the_check_character_rule_agrees_with_the_identifier_module(con: duckdb.DuckDBPyConnection) -> None:
    right = [complete_uscc(f"91430304MA{number:07d}") for number in range(0, 10_000_000, 99_991)]
    wrong = [code[:17] + ("0" if code[17] != "0" else "1") for code in right]
    fill_table(con, "permit", [GOOD_ROWS["permit"] | {"uscc": code} for code in right + wrong])
    rule = next(c for c in load_suite(EXPECTATIONS / "source" / "permit.json").checks if c.id == "SRC-PE-030")
    failing = {r[0] for r in con.execute(f"select uscc from permit where {compile_failing(rule)}").fetchall()}
    assert failing == {code for code in right + wrong if not is_valid_uscc(code)} == set(wrong)


LOGGERS = {"DA001": GOOD_ROWS["source_hour"]["mn_code"], "DW001": "4303040000000A0B0C0D0E02"}


def make_source_day(day: int = 15, level: str = "1") -> list[dict[str, Any]]:
    """One day of one stack and one sewage outlet, masses as HJ 75 and HJ 356 compute them."""
    rows = []
    for hour in range(24):
        at = dt.datetime(2026, 11, day, hour, tzinfo=CHINA)
        wobble = (Decimal(1) + Decimal(hour) / 100) * Decimal(level)
        volumes = {"DA001": 318600 * wobble, "DW001": Decimal("1873.8") * wobble}
        means = {
            ("DA001", "a00000"): Decimal("88.5") * wobble,
            ("DA001", "a21002"): Decimal("38.6") * wobble,
            ("DW001", "w00000"): Decimal("520.5") * wobble,
            ("DW001", "w01018"): Decimal("18.4") * wobble,
            ("DW001", "w21003"): Decimal("6.2") * wobble,
        }
        factors = {"DA001": Decimal("1e-6"), "DW001": Decimal("1e-3")}
        for (outlet, factor), mean in means.items():
            total = volumes[outlet] if factor.endswith("00000") else mean * volumes[outlet] * factors[outlet]
            rows.append(
                GOOD_ROWS["source_hour"]
                | {"mn_code": LOGGERS[outlet], "outlet_code": outlet, "factor_code": factor}
                | {"hour_start": at, "avg_value": mean}
                | {"min_value": mean * Decimal("0.9"), "max_value": mean * Decimal("1.1"), "total_value": total}
                | {"corrected_avg_value": mean if factor == "a21002" else None}
            )
    return rows


def scale(rows: list[dict[str, Any]], factor_code: str, by: str, *columns: str) -> list[dict[str, Any]]:
    return [
        r | {c: r[c] * Decimal(by) for c in columns if r[c] is not None} if r["factor_code"] == factor_code else r
        for r in rows
    ]


def test_a_plausible_day_of_online_data_passes_every_batch_check(con: duckdb.DuckDBPyConnection) -> None:
    fill_table(con, "source_hour", make_source_day())
    assert failing_row_checks(con, "source_hour") | failing_batch_queries(con, "source_hour") == set()


VALUES = ("avg_value", "min_value", "max_value")
SLIPS: list[tuple[str, str, tuple[str, ...], set[str]]] = [
    # mass in g instead of kg, mass in t instead of kg
    ("w01018", "1000", ("total_value",), {"SRC-SH-120", "SRC-SH-130"}),
    ("a21002", "0.001", ("total_value",), {"SRC-SH-120", "SRC-SH-130"}),
    # flow in m3/h instead of m3/s, and in m3/h instead of L/s
    ("w00000", "3.6", VALUES, {"SRC-SH-120", "SRC-SH-130"}),
    # everything of a factor divided by 1000: every row stays in range, the mass still fits, the median does not
    ("w01018", "0.001", (*VALUES, "total_value"), {"SRC-SH-130", "SRC-SH-140"}),
    ("w21003", "0.001", (*VALUES, "total_value"), {"SRC-SH-140"}),
    ("a21002", "0.001", (*VALUES, "total_value", "corrected_avg_value"), {"SRC-SH-140"}),
    ("a21002", "0.001", ("min_value",), {"SRC-SH-140"}),
    ("a21002", "1000", ("max_value",), {"SRC-SH-140"}),
    ("a21002", "0.001", ("corrected_avg_value",), {"SRC-SH-130", "SRC-SH-140"}),
]


@pytest.mark.parametrize(("factor", "by", "columns", "expected"), SLIPS)
def test_a_slip_of_unit_in_a_factor_refuses_the_batch(
    factor: str, by: str, columns: tuple[str, ...], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_table(con, "source_hour", scale(make_source_day(), factor, by, *columns))
    assert failing_batch_queries(con, "source_hour") == expected


# ---------------------------------------------------------------- online data beside what is known

Rows = list[dict[str, Any]]
LIMITS = {("DA001", "a21002"): 50, ("DW001", "w01018"): 50, ("DW001", "w21003"): 10}
DAY_15 = {"permit_no": PERMIT, "state_from_at": dt.datetime(2026, 11, 15, 3, tzinfo=CHINA)}


def fill_register(con: duckdb.DuckDBPyConnection) -> None:
    """Let permit, outlets, limits, bindings and a state of 15 November be known."""
    fill_known(con, "permit", [GOOD_ROWS["permit"] | {"permit_no": PERMIT}])
    for outlet, mn_code in LOGGERS.items():
        fill_known(con, "permit_outlet", [GOOD_ROWS["permit_outlet"] | {"outlet_code": outlet}])
        fill_known(con, "device_binding", [GOOD_ROWS["device_binding"] | {"mn_code": mn_code, "outlet_code": outlet}])
    for (outlet, factor), limit in LIMITS.items():
        told = {"outlet_code": outlet, "factor_code": factor, "limit_value": limit}
        fill_known(con, "permit_limit", [GOOD_ROWS["permit_limit"] | told])
    running = {"mn_code": LOGGERS["DA001"], "state": "running", "state_from_at": DAY_15["state_from_at"]}
    fill_known(con, "device_state", [running])


def at_outlet(outlet: str, hours: range, change: dict[str, Any]) -> Callable[[Rows], Rows]:
    return lambda rows: [
        r | change if r["outlet_code"] == outlet and r["hour_start"].hour in hours else r for r in rows
    ]


def scale_hour(factor: str, hour: int, by: str, *columns: str) -> Callable[[Rows], Rows]:
    return lambda rows: [
        r | {c: r[c] * Decimal(by) for c in columns}
        if (r["factor_code"], r["hour_start"].hour) == (factor, hour)
        else r
        for r in rows
    ]


def copy_hour(rows: Rows) -> Rows:
    at = {(r["factor_code"], r["hour_start"].hour): r for r in rows}
    return [
        at[r["factor_code"], 5] | {"hour_start": r["hour_start"]}
        if r["outlet_code"] == "DA001" and r["hour_start"].hour == 6
        else r
        for r in rows
    ]


def cap_cod(rows: Rows) -> Rows:
    return [
        r | {c: 49 + Decimal(r["hour_start"].hour) / 100 for c in VALUES} | {"total_value": None}
        if r["factor_code"] == "w01018"
        else r
        for r in rows
    ]


INVALID = {"instrument_flag": "M", "total_value": None, "corrected_avg_value": None}
ODD_DAYS: list[tuple[Callable[[Rows], Rows], set[str]]] = [
    (lambda rows: rows, set()),
    (scale_hour("a21002", 7, "1.03", "total_value"), {"SRC-SH-130"}),
    (scale_hour("w00000", 7, "0.9", "total_value"), {"SRC-SH-130"}),
    (lambda rows: scale(rows, "w01018", "0.3", *VALUES, "total_value"), {"SRC-SH-130", "SRC-SH-240"}),
    (copy_hour, {"SRC-SH-150"}),
    (lambda rows: rows[1:], {"SRC-SH-160"}),
    (lambda rows: [r for r in rows if r["outlet_code"] == "DW001"], {"SRC-SH-160"}),
    (lambda rows: [r for r in rows if r["factor_code"] != "w21003"], {"SRC-SH-160"}),
    (at_outlet("DA001", range(3, 5), INVALID), {"SRC-SH-190"}),
    (at_outlet("DW001", range(24), {"mn_code": LOGGERS["DA001"]}), {"SRC-SH-200"}),
    (at_outlet("DW001", range(24), {"outlet_code": "DW002"}), {"SRC-SH-160", "SRC-SH-200", "SRC-SH-210"}),
    (
        lambda rows: [r | {"factor_code": r["factor_code"].replace("a21002", "a24088")} for r in rows],
        {"SRC-SH-160", "SRC-SH-210"},
    ),
    (lambda rows: scale(rows, "w01018", "2", *VALUES, "total_value"), {"SRC-SH-240"}),
    (cap_cod, {"SRC-SH-150", "SRC-SH-230", "SRC-SH-240", "SRC-SH-250"}),
    (at_outlet("DA001", range(24), {"data_status": "final"}), {"SRC-SH-260"}),
    (at_outlet("DW001", range(24), {"data_basis": "measured"}), {"SRC-SH-260"}),
]


@pytest.mark.parametrize(("change", "expected"), ODD_DAYS)
def test_a_day_that_contradicts_itself_or_what_is_known_is_flagged(
    change: Callable[[Rows], Rows], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_register(con)
    for day, level in ((12, "0.9713"), (13, "1.0137"), (14, "1.0291")):
        fill_known(con, "source_hour", make_source_day(day, level))
    fill_table(con, "source_hour", change(make_source_day()))
    assert failing_batch_queries(con, "source_hour") == expected


@pytest.mark.parametrize(("by", "found"), [("1", set()), ("0.97", {"SRC-SH-220"})])
def test_a_preliminary_hour_that_changes_is_flagged(by: str, found: set[str], con: duckdb.DuckDBPyConnection) -> None:
    fill_known(con, "source_hour", scale_hour("w01018", 4, by, *VALUES, "total_value")(make_source_day()))
    fill_table(con, "source_hour", make_source_day())
    assert failing_batch_queries(con, "source_hour") - {"SRC-SH-150"} == found


@pytest.mark.parametrize(
    ("digits", "found"), [(3, set()), (4, {"SRC-SH-230"}), (1, {"SRC-SH-230"}), (0, {"SRC-SH-230"})]
)
def test_other_decimals_than_usual_are_flagged(digits: int, found: set[str], con: duckdb.DuckDBPyConnection) -> None:
    def rounded(rows: Rows, places: int) -> Rows:
        cod = [r for r in rows if r["factor_code"] == "w01018"]
        return [r | {c: round(r[c] + Decimal("0.1111"), places) for c in VALUES} for r in cod]

    for day, level in ((13, "1.0137"), (14, "1.0291")):
        fill_known(con, "source_hour", rounded(make_source_day(day, level), 3))
    fill_table(con, "source_hour", rounded(make_source_day(), digits))
    assert failing_batch_queries(con, "source_hour") - {"SRC-SH-150"} == found


def state(state_name: str, first: int, last: int | None, mn_code: str = LOGGERS["DA001"]) -> dict[str, Any]:
    """Return a state of 15 November from one full hour to another."""
    from_at, to_at = (None if h is None else dt.datetime(2026, 11, 15, h, tzinfo=CHINA) for h in (first, last))
    told = {"mn_code": mn_code, "state": state_name, "state_from_at": from_at, "state_to_at": to_at}
    return told | {"data_basis": "synthetic"}


GOOD_STATES = [state("running", 0, 9), state("maintenance", 9, 11), state("running", 11, None)]
STATE_BATCHES: list[tuple[Rows, Rows, set[str]]] = [
    ([], GOOD_STATES, set()),
    (GOOD_STATES, GOOD_STATES, set()),
    ([state("running", 0, None)], GOOD_STATES, set()),
    ([], [state("running", 0, 9, "0" * 24)], {"SRC-DS-120"}),
    (
        [state("maintenance", 9, 11)],
        [state("running", 0, 9), state("fault", 9, 11), state("running", 11, None)],
        {"SRC-DS-130"},
    ),
    ([state("maintenance", 9, 10)], GOOD_STATES, {"SRC-DS-130"}),
    ([], [state("running", 0, 9), state("running", 11, None)], {"SRC-DS-140"}),
]


@pytest.mark.parametrize(("known", "batch", "expected"), STATE_BATCHES)
def test_states_are_judged_beside_those_known(
    known: Rows, batch: Rows, expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_register(con)
    con.execute("delete from known.device_state")
    fill_known(con, "device_state", known)
    fill_table(con, "device_state", batch)
    assert failing_batch_queries(con, "device_state") == expected


def bind(**changed: Any) -> dict[str, Any]:
    return GOOD_ROWS["device_binding"] | changed


SECOND = "4303040000000A0B0C0D0E03"
ENDED = {"valid_to_date": dt.date(2025, 12, 31)}
BINDINGS: list[tuple[Rows, Rows, set[str]]] = [
    ([], [bind()], set()),
    ([bind()], [bind()], set()),
    ([bind()], [bind(**ENDED), bind(mn_code=SECOND, valid_from_date=dt.date(2026, 1, 1))], set()),
    ([], [bind(permit_no="91430304MA0000001A002P")], {"SRC-DB-100"}),
    ([], [bind(outlet_code="DA009")], {"SRC-DB-100"}),
    ([], [bind(), bind(mn_code=SECOND, valid_from_date=dt.date(2026, 1, 1))], {"SRC-DB-110"}),
    ([], [bind(**ENDED), bind(mn_code=SECOND, valid_from_date=dt.date(2026, 3, 1))], {"SRC-DB-110"}),
    ([bind(), bind(mn_code=SECOND, outlet_code="DW001")], [bind()], {"SRC-DB-120"}),
    ([bind()], [bind(outlet_code="DW001")], {"SRC-DB-120"}),
    ([bind(**ENDED)], [bind()], {"SRC-DB-120"}),
]


@pytest.mark.parametrize(("known", "batch", "expected"), BINDINGS)
def test_bindings_are_judged_beside_those_known(
    known: Rows, batch: Rows, expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_register(con)
    con.execute("delete from known.device_binding")
    fill_known(con, "device_binding", known)
    fill_table(con, "device_binding", batch)
    assert failing_batch_queries(con, "device_binding") == expected


STATIONS = ("1508A", "1511A", "1512A", "1513A", "1514A", "1562A", "1564A")
PARTICLES = {"pm25": (0, 35, 75, 115), "pm10": (0, 50, 150, 250)}


def find_index(value: int, bounds: tuple[int, ...]) -> Decimal:
    """Return the index of HJ 633-2012 up to 150."""
    step = max(n for n, low in enumerate(bounds[:-1]) if value >= low)
    return 50 * step + Decimal(50) * (value - bounds[step]) / (bounds[step + 1] - bounds[step])


def half_up(values: list[Any], digits: str = "1") -> Decimal:
    return (Decimal(sum(values)) / len(values)).quantize(Decimal(digits), ROUND_HALF_UP)


@cache
def make_air_days() -> tuple[dict[str, Any], ...]:
    """The 4th and the 5th of January at seven stations, means and index as the network computes them."""
    rows: list[dict[str, Any]] = []
    for station in STATIONS:
        drawn = random.Random(station)
        hours: list[dict[str, Any]] = []
        for number in range(48):
            pm25 = drawn.randrange(21, 70)
            hour = {"pm25": pm25, "pm10": pm25 + drawn.randrange(11, 30), "so2": drawn.randrange(5, 19)}
            hour |= {"no2": drawn.randrange(15, 39), "o3": drawn.randrange(20, 70)}
            hours.append(hour | {"co": Decimal(drawn.randrange(5, 12)) / 10})
            today = hours[number // 24 * 24 :]
            last = hours[-24:]
            eights = [half_up([h["o3"] for h in today[max(0, n - 7) : n + 1]]) for n in range(len(today))]
            rows.append(
                {"station_code": station, "hour_end": dt.datetime(2019, 1, 4, 1, tzinfo=CHINA) + number * HOUR}
                | {f"{name}_{'mg' if name == 'co' else 'ug'}_m3": value for name, value in hours[-1].items()}
                | {f"{name}_24h_ug_m3": half_up([h[name] for h in last]) for name in ("pm25", "pm10", "so2", "no2")}
                | {"co_24h_mg_m3": half_up([h["co"] for h in last], "0.1")}
                | {"o3_8h_ug_m3": eights[-1], "o3_8h_24h_ug_m3": max(eights)}
                | {"aqi": math.ceil(max(find_index(hours[-1][name], PARTICLES[name]) for name in PARTICLES))}
                | {"data_status": "preliminary", "data_basis": "measured"}
            )
    return tuple(rows)


HOUR = dt.timedelta(hours=1)
NOON = dt.datetime(2019, 1, 5, 12, tzinfo=CHINA)


def make_air_day(day: int = 5) -> Rows:
    return [dict(row) for row in make_air_days() if find_day(row["hour_end"], "end").day == day]


@pytest.mark.parametrize("known_days", [[], [4], [4, 5]])
def test_a_plausible_day_of_air_data_passes_every_batch_check(
    known_days: list[int], con: duckdb.DuckDBPyConnection
) -> None:
    fill_known(con, "air_hour", [row for day in known_days for row in make_air_day(day)])
    fill_table(con, "air_hour", make_air_day())
    assert failing_row_checks(con, "air_hour") | failing_batch_queries(con, "air_hour") == set()


@pytest.mark.parametrize("column", ["pm25_ug_m3", "pm10_ug_m3", "so2_ug_m3", "no2_ug_m3", "o3_ug_m3", "co_mg_m3"])
@pytest.mark.parametrize("by", [Decimal(1000), Decimal("0.001")])
def test_a_slip_of_unit_in_an_air_column_is_caught(column: str, by: Decimal, con: duckdb.DuckDBPyConnection) -> None:
    fill_table(con, "air_hour", [row | {column: row[column] * by} for row in make_air_day()])
    assert "SRC-AH-130" in failing_batch_queries(con, "air_hour")


def at_station(change: Callable[[dict[str, Any]], dict[str, Any]], *stations: str, hours: range = range(24)) -> Any:
    """Change rows of stations (of all if none is named) in hours (of the end label)."""
    return lambda rows: [
        row | change(row) if row["station_code"] in (stations or STATIONS) and row["hour_end"].hour in hours else row
        for row in rows
    ]


def times(by: str, *columns: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {column: round(row[column] * Decimal(by), 2) for column in columns}


def copy_station(rows: Rows) -> Rows:
    """Let 1511A say what 1508A says."""
    return [r for r in rows if r["station_code"] != "1511A"] + [
        r | {"station_code": "1511A"} for r in rows if r["station_code"] == "1508A"
    ]


def repeat_day(rows: Rows) -> Rows:
    return [row | {"hour_end": row["hour_end"] + 24 * HOUR} for row in make_air_day(4)]


def late_label(row: dict[str, Any]) -> dict[str, Any]:
    return {"hour_end": row["hour_end"] - HOUR}


ODD_AIR_DAYS: list[tuple[Callable[[Rows], Rows], set[str]]] = [
    (lambda rows: rows, set()),
    (at_station(lambda row: {"pm25_ug_m3": 33}, "1508A"), {"SRC-AH-140", "SRC-AH-180"}),
    (at_station(lambda row: {"pm25_ug_m3": None}, "1508A", hours=range(1, 6)), {"SRC-AH-160"}),
    (at_station(lambda row: {"o3_ug_m3": None}, hours=range(1, 4)), {"SRC-AH-160"}),
    (lambda rows: [r for r in rows if r["station_code"] != "1513A"], {"SRC-AH-150"}),
    (at_station(times("10", "pm25_ug_m3"), "1511A", hours=range(7, 8)), {"SRC-AH-180"}),
    (at_station(times("10", "pm10_24h_ug_m3"), "1511A", hours=range(1)), {"SRC-AH-180"}),
    (at_station(times("0.9", "no2_24h_ug_m3"), "1511A", hours=range(1)), {"SRC-AH-180"}),
    (at_station(times("0.8", "co_24h_mg_m3"), "1512A", hours=range(1)), {"SRC-AH-180"}),
    (at_station(times("0.9", "o3_8h_24h_ug_m3"), "1512A", hours=range(1)), {"SRC-AH-180"}),
    (at_station(times("0.8", "o3_8h_ug_m3", "o3_8h_24h_ug_m3"), "1512A"), {"SRC-AH-180"}),
    (at_station(lambda row: {"pm25_24h_ug_m3": None}, "1512A", hours=range(1)), {"SRC-AH-180"}),
    (at_station(times("0.8", "pm25_ug_m3", "pm25_24h_ug_m3")), {"SRC-AH-180"}),
    (at_station(late_label, "1514A"), {"SRC-AH-180", "SRC-AH-190"}),
    (copy_station, {"SRC-AH-180", "SRC-AH-200"}),
    (repeat_day, {"SRC-AH-180", "SRC-AH-200"}),
    (at_station(times("0.1", "pm25_ug_m3", "pm25_24h_ug_m3"), "1562A"), {"SRC-AH-180", "SRC-AH-210"}),
    (at_station(lambda row: {"data_status": "final"}), {"SRC-AH-220"}),
    (at_station(lambda row: {"data_basis": "synthetic"}, "1562A"), {"SRC-AH-220"}),
    (at_station(lambda row: {"station_code": "3999A"}, "1562A"), {"SRC-AH-150", "SRC-AH-230"}),
    (at_station(lambda row: {"so2_ug_m3": 0}, "1562A", hours=range(3, 4)), {"SRC-AH-240"}),
    (at_station(lambda row: {"no2_ug_m3": round(row["no2_ug_m3"], -1)}, "1562A"), {"SRC-AH-180", "SRC-AH-240"}),
]


@pytest.mark.parametrize(("change", "expected"), ODD_AIR_DAYS)
def test_an_air_day_that_contradicts_itself_or_what_is_known_is_flagged(
    change: Callable[[Rows], Rows], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_known(con, "air_hour", make_air_day(4))
    fill_table(con, "air_hour", change(make_air_day()))
    found = failing_batch_queries(con, "air_hour") | failing_named_lists(con, "air_hour")
    assert expected <= found
    # Hours that stand at zero or another's values differ from their means, too, and may stand still.
    assert found - expected <= {"SRC-AH-140", "SRC-AH-180"}


REVIEWED = {"data_status": "final"}
SLIGHTLY = times("0.96", "pm25_ug_m3", "pm25_24h_ug_m3")
RESENT: list[tuple[Callable[[Rows], Rows], set[str]]] = [
    (at_station(times("0.98", "pm25_24h_ug_m3"), "1508A", hours=range(1)), {"SRC-AH-190"}),
    (lambda rows: [r for r in rows if r["hour_end"] != NOON], {"SRC-AH-190"}),
    (at_station(lambda row: {"data_basis": "synthetic"}, "1508A"), {"SRC-AH-190"}),
    (at_station(lambda row: REVIEWED), set()),
    (at_station(lambda row: REVIEWED | ({} if row["hour_end"] > NOON - 6 * HOUR else SLIGHTLY(row))), set()),
    (at_station(lambda row: REVIEWED | SLIGHTLY(row)), {"SRC-AH-190"}),
    (at_station(lambda row: REVIEWED | times("0.7", "pm25_24h_ug_m3")(row)), {"SRC-AH-190"}),
]


@pytest.mark.parametrize(("change", "expected"), RESENT)
def test_air_hours_sent_again_may_only_change_by_a_review(
    change: Callable[[Rows], Rows], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_known(con, "air_hour", make_air_day())
    fill_table(con, "air_hour", change(make_air_day()))
    assert failing_batch_queries(con, "air_hour") & {"SRC-AH-190"} == expected


def test_unknown_stations_are_those_outside_the_station_seed(con: duckdb.DuckDBPyConnection) -> None:
    check = next(c for c in load_suite(EXPECTATIONS / "source" / "air_hour.json").checks if c.id == "SRC-AH-230")
    fill_table(
        con, "air_hour", [GOOD_ROWS["air_hour"] | {"station_code": r["station_code"]} for r in read_seed("station")]
    )
    assert find_unexpected(con, "air_hour", check) == []


# ---------------------------------------------------------------- water and micro-stations beside what is known


def make_section_days() -> Rows:
    """Four days of two sections, the last of them 15 November; no two readings are the same."""
    drawn = random.Random(3838)
    return [
        GOOD_ROWS["water_section_4h"]
        | {"section_name": section, "measured_at": dt.datetime(2026, 11, day, 4 * number, tzinfo=CHINA)}
        | {name: round(Decimal(value * drawn.uniform(0.9, 1.1)), 3) for name, value in SECTION_LEVELS.items()}
        for section in ("昭山", "涟水入河口")
        for day in range(12, 16)
        for number in range(6)
    ]


SECTION_LEVELS = {"water_temp_c": 18, "ph": 7.5, "do_mg_l": 6.9, "ec_us_cm": 260, "turbidity_ntu": 9}
SECTION_LEVELS |= {"codmn_mg_l": 1.8, "nh3n_mg_l": 0.09, "tp_mg_l": 0.05, "tn_mg_l": 1.6}


def in_section(change: Callable[[dict[str, Any]], dict[str, Any]], *hours: int) -> Callable[[Rows], Rows]:
    return lambda rows: [
        r | change(r) if r["section_name"] == "昭山" and (not hours or r["measured_at"].hour in hours) else r
        for r in rows
    ]


def stick_reading(rows: Rows) -> Rows:
    held = {name: rows[2][name] for name in SECTION_LEVELS}
    return [*rows[:3], rows[3] | held, *rows[4:]]


ODD_SECTION_DAYS: list[tuple[Callable[[Rows], Rows], set[str]]] = [
    (lambda rows: rows, set()),
    (in_section(times("0.01", "nh3n_mg_l", "tp_mg_l", "codmn_mg_l")), {"SRC-WS-170"}),
    (in_section(times("1000", "tp_mg_l")), {"SRC-WS-170"}),
    (stick_reading, {"SRC-WS-180"}),
    (lambda rows: [r for r in rows if r["section_name"] != "昭山"], {"SRC-WS-190"}),
    (in_section(lambda row: {"section_name": "昭山（新）"}), {"SRC-WS-190"}),
    (in_section(lambda row: {"measured_at": row["measured_at"] + HOUR}, 8), {"SRC-WS-190"}),
    (in_section(lambda row: {"data_basis": "synthetic"}), {"SRC-WS-200"}),
]


@pytest.mark.parametrize(("change", "expected"), ODD_SECTION_DAYS)
def test_a_section_day_is_judged_beside_those_known(
    change: Callable[[Rows], Rows], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    rows = make_section_days()
    fill_known(con, "water_section_4h", [r for r in rows if r["measured_at"].day < 15])
    fill_table(con, "water_section_4h", change([r for r in rows if r["measured_at"].day == 15]))
    assert failing_batch_queries(con, "water_section_4h") == expected


@pytest.mark.parametrize(("by", "found"), [("1", set()), ("0.7", {"SRC-WS-200"})])
def test_a_section_reading_that_changes_is_flagged(by: str, found: set[str], con: duckdb.DuckDBPyConnection) -> None:
    rows = [r for r in make_section_days() if r["measured_at"].day == 15]
    fill_known(con, "water_section_4h", rows)
    change = in_section(lambda row: {"codmn_mg_l": row["codmn_mg_l"] * Decimal(by)}, 8)
    fill_table(con, "water_section_4h", change(rows))
    assert failing_batch_queries(con, "water_section_4h") & {"SRC-WS-200"} == found


SAMPLE_LEVELS = {"w01018": 12, "w01017": 1.7, "w01019": 2.7, "w21001": 2.1, "w21003": 0.25, "w21011": 0.08}
SAMPLE_LEVELS |= {"w20141": 0.0022, "w21017": 0.28, "w21022": 11}


def make_sample(point: str, sampled: dt.date) -> Rows:
    drawn = random.Random(f"{point} {sampled}")
    sample = GOOD_ROWS["water_sample"] | {"point_code": point, "sampled_date": sampled}
    values = {item: round(Decimal(level * drawn.uniform(0.8, 1.2)), 5) for item, level in SAMPLE_LEVELS.items()}
    return [sample | {"item_code": item, "value": value, "value_text": str(value)} for item, value in values.items()]


def in_item(item: str, by: str) -> Callable[[Rows], Rows]:
    return lambda rows: [r | times(by, "value")(r) if r["item_code"] == item else r for r in rows]


def copy_sample(rows: Rows) -> Rows:
    return [r | {"point_code": "DM01", "sampled_date": dt.date(2026, 9, 3)} for r in make_sample("DM02", SAMPLED[1])]


SAMPLED = [dt.date(2026, 9, day) for day in (3, 4, 5, 7)]
ODD_SAMPLES: list[tuple[Callable[[Rows], Rows], set[str]]] = [
    (lambda rows: rows, set()),
    (in_item("w01018", "0.2"), {"SRC-WM-120"}),
    (in_item("w21003", "10"), {"SRC-WM-120"}),
    (in_item("w21022", "1000"), {"SRC-WM-170"}),
    (in_item("w21011", "100"), {"SRC-WM-170"}),
    (lambda rows: rows[2:], {"SRC-WM-180"}),
    (copy_sample, {"SRC-WM-180"}),
]


@pytest.mark.parametrize(("change", "expected"), ODD_SAMPLES)
def test_a_sample_is_judged_beside_those_known(
    change: Callable[[Rows], Rows], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    others = zip(("DM02", "DM03", "DM04"), SAMPLED[1:], strict=True)
    fill_known(con, "water_sample", [row for point, sampled in others for row in make_sample(point, sampled)])
    fill_table(con, "water_sample", change(make_sample("DM01", SAMPLED[0])))
    assert failing_batch_queries(con, "water_sample") == expected


def test_a_slip_of_unit_in_three_results_refuses_the_samples(con: duckdb.DuckDBPyConnection) -> None:
    rows = [row for sampled in SAMPLED[:3] for row in in_item("w21011", "100")(make_sample("DM01", sampled))]
    fill_table(con, "water_sample", rows)
    assert failing_batch_queries(con, "water_sample") == {"SRC-WM-130"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, set()),
        ({"value": Decimal("0.1")}, {"SRC-WM-190"}),
        ({"value": Decimal("0.1"), "doc_no": "监字92号"}, set()),
    ],
)
def test_a_report_that_changes_its_results_is_flagged(
    change: dict[str, Any], found: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_known(con, "water_sample", [GOOD_ROWS["water_sample"]])
    fill_table(con, "water_sample", [GOOD_ROWS["water_sample"] | change])
    assert failing_batch_queries(con, "water_sample") == found


@pytest.mark.parametrize(("known_sections", "found"), [(8, {"SRC-WM-140"}), (9, set())])
def test_a_month_without_its_ten_sections_is_flagged(
    known_sections: int, found: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    months = [dt.date(2026, month, 3) for month in (8, 9, 10)]
    known = [{"point_code": f"DM{number + 2:02}", "sampled_date": months[1]} for number in range(known_sections)]
    fill_known(con, "water_sample", [GOOD_ROWS["water_sample"] | place for place in known])
    fill_table(con, "water_sample", [GOOD_ROWS["water_sample"] | {"sampled_date": day} for day in months])
    assert failing_batch_queries(con, "water_sample") == found


DEVICES = [f"W{number:03}" for number in range(1, 7)]


def make_micro_day(day: int) -> Rows:
    drawn = random.Random(day)
    return [
        GOOD_ROWS["micro_air_hour"]
        | {"device_code": device, "hour_end": dt.datetime(2026, 11, day, 1, tzinfo=CHINA) + hour * HOUR}
        | {"pm25_ug_m3": drawn.randrange(300, 500) / 10, "pm10_ug_m3": drawn.randrange(550, 700) / 10}
        for device in DEVICES
        for hour in range(24)
    ]


def at_device(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Rows], Rows]:
    return lambda rows: [row | change(row) if row["device_code"] == DEVICES[0] else row for row in rows]


def copy_device(rows: Rows) -> Rows:
    return [*[r | {"device_code": DEVICES[0]} for r in rows if r["device_code"] == DEVICES[1]], *rows[24:]]


ODD_MICRO_DAYS: list[tuple[Callable[[Rows], Rows], set[str]]] = [
    (lambda rows: rows, set()),
    (at_device(lambda row: {"pm25_ug_m3": row["pm25_ug_m3"] * 2}), {"SRC-MA-160"}),
    (at_device(lambda row: {"pm10_ug_m3": row["pm10_ug_m3"] * 3}), {"SRC-MA-160"}),
    (lambda rows: rows[24:], {"SRC-MA-170"}),
    (lambda rows: rows[8:], {"SRC-MA-170"}),
    (at_device(lambda row: {"device_code": "W999"}), {"SRC-MA-170"}),
    (at_device(lambda row: {"county_code": "430304"}), {"SRC-MA-170"}),
    (at_device(lambda row: {"nearest_station_code": "1511A"}), {"SRC-MA-170"}),
    (copy_device, {"SRC-MA-190"}),
]


@pytest.mark.parametrize(("change", "expected"), ODD_MICRO_DAYS)
def test_a_micro_station_day_is_judged_beside_its_neighbours_and_what_is_known(
    change: Callable[[Rows], Rows], expected: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_known(con, "micro_air_hour", make_micro_day(14))
    fill_table(con, "micro_air_hour", change(make_micro_day(15)))
    # six devices are never the 138 that are due
    assert failing_batch_queries(con, "micro_air_hour") == expected | {"SRC-MA-150"}


def test_micro_stations_off_their_national_station_are_flagged(con: duckdb.DuckDBPyConnection) -> None:
    start = dt.datetime(2026, 11, 15, 1, tzinfo=CHINA)
    hours = [GOOD_ROWS["air_hour"] | {"hour_end": start + n * HOUR, "pm25_ug_m3": 5} for n in range(24)]
    fill_known(con, "air_hour", hours)
    fill_table(con, "micro_air_hour", make_micro_day(15))
    assert failing_batch_queries(con, "micro_air_hour") == {"SRC-MA-150", "SRC-MA-160"}


@pytest.mark.parametrize(("by", "found"), [(1, set()), (0.8, {"SRC-MA-180"})])
def test_a_micro_station_hour_that_changes_is_flagged(
    by: float, found: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    fill_known(con, "micro_air_hour", make_micro_day(15))
    fill_table(con, "micro_air_hour", at_device(lambda row: {"pm25_ug_m3": row["pm25_ug_m3"] * by})(make_micro_day(15)))
    assert failing_batch_queries(con, "micro_air_hour") & {"SRC-MA-180"} == found


def test_a_full_network_of_micro_stations_is_on_line(con: duckdb.DuckDBPyConnection) -> None:
    start = dt.datetime(2026, 11, 15, 1, tzinfo=CHINA)
    hours = [{"device_code": f"W{d:03}", "hour_end": start + h * HOUR} for d in range(138) for h in range(24)]
    create_table(con, "micro_air_hour", read_columns(EXPECTATIONS / "source" / "micro_air_hour.json"))
    for row, kept in ((hours, set()), (hours[: 24 * 110], {"SRC-MA-150"})):
        con.execute("delete from micro_air_hour")
        con.execute(
            "insert into micro_air_hour by name select unnest($rows, recursive := true), 'online' as device_status",
            {"rows": row},
        )
        assert failing_batch_queries(con, "micro_air_hour") == kept


# ---------------------------------------------------------------- what keeps a version from being published

SOURCE_DAY: dict[str, Any] = {
    "permit_no": PERMIT,
    "outlet_code": "DA001",
    "pollutant_id": "nox",
    "business_date": dt.date(2026, 11, 15),
    "medium": "air",
    "measured_hours": 20,
    "substituted_hours": 0,
    "valid_hours": 20,
    "stopped_hours": 2,
    "invalid_hours": 1,
    "missing_hours": 1,
    "unfilled_hours": 2,
    "measured_kg": 240,
    "mass_kg": 240,
    "min_hour_kg": 10,
    "max_hour_kg": 14,
    "quarter_capture_pct": 91.5,
    "concentration_unit": "mg/m3",
    "method": "measured",
    "data_basis": "synthetic",
}
CITY_DAY: dict[str, Any] = {
    "region_code": "430300",
    "business_date": dt.date(2019, 1, 5),
    "basis": "strict",
    "stations_expected": 6,
    "pm25_ug_m3": 60,
    "pm10_ug_m3": 90,
    "aqi": 82,
    "category_zh": "良",
    "is_judged": True,
    "is_good": True,
    "standard_code": "HJ 633-2012",
    "data_basis": "measured",
}
INDICATOR: dict[str, Any] = {
    "plan_id": 14,
    "indicator_no": 15,
    "region_code": "430300",
    "assessment_point": "FINAL_2025",
    "year": 2025,
    "value": 3300,
    "unit": "t",
    "target_value": 3200,
    "target_doc_no": "湘环函〔2022〕9号",
    "target_issued_date": dt.date(2022, 6, 1),
    "kind": "P",
    "attribute": "约束性",
    "status": "attained",
    "cause": "target_met",
    "status_reason_zh": "达到目标",
    "status_reason_en": "meets the target",
    "coverage_n": 12,
    "coverage_required": 1,
    "inputs_hash": "0f",
    "data_basis": "synthetic",
}
REDUCTION: dict[str, Any] = {
    "region_level": "city",
    "region_code": "430300",
    "pollutant_id": "nox",
    "year": 2025,
    "base_t": 30000,
    "planned_t": 3400,
    "claimed_t": 3300,
    "verified_t": 3000,
    "by_engineering_t": 2500,
    "by_structure_t": 300,
    "by_management_t": 200,
    "target_t": 3200,
    "target_doc_no": "湘环函〔2022〕9号",
    "completion_pct": Decimal("93.75"),
    "status": "not_attained",
    "project_count": 12,
    "rate_b_reason_zh": "未报送新增量",
    "data_basis": "synthetic",
}
REFUSED_ROWS = [
    ("fct_source_day", SOURCE_DAY, {"missing_hours": 2}, {"MART-FS-020"}),
    ("fct_source_day", SOURCE_DAY, {"mass_kg": -1, "measured_kg": -1}, {"MART-FS-030"}),
    ("fct_source_day", SOURCE_DAY, {"mass_kg": 241}, {"MART-FS-040"}),
    ("fct_source_day", SOURCE_DAY, {"substituted_kg": 1, "mass_kg": 241, "method": "mixed"}, {"MART-FS-050"}),
    ("fct_source_day", SOURCE_DAY, {"max_hour_kg": 9}, {"MART-FS-090"}),
    ("fct_source_day", SOURCE_DAY, {"quarter_capture_pct": 74.9}, {"MART-FS-100"}),
    ("fct_source_day", SOURCE_DAY, {"mass_kg": None}, {"MART-FS-040"}),
    ("fct_source_day", SOURCE_DAY, {"data_basis": None}, {"MART-FS-080"}),
    ("fct_air_city_day", CITY_DAY, {"aqi": 501, "is_good": False}, {"MART-AC-020"}),
    ("fct_air_city_day", CITY_DAY, {"aqi": 101}, {"MART-AC-030"}),
    ("fct_air_city_day", CITY_DAY, {"standard_code": "HJ 633-2026"}, {"MART-AC-040"}),
    ("ind_plan_indicator", INDICATOR, {"status": "fine"}, {"MART-PI-030"}),
    ("ind_plan_indicator", INDICATOR, {"target_value": None}, {"MART-PI-040"}),
    ("ind_plan_indicator", INDICATOR, {"coverage_n": 0}, {"MART-PI-040"}),
    ("ind_plan_indicator", INDICATOR, {"assessment_point": "MID_2023", "year": 2023}, {"MART-PI-050"}),
    ("ind_plan_indicator", INDICATOR, {"year": 2026}, {"MART-PI-050"}),
    ("ind_plan_indicator", INDICATOR, {"indicator_no": 5, "unit": "%", "value": 101}, {"MART-PI-060"}),
    ("mart_reduction_nox", REDUCTION, {"base_t": 2900}, {"MART-RX-020"}),
    ("mart_reduction_nox", REDUCTION, {"claimed_t": 2900}, {"MART-RX-020"}),
    ("mart_reduction_nox", REDUCTION, {"by_structure_t": 301}, {"MART-RX-030"}),
    ("mart_reduction_nox", REDUCTION, {"status": "attained"}, {"MART-RX-070"}),
    ("mart_reduction_nox", REDUCTION, {"target_t": None}, {"MART-RX-070"}),
    ("mart_reduction_nox", REDUCTION, {"completion_pct": 9375}, {"MART-RX-080"}),
]


@pytest.mark.parametrize(("table", "good", "change", "expected"), REFUSED_ROWS)
def test_a_wrong_published_row_is_caught(
    table: str,
    good: dict[str, Any],
    change: dict[str, Any],
    expected: set[str],
    con: duckdb.DuckDBPyConnection,
) -> None:
    fill_table(con, table, [good], "mart")
    assert failing_row_checks(con, table, "mart") == set()
    fill_table(con, table, [good | change], "mart")
    assert failing_row_checks(con, table, "mart") == expected


@pytest.mark.parametrize(("days_ago", "found"), [(0, {"MART-AC-070"}), (6, {"MART-AC-070"}), (7, set())])
def test_fine_above_coarse_particles_is_flagged_for_a_week(
    days_ago: int, found: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    odd = CITY_DAY | {"business_date": CITY_DAY["business_date"] - dt.timedelta(days=days_ago), "pm25_ug_m3": 96}
    fill_table(con, "fct_air_city_day", [CITY_DAY | {"region_code": "430100"}, odd], "mart")
    assert failing_batch_queries(con, "fct_air_city_day", "mart") == found


def make_reduction_year(changed: dict[str, Any]) -> list[dict[str, Any]]:
    """One city of five counties that share its tonnes evenly; `changed` bends the last county."""
    tonnes = ("base_t", "planned_t", "claimed_t", "verified_t")
    share = {name: REDUCTION[name] / 5 for name in tonnes}
    counties = [
        REDUCTION | share | {"region_code": code, "region_level": "county"}
        for code in sorted(value_set("permit", "SRC-PE-070"))
    ]
    return [REDUCTION, *counties[:-1], counties[-1] | changed]


@pytest.mark.parametrize(("changed", "found"), [({}, set()), ({"verified_t": 601}, {"MART-RX-040"})])
def test_the_counties_must_add_up_to_the_city(
    changed: dict[str, Any], found: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    project = {"pollutant_id": "nox", "year": 2025, "verified_t": REDUCTION["verified_t"]}
    fill_table(con, "mart_reduction_project", [project], "mart")
    fill_table(con, "mart_reduction_nox", make_reduction_year(changed), "mart")
    assert failing_batch_queries(con, "mart_reduction_nox", "mart") == found


@pytest.mark.parametrize(("last_of_14", "found"), [(28, set()), (27, {"MART-PI-020"})])
def test_all_indicators_of_both_plans_must_be_there(
    last_of_14: int, found: set[str], con: duckdb.DuckDBPyConnection
) -> None:
    for pollutant in ("cod", "nh3n", "vocs", "nox"):
        fill_table(con, f"mart_reduction_{pollutant}", [REDUCTION | {"verified_cum_t": 3000}], "mart")
    points = [(13, "FINAL_2020", number, number <= 9) for number in range(1, 28)]
    points += [(14, "FINAL_2025", number, number <= 15) for number in range(1, last_of_14 + 1)]
    rows = [
        {"plan_id": plan, "assessment_point": point, "indicator_no": number, "region_code": "430300"}
        | {"attribute": "约束性" if is_binding else "指导性"}
        for plan, point, number, is_binding in points
    ]
    fill_table(con, "ind_plan_indicator", rows, "mart")
    assert failing_batch_queries(con, "ind_plan_indicator", "mart") == found
