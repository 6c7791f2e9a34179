"""Compiled row rules and Great Expectations mean the same, row by row: shown for every suite on edge-heavy rows."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import great_expectations as gx
import pytest

from tanhuan.contracts import load_contracts
from tanhuan.duck import open_memory
from tanhuan.formats.rows import PLACE, RECEIVED
from tanhuan.gates import row_rules
from tanhuan.gates.engine import get_validator
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.source_gate import Accepted, Verdict, judge, split_rows
from tanhuan.gates.suites import Check, load_source_suite, load_suite
from tanhuan.settings import TIME_ZONE, get_settings
from tests.gates.random_rows import Maker, as_text, choose_rows, find_ids, store_rows
from tests.gates.test_suite_files import (
    BAD_ROWS,
    GOOD_ROWS,
    REFUSED_ROWS,
    SUITE_PATHS,
    create_table,
    read_columns,
    read_published_columns,
)

#: Great Expectations shows no more than 200 rows of a query
ROWS, CANDIDATES = 190, 700
SEEDS, MORE_SEEDS = (1,), range(2, 18)
NEARLY_ALL = 0.98
#: checks that raise on a value which their columns may hold; each is a defect of its suite
RAISING = {"SRC-WS-100"}
ROW_NUMBERS = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": ["row_id"],
    "partial_unexpected_count": 10 * ROWS,  # it bounds the row numbers, too
    "return_unexpected_index_query": False,
}


@dataclass(frozen=True)
class Comparison:
    """Which rows fail which check, by the compiled rules and by Great Expectations.

    `shown` is each row as text; `raised` the checks that raise on some row, and with what.
    """

    compiled: dict[str, set[int]]
    answered: dict[str, set[int]]
    shown: dict[int, str]
    raised: dict[str, str]

    @property
    def differences(self) -> list[str]:
        """One sentence for every check on which both differ, with a row that shows it."""
        found = []
        for check_id, compiled in self.compiled.items():
            if apart := sorted(compiled ^ self.answered[check_id]):
                side = "the compiled rule" if apart[0] in compiled else "Great Expectations"
                found.append(f"{check_id}: {len(apart)} rows, e.g. only {side} refuses {self.shown[apart[0]]}")
        return found


@dataclass(frozen=True)
class Table:
    """A judged table: its columns, its row checks, and rows that are good or nearly so."""

    gate: str
    name: str
    columns: dict[str, str]
    checks: list[Check]
    good: list[dict[str, Any]]

    def compare(self, seed: int, folder: Path) -> Comparison:
        """Let both sides judge the same random rows."""
        rng = random.Random(f"{self.gate}.{self.name}.{seed}")
        rules = {c.id: compile_failing(c) for c in self.checks}
        file = folder / f"{self.gate}-{self.name}-{seed}.duckdb"
        with duckdb.connect(str(file)) as con:
            con.execute(f"set TimeZone = '{TIME_ZONE.key}'")
            known = self._surround(con, rng, folder)
            maker = Maker(self.columns, self.checks, self.good, rng, extremes=self.gate == "source")
            store_rows(con, self.name, self.columns, maker.make(CANDIDATES))
            # what the split's rows have beside the columns of their contract
            con.execute(f'create temp view judged as select *, []::varchar[] as _unfit from "{self.name}"')
            raised = _drop_rows_without_an_answer(con, self.name, rules)
            choose_rows(con, self.name, "judged", list(rules.values()), ROWS, rng)
            compiled = {check_id: find_ids(con, "judged", rule) for check_id, rule in rules.items()}
            shown = dict(con.execute(f'select row_id, "{self.name}"::varchar from "{self.name}"').fetchall())
            con.execute(f"copy \"{self.name}\" to '{file.with_suffix('.parquet')}' (format parquet)")
        return Comparison(compiled, self._ask_great_expectations(file, known), shown, raised)

    def _surround(self, con: duckdb.DuckDBPyConnection, rng: random.Random, folder: Path) -> list[str]:
        """Create what checks may name beside the batch: a mart's neighbours, or what is known already."""
        if self.gate == "mart":
            for table, columns in read_published_columns().items():
                create_table(con, table, columns)
            return []
        queries = " ".join(str(c.expectation["kwargs"]) for c in self.checks if c.expectation)
        statements = [_show_known(table, rng, folder) for table in sorted(set(re.findall(r"known\.(\w+)", queries)))]
        statements = ["create schema if not exists known", *statements] if statements else []
        for statement in statements:
            con.execute(statement)
        return statements

    def _ask_great_expectations(self, file: Path, known: list[str]) -> dict[str, set[int]]:
        with ExitStack() as stack:
            if self.gate == "mart":
                batch = stack.enter_context(get_validator().open_database(file))(self.name)
            else:
                batch = stack.enter_context(get_validator().open_parquet(str(file.with_suffix(".parquet")), known))
            suite = gx.ExpectationSuite(
                name=self.name, expectations=[c.expectation for c in self.checks if c.expectation]
            )
            answer = batch.get_batch().validate(suite, result_format=ROW_NUMBERS)
        # not as JSON: that takes milliseconds for every decimal
        return dict(_read_row_numbers(result) for result in answer.results)


