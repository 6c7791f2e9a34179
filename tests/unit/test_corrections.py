"""Corrections act on the rows that show their fault, and on no others; they say when they are no longer needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from pydantic import ValidationError

from tanhuan.contracts import get_contract
from tanhuan.corrections import (
    Applied,
    Correction,
    answer_for,
    apply_corrections,
    list_drop_checks,
    list_in_force,
    load_corrections,
    mark_suite,
    read_corrections,
)
from tanhuan.duck import open_memory
from tanhuan.errors import TanhuanError
from tanhuan.gates.suites import Suite, load_source_suite
from tanhuan.settings import Settings
from tests.conftest import change_settings

ROOT = Path(__file__).resolve().parents[2]
TABLE = "penalty"
BASE: dict[str, Any] = {
    "id": "COR-2026-001",
    "table": TABLE,
    "status": "reviewed",
    "action": "override",
    "match": {"case_no": "1"},
    "column": "amount_cny",
    "value": 20000,
    "expected_fault": "amount_cny = 2",
    "reason": {"zh": "金额单位误为万元", "en": "the fine came in units of 10 000"},
    "document": "潭环函〔2026〕1号",
    "proposed_by": "李四",
    "reviewed_by": "王五",
    "reviewed_on": "2026-01-02",
}


def make(**changes: Any) -> Correction:
    """Return the base correction with changes; a change to ... takes the key away."""
    return Correction.model_validate({k: v for k, v in (BASE | changes).items() if v is not ...})


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """Three staged penalties of 2, 2 and 30 yuan; of the last the amount did not fit its type."""
    columns = ", ".join(
        f"{ {'case_no': 'n::varchar', 'amount_cny': 'if(n = 3, null, 2)'}.get(c.name, 'null') }::{c.type} as {c.name}"
        for c in get_contract(TABLE).columns
    )
    with open_memory() as con:
        con.execute(
            f"create table staged as select {columns}, null::date as business_date, 'p' as _source_file, "
            "n as _source_row, n as _ordinal, hash(n) as _row_hash, "
            "if(n = 3, ['amount_cny'], []::varchar[]) as _unfit, []::varchar[] as _flags from range(1, 4) as t (n)"
        )
        yield con


@pytest.fixture
def suite(home: Settings) -> Suite:
    return load_source_suite(get_contract(TABLE), home)


def amounts(con: duckdb.DuckDBPyConnection) -> list[Any]:
    return [v for (v,) in con.execute("select amount_cny from staged order by _ordinal").fetchall()]


def hashes(con: duckdb.DuckDBPyConnection) -> list[int]:
    return [v for (v,) in con.execute("select _row_hash from staged order by _ordinal").fetchall()]


def apply(con: duckdb.DuckDBPyConnection, suite: Suite, *corrections: Correction) -> list[Applied]:
    return apply_corrections(con, get_contract(TABLE), suite, corrections)


def test_a_value_is_replaced_where_it_matches_and_shows_the_fault(con: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    before = hashes(con)
    (applied,) = apply(con, suite, make())
    assert (applied.matched, applied.acted) == (1, 1)
    assert applied.samples == ["p row 1 amount_cny 2.00 → 20000.00"]
    assert amounts(con) == [Decimal(20000), Decimal(2), None]
    after = hashes(con)
    assert after[0] != before[0], "a corrected row is another row"
    assert after[1:] == before[1:]


def test_a_number_is_scaled_exactly(con: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    scale = make(action="scale", value=..., factor="10000", match={"case_no": ["1", "2"]})
    assert [a.acted for a in apply(con, suite, scale)] == [2]
    assert amounts(con) == [Decimal(20000), Decimal(20000), None]


def test_what_a_factor_makes_too_large_is_refused_by_the_check_of_types(
    con: duckdb.DuckDBPyConnection, suite: Suite
) -> None:
    for _ in range(2):
        apply(con, suite, make(action="scale", value=..., factor="999999999", expected_fault="amount_cny > 1"))
    assert con.execute("select amount_cny, _unfit from staged where _ordinal = 1").fetchone() == (None, ["amount_cny"])


def test_a_text_that_did_not_fit_can_be_replaced_by_the_check_that_fails(
    con: duckdb.DuckDBPyConnection, suite: Suite
) -> None:
    named = make(match={"case_no": {"from": "1", "to": "9"}}, expected_fault=["CONTRACT-penalty-TYPE-amount_cny"])
    (applied,) = apply(con, suite, named)
    assert (applied.matched, applied.acted) == (3, 1)
    assert con.execute("select amount_cny, _unfit from staged where _ordinal = 3").fetchone() == (20000, [])


def test_a_row_is_kept_out_by_a_check_that_names_the_correction(con: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    applied = apply(con, suite, make(action="drop", column=..., value=...))
    (check,) = list_drop_checks(applied)
    assert (check.id, check.action) == ("COR-2026-001", "refuse_row")
    assert con.execute(f"select _source_row from staged where {check.failing}").fetchall() == [(1,)]
    assert answer_for(applied, 3, False) == [], "the check of the row tells it"


def test_a_flag_changes_nothing(con: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    before = hashes(con)
    (answer,) = answer_for(apply(con, suite, make(action="flag", column=..., value=...)), 3, False)
    assert (answer.passed, answer.action, answer.failed_rows) == (False, "flag", 1)
    assert (hashes(con), amounts(con)[0]) == (before, Decimal(2))


def test_a_correction_whose_fault_is_gone_fails_and_names_its_file(
    con: duckdb.DuckDBPyConnection, suite: Suite
) -> None:
    applied = apply(con, suite, make(expected_fault="amount_cny = 7"))
    (answer,) = answer_for(applied, 3, False)
    assert (answer.passed, answer.action) == (False, "flag"), "good rows of a night are not kept out"
    assert "expectations/corrections/COR-2026-001.yml" in answer.zh
    assert "retire" in answer.en
    assert answer_for(applied, 3, True)[0].refuses_batch, "a person who releases by it is stopped"
    assert amounts(con)[0] == Decimal(2)
    assert answer_for(apply(con, suite, make(match={"case_no": "9"})), 3, False) == [], "it met nothing"


def test_values_never_become_sql(con: duckdb.DuckDBPyConnection, suite: Suite) -> None:
    text = "1' or true; drop table staged; --"
    applied = apply(con, suite, make(match={"case_no": text}), make(column="law_basis", value=text))
    assert [a.acted for a in applied] == [0, 1]
    assert con.execute("select law_basis from staged where _ordinal = 1").fetchone() == (text,)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reviewed_by": "李四"}, "does not review it"),
        ({"reviewed_by": ...}, "needs reviewed_by"),
        ({"table": "nothing"}, "no table nothing"),
        ({"match": {"colour": "red"}}, "colour are not in the contract"),
        ({"match": {}}, "at least 1"),
        ({"factor": 2}, "action override needs"),
        ({"action": "scale", "value": ..., "factor": 2, "column": "law_basis"}, "is no number"),
        ({"action": "scale", "value": ..., "factor": "0.1234567891"}, "at most 9 decimals"),
        ({"column": "data_basis", "value": "measured"}, "not to be corrected"),
        ({"surprise": 1}, "Extra inputs"),
        ({"id": "COR-1"}, "should match pattern"),
    ],
)
def test_what_is_not_a_correction_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        make(**changes)


def own_project(home: Settings, folder: Path) -> Settings:
    """Return settings whose expectations are a copy without corrections."""
    target = folder / "expectations"
    (target / "corrections").mkdir(parents=True)
    (target / "source").symlink_to(home.expectations / "source")
    return change_settings(home, project_root=folder)


def write(settings: Settings, name: str = "COR-2026-001.yml", **changes: Any) -> None:
    content = {k: v for k, v in (BASE | changes).items() if v is not ...}
    (settings.expectations / "corrections" / name).write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"expected_fault": "true; drop table staged"}, "not one SQL expression"),
        ({"expected_fault": "true) from x -- "}, "not one SQL expression"),
        ({"expected_fault": "colour = 1"}, "colour"),
        ({"expected_fault": ["SRC-XX-1"]}, "SRC-XX-1 are no checks of single rows"),
        ({"expected_fault": ["CONTRACT-penalty-DUPLICATE"]}, "are no checks of single rows"),
        ({"value": "viel"}, "viel"),
        ({"id": "COR-2026-002"}, "to be named COR-2026-002.yml"),
    ],
)
def test_a_malformed_file_is_named_and_stops_every_load(
    home: Settings, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    own = own_project(home, tmp_path)
    write(own, **changes)
    found, wrong = read_corrections(own)
    assert found == []
    assert sentence in wrong["COR-2026-001.yml"]
    with pytest.raises(TanhuanError, match=r"expectations/corrections/COR-2026-001\.yml"):
        load_corrections(own)


def test_only_reviewed_ones_that_have_not_ended_are_in_force(home: Settings, tmp_path: Path) -> None:
    own, contract = own_project(home, tmp_path), get_contract(TABLE)
    write(own)
    write(own, "COR-2026-002.yml", id="COR-2026-002", status="proposed", reviewed_by=..., reviewed_on=...)
    write(own, "COR-2026-003.yml", id="COR-2026-003", status="retired")
    write(own, "COR-2026-004.yml", id="COR-2026-004", valid_to="2026-01-31")
    assert [c.id for c in list_in_force(contract, "2026-01-31", own)] == ["COR-2026-001", "COR-2026-004"]
    assert [c.id for c in list_in_force(contract, "2026-02-01", own)] == ["COR-2026-001"]
    assert list_in_force(get_contract("permit"), "2026-01-31", own) == []


def test_what_is_remembered_of_a_day_changes_with_its_corrections(suite: Suite) -> None:
    assert mark_suite(suite, []) == suite
    digests = {mark_suite(suite, [make(**c)]).digest for c in ({}, {"value": 1}, {"expected_fault": "true"})}
    assert len(digests | {suite.digest}) == 4
    assert mark_suite(suite, [make(document="x")]).digest == mark_suite(suite, [make()]).digest


def test_the_example_of_the_readme_is_a_correction(home: Settings, tmp_path: Path) -> None:
    text = (ROOT / "expectations" / "corrections" / "README.md").read_text("utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    own = own_project(home, tmp_path)
    (own.expectations / "corrections" / "COR-2026-001.yml").write_text(example, "utf-8")
    (found,) = load_corrections(own)
    assert found.acts
    documented = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in text.splitlines() if line[:3] == "| `"))
    )
    assert documented == set(Correction.model_fields)
