"""Reconciliations: what a file may say, what is within and what is not, and that Great Expectations answers them."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tanhuan.errors import PublicationRefused, TanhuanError
from tanhuan.gates.reconciliation import (
    Compared,
    Reconciliation,
    add_reconciliations,
    as_check,
    compare,
    keep_evidence,
    load_reconciliations,
)
from tanhuan.gates.results import CheckResult
from tanhuan.gates.suites import Suite, load_mart_suites
from tanhuan.settings import Settings, get_settings
from tests.conftest import change_settings

NIGHT = dt.date(2025, 12, 31)
ALL = load_reconciliations(get_settings())
TEXTS = {"zh": "两县之和不等于全市，请检查", "en": "the two counties do not make the city", "source": "GB/T 2260"}
FRAME: dict[str, Any] = {"id": "REC-TT-010", "table": "tonnes", "action": "refuse_publication", **TEXTS}
LEFT = {"zh": "两县之和", "en": "the counties", "sql": "select year, sum(county_t) as value from tonnes group by year"}
RIGHT = {"zh": "全市", "en": "the city", "sql": "select year, any_value(city_t) as value from tonnes group by year;"}
SIDES: dict[str, Any] = {"key": ["year"], "left": LEFT, "right": RIGHT}


def make(**changes: Any) -> Reconciliation:
    return Reconciliation.model_validate(FRAME | (SIDES if "failing" not in changes else {}) | changes)


def write_file(folder: Path, *entries: dict[str, Any]) -> Settings:
    settings = change_settings(get_settings(), project_root=folder)
    path = settings.expectations / "reconciliation" / "some.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"reconciliations": list(entries)}, allow_unicode=True), "utf-8")
    return settings


@pytest.fixture
def ask(tmp_path: Path) -> Callable[[Reconciliation, list[tuple[int, float | None, float | None]]], CheckResult]:
    """Let Great Expectations answer a reconciliation over a table of tonnes: year, of a county, of the city."""

    def answer(r: Reconciliation, rows: list[tuple[int, float | None, float | None]]) -> CheckResult:
        from tanhuan.gates.engine import get_validator

        database = tmp_path / "small.duckdb"
        with duckdb.connect(str(database)) as con:
            con.execute("create table tonnes (year integer, county_t double, city_t double)")
            for row in rows:
                con.execute("insert into tonnes values (?, ?, ?)", row)
            compared = compare(con, [r], NIGHT, tmp_path)
        suite = Suite("mart.tonnes", "tonnes", (as_check(compared[0]),), "")
        with get_validator().open_database(database) as batch_of:
            return get_validator().check(batch_of("tonnes"), suite, list(suite.checks), {})[0]

    return answer


@pytest.mark.parametrize("r", ALL, ids=lambda r: r.id)
def test_a_reconciliation_says_what_a_clerk_needs(r: Reconciliation) -> None:
    assert re.search("[\u4e00-\u9fff]{4}", r.zh), f"{r.id}: zh is no Chinese sentence"
    assert len(r.en.split()) >= 8, f"{r.id}: en is no sentence"
    assert r.source, f"{r.id} cites nothing"
    told = ("不发布", "nothing is published") if r.action == "refuse_publication" else ("", "")
    assert told[0] in r.zh, f"{r.id} does not say that nothing is published"
    assert told[1] in r.en, f"{r.id} does not say that nothing is published"


def test_every_reconciliation_joins_the_suite_of_its_table() -> None:
    suites = load_mart_suites(get_settings())
    joined = add_reconciliations(suites, [Compared(r, Path("x.parquet")) for r in ALL])
    assert sum(len(s.checks) for s in joined) == sum(len(s.checks) for s in suites) + len(ALL)
    assert len(ALL) > 40


def test_a_rule_that_changed_changes_the_hash_of_its_suite() -> None:
    suites = load_mart_suites(get_settings())
    one = next(r for r in ALL if r.left)
    other = one.model_copy(update={"zh": one.zh + "。"})
    first, second = (add_reconciliations(suites, [Compared(r, Path("x"))]) for r in (one, other))
    changed = [a.table for a, b in zip(first, second, strict=True) if a.digest != b.digest]
    assert changed == [one.table]


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "R1"},
        {"action": "refuse_row"},
        {"colour": "red"},
        {"failing": "select 1"},
        {"right": None},
        {"key": []},
        {"tolerance": {"absolute": -1}},
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_named(wrong: dict[str, Any], tmp_path: Path) -> None:
    settings = write_file(tmp_path, FRAME | SIDES | wrong)
    with pytest.raises(TanhuanError, match=r"some\.yml is no file of reconciliations"):
        load_reconciliations(settings)


def test_an_id_given_twice_is_named(tmp_path: Path) -> None:
    settings = write_file(tmp_path, FRAME | SIDES, FRAME | SIDES)
    with pytest.raises(TanhuanError, match="these ids twice: REC-TT-010"):
        load_reconciliations(settings)


def test_a_table_without_a_suite_is_named() -> None:
    with pytest.raises(TanhuanError, match=r"no suite in expectations/mart/ for REC-TT-010 \(tonnes\)"):
        add_reconciliations(load_mart_suites(get_settings()), [Compared(make(), Path("x"))])


Case = tuple[dict[str, Any], list[tuple[int, float | None, float | None]]]
WITHIN: dict[str, Case] = {
    "equal": ({}, [(2024, 1.0, 3.0), (2024, 2.0, 3.0)]),
    "apart by the absolute tolerance": ({"tolerance": {"absolute": 0.5}}, [(2024, 3.5, 3.0)]),
    "apart by the relative tolerance": ({"tolerance": {"relative": 0.1}}, [(2024, 110.0, 100.0)]),
    "apart by noise of the addition": ({}, [(2024, 0.1, 0.3), (2024, 0.2, 0.3)]),
    "unknown on both sides": ({}, [(2024, None, None)]),
    "unknown on one side, which is allowed": ({"missing": "ignore"}, [(2024, None, 3.0)]),
    "no row at all": ({}, []),
    "no failing row": ({"failing": "select * from tonnes where city_t < 0"}, [(2024, 1.0, 3.0)]),
}
APART: dict[str, Case] = {
    "apart": ({}, [(2024, 1.0, 3.0)]),
    "apart by more than the absolute tolerance": ({"tolerance": {"absolute": 0.5}}, [(2024, 3.6, 3.0)]),
    "apart by more than the relative tolerance": ({"tolerance": {"relative": 0.1}}, [(2024, 111.0, 100.0)]),
    "known on the left only": ({}, [(2024, 3.0, None)]),
    "known on the right only": ({}, [(2024, None, 3.0)]),
    "a key on one side only": ({"left": LEFT | {"sql": "select 2024 as year, 1 as value limit 0"}}, [(2024, 1.0, 1.0)]),
    "a failing row": ({"failing": "select * from tonnes where city_t < 0"}, [(2024, 1.0, -3.0)]),
}


@pytest.mark.parametrize("case", WITHIN)
def test_figures_within_tolerance_pass(case: str, ask: Callable[..., CheckResult]) -> None:
    changes, rows = WITHIN[case]
    answer = ask(make(**changes), rows)
    assert answer.passed
    assert answer.observed is None


@pytest.mark.parametrize("case", APART)
def test_figures_apart_refuse_the_publication(case: str, ask: Callable[..., CheckResult]) -> None:
    changes, rows = APART[case]
    answer = ask(make(**changes), rows)
    assert not answer.passed
    assert answer.refuses_batch
    assert len(answer.samples) == 1


def test_a_flag_does_not_refuse(ask: Callable[..., CheckResult]) -> None:
    answer = ask(make(action="flag"), [(2024, 1.0, 3.0)])
    assert (answer.passed, answer.refuses_batch, answer.severity) == (False, False, "warning")


def test_a_failing_key_is_shown_with_both_figures(ask: Callable[..., CheckResult]) -> None:
    answer = ask(make(tolerance={"absolute": 0.5}), [(2024, 1.0, 3.0), (2023, 1.0, 9.0), (2022, 5.0, 5.0)])
    shown = [json.loads(sample) for sample in answer.samples]
    assert [s["year"] for s in shown] == [2023, 2024], "the widest first"
    assert shown[0] == {"year": 2023, "left_value": 1, "right_value": 9, "difference": -8, "tolerance": 0.5}
    assert "left_value：两县之和；right_value：全市" in answer.zh
    assert "left_value: the counties; right_value: the city" in answer.en


def test_the_night_is_known_to_a_query(tmp_path: Path) -> None:
    r = make(failing="select $night as night where $night = date '2025-12-31' -- the end")
    with duckdb.connect() as con:
        (compared,) = compare(con, [r], NIGHT, tmp_path)
        assert con.execute(f"from '{compared.path}'").fetchall() == [(NIGHT,)]


def test_a_query_that_cannot_be_run_refuses_with_its_name(tmp_path: Path) -> None:
    with (
        duckdb.connect() as con,
        pytest.raises(PublicationRefused, match=r"REC-TT-010 cannot be asked: .*lost_table") as refusal,
    ):
        compare(con, [make(failing="from lost_table")], NIGHT, tmp_path)
    assert "Next step: mend its query" in str(refusal.value)


def test_the_evidence_holds_every_failing_key_first_and_is_bounded(tmp_path: Path) -> None:
    years = "select range as year, if(range = 700, 2, 1) as value from range(1000)"
    r = make(left=LEFT | {"sql": years}, right=RIGHT | {"sql": "select range as year, 1 as value from range(1000)"})
    listed = make(id="REC-TT-020", failing="select 'DA001' as outlet_code")
    with duckdb.connect() as con:
        path = tmp_path / "evidence" / "kept.parquet"
        keep_evidence(con, compare(con, [r, listed], NIGHT, tmp_path), NIGHT, dt.datetime.now(dt.UTC), path)
        kept = con.execute(
            "select reconciliation_id, row_key, left_name, left_value, right_value, difference, is_within "
            f"from '{path}' order by reconciliation_id, is_within"
        ).fetchall()
    assert kept[0] == ("REC-TT-010", '{"year":700}', "两县之和 the counties", 2, 1, 1, False)
    assert kept[-1] == ("REC-TT-020", '{"outlet_code":"DA001"}', None, None, None, None, False)
    assert len(kept) == 201