def _drop_rows_without_an_answer(con: duckdb.DuckDBPyConnection, table: str, rules: dict[str, str]) -> dict[str, str]:
    """Delete the rows on which a rule raises; return what it raises."""
    raised: dict[str, str] = {}
    for check_id, rule in rules.items():
        pending = [sorted(find_ids(con, "judged", "true"))]
        while pending:
            ids = pending.pop()
            try:
                con.execute(f"select count(case when list_contains($1, row_id) then {rule} end) from judged", [ids])
            except duckdb.Error as error:
                raised[check_id] = str(error).splitlines()[0]
                if len(ids) == 1:
                    con.execute(f'delete from "{table}" where row_id = $1', ids)
                else:
                    pending += [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    return raised


def _read_row_numbers(answer: Any) -> tuple[str, set[int]]:
    """Return an answer's check and its failing rows; a query's answer shows whole rows."""
    found, named = answer.result, answer.expectation_config.meta["id"]
    assert found, f"{named}: Great Expectations answered {answer.exception_info}"
    by_query = "unexpected_index_list" not in found
    rows = found["details"]["unexpected_rows"] if by_query else found["unexpected_index_list"]
    counted = int(re.sub(r"\D", "", str(found["observed_value"]))) if by_query else found["unexpected_count"]
    numbers = {row["row_id"] for row in rows or []}
    assert len(numbers) == counted, f"{named}: {counted} rows are counted, but {len(numbers)} are shown"
    return named, numbers


def _show_known(table: str, rng: random.Random, folder: Path) -> str:
    """Return the statement that shows random rows of a table as known."""
    contract = load_contracts()[table]
    columns = {c.name: c.type for c in contract.columns} | {"business_date": "DATE", "_row_hash": "UBIGINT"}
    checks = load_suite(get_settings().expectations / "source" / f"{table}.json").at("row")
    file = folder / f"known-{table}-{rng.random()}.parquet"
    with open_memory() as con:
        store_rows(con, table, columns, Maker(columns, checks, _list_good_rows("source", table), rng).make(60))
        con.execute(f"copy (select * exclude (row_id) from \"{table}\") to '{file}' (format parquet)")
    return f"create or replace view known.{table} as select * from read_parquet('{file}')"


def _list_good_rows(gate: str, table: str) -> list[dict[str, Any]]:
    changed: list[tuple[str, dict[str, Any], Any]] = [
        *((name, GOOD_ROWS[name], change) for name, change, _ in BAD_ROWS),
        *((name, good, change) for name, good, change, _ in REFUSED_ROWS),
    ]
    own = [(good, change) for name, good, change in changed if name == table]
    good_rows = [GOOD_ROWS[table]] if gate == "source" else [good for good, _ in own]
    return [*good_rows, *good_rows, *(good | change for good, change in own)]


@cache
def read_table(path: Path) -> Table:
    gate, name = path.parent.name, path.stem
    suite = load_source_suite(load_contracts()[name], get_settings()) if gate == "source" else load_suite(path)
    checks = [c for c in suite.at("row") if c.expectation is not None]
    return Table(gate, name, read_columns(path), checks, _list_good_rows(gate, name))


TABLES = [table for path in SUITE_PATHS if (table := read_table(path)).checks]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


@pytest.fixture(scope="module")
def compare(folder: Path) -> Callable[[Table, int], Comparison]:
    """Compare a table's rules on the rows of a seed, once a run."""
    done: dict[tuple[str, str, int], Comparison] = {}

    def compare_once(table: Table, seed: int) -> Comparison:
        key = (table.gate, table.name, seed)
        if key not in done:
            done[key] = table.compare(seed, folder)
        return done[key]

    return compare_once


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.gate}-{t.name}")
def test_compiled_rules_and_great_expectations_refuse_the_same_rows(
    table: Table, seed: int, compare: Callable[[Table, int], Comparison]
) -> None:
    assert compare(table, seed).differences == []


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.gate}-{t.name}")
def test_a_rule_answers_for_every_row_that_the_types_admit(
    table: Table, compare: Callable[[Table, int], Comparison]
) -> None:
    # One absurd value must cost its row, and not the whole batch its night.
    raised = {check_id: error for seed in SEEDS for check_id, error in compare(table, seed).raised.items()}
    assert {check_id: error for check_id, error in raised.items() if check_id not in RAISING} == {}


