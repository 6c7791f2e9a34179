"""The gate's rules about codes and the identifier module judge alike, on codes of public record and on mangled ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import load_suite
from tanhuan.standards.identifiers import Finding, classify_permit_no, classify_uscc, complete_uscc
from tests.gates.test_suite_files import EXPECTATIONS, GOOD_ROWS, fill_table

VECTORS = json.loads((Path(__file__).parents[1] / "unit" / "data" / "uscc.json").read_text("utf-8"))
CODE_COLUMNS = ("uscc", "permit_no", "source_code")
TABLES = (
    "permit",
    "permit_outlet",
    "permit_limit",
    "permit_annual_limit",
    "device_binding",
    "credit_evaluation",
    "penalty",
    "blacklist",
    "emission_base",
    "reduction_project",
    "source_check",
)
ACTIONS = {
    Finding.VALID: "admit",
    Finding.CHECK_DIGIT_FAILED: "flag",
    Finding.LETTER_O_FOR_ZERO: "flag",
    Finding.UNUSUAL_LETTER: "flag",
}


def list_codes() -> list[str]:
    """Return the vectors, as written, and three mangled variants of each; the same ones every time."""
    rng = random.Random(32100)
    right = [*VECTORS["valid_found_online"], *(complete_uscc(f"91430304MA{n:07d}") for n in range(0, 10**7, 99_991))]
    codes = [*right, *(case["in"] for case in VECTORS["cases"]), "716671629", "71667162-9", "430300000012345", ""]
    for code in right:
        at = rng.randrange(18)
        codes.append(code[:at] + rng.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZaｘ０ -") + code[at + 1 :])
        codes.append(code.replace("0", "O", rng.randint(1, 9)))
        codes.append(rng.choice([code[:at] + code[at + 1 :], code[:at] + " " + code[at:], code.lower(), code + "\n"]))
    return codes


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def judge_by_gate(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return for every row of the table, in its order, what the source gate does with it."""
    checks = load_suite(EXPECTATIONS / "source" / f"{table}.json").at("row")
    failing = {
        action: " or ".join(f"coalesce(({compile_failing(c)}), false)" for c in checks if c.action == action)
        for action in ("refuse_row", "flag")
    }
    verdict = f"case when {failing['refuse_row']} then 'refuse' when {failing['flag']} then 'flag' else 'admit' end"
    return [row[0] for row in con.execute(f'select {verdict} from "{table}" order by rowid').fetchall()]


@pytest.mark.parametrize("table", TABLES)
def test_the_gate_judges_a_code_as_the_identifier_module_does(table: str, con: duckdb.DuckDBPyConnection) -> None:
    codes, good = list_codes(), GOOD_ROWS[table]
    # An area's source code names no permit; every other code of the row is replaced.
    columns = [c for c in CODE_COLUMNS if c in good]
    assert columns
    rows = [good | {c: code if c == "uscc" else f"{code}001P" for c in columns} for code in codes]
    if table == "emission_base":
        rows = [row | {"source_type": "industrial", "county_code": "430304"} for row in rows]
    fill_table(con, table, rows)
    found = [classify_uscc(c) if "uscc" in columns else classify_permit_no(f"{c}001P")[0] for c in codes]
    expected = [ACTIONS.get(finding, "refuse") for finding in found]
    judged = judge_by_gate(con, table)
    assert [(c, e, j) for c, e, j in zip(codes, expected, judged, strict=True) if e != j] == []
    assert set(judged) == {"admit", "flag", "refuse"}


@pytest.mark.parametrize("letter", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
def test_an_unusual_last_letter_of_a_permit_number_is_flagged(letter: str, con: duckdb.DuckDBPyConnection) -> None:
    permit_no = f"{GOOD_ROWS['permit']['uscc']}001{letter}"
    fill_table(con, "permit", [GOOD_ROWS["permit"] | {"permit_no": permit_no}])
    assert judge_by_gate(con, "permit") == [ACTIONS[classify_permit_no(permit_no)[0]]]


def test_every_copy_of_the_check_character_rule_is_right(con: duckdb.DuckDBPyConnection) -> None:
    """Suites cannot share SQL, so each holds the rule itself: whatever its wording, it fails the same codes."""
    codes = [c for c in list_codes() if classify_uscc(c) in (Finding.VALID, Finding.CHECK_DIGIT_FAILED)]
    wrong = {c for c in codes if classify_uscc(c) is Finding.CHECK_DIGIT_FAILED}
    con.execute("create table code (code varchar, uscc varchar, permit_no varchar, source_code varchar)")
    con.executemany("insert into code values (?, ?, ?, ?)", [[c, c, f"{c}001P", f"{c}001P"] for c in codes])
    rules = {
        check.id: compile_failing(check)
        for path in sorted((EXPECTATIONS / "source").glob("*.json"))
        for check in load_suite(path).at("row")
        if "0123456789ABCDEFGHJKLMNPQRTUWXY" in compile_failing(check)
    }
    assert len(rules) >= len(TABLES)
    for check_id, rule in rules.items():
        assert {row[0] for row in con.execute(f"select code from code where {rule}").fetchall()} == wrong, check_id