def test_random_rows_break_and_keep_nearly_every_check(compare: Callable[[Table, int], Comparison]) -> None:
    never_failing, never_passing, checks = [], [], 0
    for table in TABLES:
        compared = [compare(table, seed) for seed in SEEDS]
        for check in table.checks:
            checks += 1
            if not any(c.compiled[check.id] for c in compared):
                never_failing.append(check.id)
            if all(c.compiled[check.id] == set(c.shown) for c in compared):
                never_passing.append(check.id)
    exercised = 1 - len({*never_failing, *never_passing}) / checks
    assert exercised >= NEARLY_ALL, f"of {checks} checks no row failed {never_failing}, no row passed {never_passing}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", MORE_SEEDS)
def test_they_agree_on_many_more_rows(seed: int, compare: Callable[[Table, int], Comparison]) -> None:
    assert [difference for table in TABLES for difference in compare(table, seed).differences] == []


# ---------------------------------------------------------------- every kind of rule, whether a suite has it or not

KIND_COLUMNS = {"a": "DOUBLE", "b": "DOUBLE", "n": "DECIMAL(9,2)", "d": "DATE", "word": "VARCHAR", "year": "INTEGER"}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("expect_column_values_to_be_null", {"column": "word"}),
    ("expect_column_values_to_not_be_null", {"column": "a"}),
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 0.1, "max_value": 5}),
    ("expect_column_values_to_be_between", {"column": "a", "min_value": -1, "strict_min": True}),
    ("expect_column_values_to_be_between", {"column": "n", "min_value": 0.05, "max_value": 7, "strict_max": True}),
    ("expect_column_values_to_be_between", {"column": "d", "min_value": "2020-01-01", "max_value": "2025-12-31"}),
    ("expect_column_value_lengths_to_be_between", {"column": "word", "min_value": 1, "max_value": 3}),
    ("expect_column_value_lengths_to_be_between", {"column": "word", "max_value": 2, "strict_max": True}),
    ("expect_column_value_lengths_to_equal", {"column": "word", "value": 2}),
    ("expect_column_values_to_be_in_set", {"column": "word", "value_set": ["it's", "Ⅱ", "", "\\", None]}),
    ("expect_column_values_to_be_in_set", {"column": "year", "value_set": [2020, 2025]}),
    ("expect_column_values_to_not_be_in_set", {"column": "word", "value_set": ["it's", "Ⅱ", "%", None]}),
    ("expect_column_values_to_match_regex", {"column": "word", "regex": "^[Ⅰ-Ⅴa-z']+$"}),
    ("expect_column_values_to_match_regex", {"column": "word", "regex": "\\d|''|:a"}),
    ("expect_column_values_to_not_match_regex", {"column": "word", "regex": "^\\s*$"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "a", "column_B": "b"}),
    ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "a", "column_B": "n", "or_equal": True}),
    ("expect_column_pair_values_to_be_equal", {"column_A": "a", "column_B": "b"}),
    ("unexpected_rows_expectation", {"unexpected_rows_query": "SELECT * FROM {batch} WHERE a > b OR word <> 'it''s'"}),
]


def make_check(check_id: str, kind: str, kwargs: dict[str, Any]) -> Check:
    expectation = {"type": kind, "kwargs": kwargs, "severity": "critical", "meta": {"id": check_id}}
    return Check(check_id, "row", "refuse_row", "critical", "不合规则", "breaks the rule", "", expectation)


def make_kinds(gate: str = "source") -> Table:
    checks = [make_check(f"KIND-{number}", kind, kwargs) for number, (kind, kwargs) in enumerate(KINDS)]
    return Table(gate, "kinds", KIND_COLUMNS, checks, [])


def test_every_kind_of_rule_is_tried() -> None:
    assert {kind for kind, _ in KINDS} == set(row_rules._COMPILERS)


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_kind_of_rule_means_the_same(seed: int, tmp_path: Path) -> None:
    found = make_kinds().compare(seed, tmp_path)
    assert found.differences == []
    assert not [check_id for check_id, rows in found.compiled.items() if not 0 < len(rows) < len(found.shown)]


def test_checks_may_look_at_what_is_known(tmp_path: Path) -> None:
    query = (
        "SELECT * FROM {batch} WHERE EXISTS (SELECT 1 FROM known.permit AS k WHERE k.permit_no = word AND "
        "k.business_date > d) OR a > (SELECT count(*) FROM known.permit)"
    )
    check = make_check("KNOWN-1", "unexpected_rows_expectation", {"unexpected_rows_query": query})
    good = [{"word": GOOD_ROWS["permit"]["permit_no"], "d": "2001-01-01", "a": "0"}, {"a": "1000"}, {"a": "1"}]
    found = Table("source", "kinds", KIND_COLUMNS, [check], good).compare(1, tmp_path)
    assert found.differences == []
    assert 0 < len(found.compiled["KNOWN-1"]) < len(found.shown)


# ---------------------------------------------------------------- the comparison can fail

WRONG: list[tuple[str, Callable[[dict[str, Any]], str]]] = [
    ("expect_column_values_to_not_be_null", lambda k: f"not coalesce({k['column']} > 0, false)"),
    ("expect_column_values_to_be_between", lambda k: f"{k['column']} <= {row_rules.quote(k['min_value'])}"),
    ("expect_column_values_to_be_between", lambda k: f"({row_rules._between(k)}) is not false"),
    ("expect_column_values_to_be_in_set", lambda k: f"({row_rules._in_set(k)}) is not false"),
    ("expect_column_values_to_match_regex", lambda k: f"{row_rules._match_regex(k)} or {k['column']} is null"),
    ("expect_column_pair_values_a_to_be_greater_than_b", lambda k: f"{k['column_A']} < {k['column_B']}"),
    ("unexpected_rows_expectation", lambda k: f"({row_rules._query(k)}) is not false"),
]


@pytest.mark.parametrize(("kind", "wrong"), WRONG)
def test_a_wrong_compiler_is_found_out(
    kind: str, wrong: Callable[[dict[str, Any]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_wrongly(kind, wrong, monkeypatch)
    differences = make_kinds().compare(1, tmp_path).differences
    meant = {f"KIND-{number}" for number, (known, _) in enumerate(KINDS) if known == kind}
    assert differences
    assert {sentence.partition(":")[0] for sentence in differences} <= meant


def test_a_batch_is_refused_when_rule_and_great_expectations_disagree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = judge_evidence(tmp_path)
    assert right.refusal is not None
    assert "disagree" not in right.refusal, "the right rule refuses the row itself"
    compile_wrongly("expect_column_values_to_be_between", lambda _: "false", monkeypatch)
    wrong = judge_evidence(tmp_path)
    assert wrong.refusal is not None
    assert "SRC-RE-040: rule and Great Expectations disagree" in wrong.refusal


def compile_wrongly(kind: str, wrong: Callable[[dict[str, Any]], str], monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, _ = row_rules._COMPILERS[kind]
    monkeypatch.setitem(row_rules._COMPILERS, kind, (arguments, wrong))


def judge_evidence(folder: Path) -> Verdict:
    """Pass a good document and one of the year 2050 through the gate."""
    contract = load_contracts()["reduction_evidence"]
    suite = load_source_suite(contract, get_settings())
    good = GOOD_ROWS[contract.table]
    rows = [good, good | {"project_id": "P2-2", "issued_date": dt.date(2050, 1, 1)}]
    columns = {c.name: c.type for c in contract.columns}
    accepted = folder / "accepted.parquet"
    with open_memory() as con:
        store_rows(con, "rows", columns, [{c: as_text(row.get(c)) for c in columns} for row in rows])
        con.execute(
            "create table batch as select * exclude (row_id), []::varchar[] as _unfit, false as _duplicate, "
            "'a.json' as _source_file, row_id as _source_row, 0 as _ordinal from rows"
        )
        con.execute(f"create view {RECEIVED} as select {PLACE}, '{{}}' as _raw from batch")
        checks = split_rows(con, "batch", "judged", suite, None)
        kept = f"select {', '.join(columns)} from judged where len(_refused_by) = 0"
        con.execute(f"copy ({kept}) to '{accepted}' (format parquet)")
        [(refused,)] = con.execute("select count(*) from judged where len(_refused_by) > 0").fetchall()
    parameters = {"days": 1, "as_of": "2026-11-23"}
    return judge(contract, suite, checks, len(rows), refused, Accepted(str(accepted), [], False), parameters)
