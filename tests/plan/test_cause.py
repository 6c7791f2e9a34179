# ruff: noqa: E501 — a row of a table is one line
"""Whatever the inputs are, a status has exactly one cause, and nothing is judged that may not be: on the SQL of the models."""

from __future__ import annotations

import csv
import datetime as dt
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanhuan.settings import get_settings

PROJECT = get_settings().dbt_project
AS_OF = dt.date(2026, 3, 31)
JUDGED = {"attained", "not_attained", "on_track", "at_risk"}

_day = st.sampled_from([dt.date(2023, 12, 31), dt.date(2025, 12, 31), AS_OF, dt.date(2026, 4, 1)])
_truth = st.sampled_from([True, False, None])
ROW = st.fixed_dictionaries(
    {
        "as_of": st.just(AS_OF),
        "due_date": st.one_of(_day, st.none()),
        "stated_as": st.sampled_from([None, None, None, "number", "word", "not_assessed"]),
        "value": st.sampled_from([None, 0, 50, 95]),
        "missing_cause": st.sampled_from([None, "base_missing", "parts_missing", "no_source"]),
        "year": st.sampled_from([2019, 2023, 2025, 2026]),
        "end_year": st.just(2025),
        "is_sufficient": _truth,
        "point_kind": st.sampled_from(["baseline", "annual", "mid", "final", "after_due"]),
        "kind": st.sampled_from(["N", "P", "Q", "W"]),
        "guard_state": st.sampled_from([None, "passed", "failed", "unknown"]),
        "target_value": st.sampled_from([None, 90]),
        "target_issued_date": st.sampled_from([None, dt.date(2021, 12, 17)]),
        "target_doc_no": st.sampled_from([None, "D"]),
        "is_same_unit": _truth,
        "is_met": _truth,
        "compared_with": st.sampled_from([None, "interim", "path", "final", "guard", "ongoing"]),
        "target_origin": st.sampled_from([None, "stated", "order", "split"]),
    }
)
TYPES = {
    "year": "integer",
    "end_year": "integer",
    "value": "decimal(18,4)",
    "target_value": "decimal(18,4)",
} | dict.fromkeys(("as_of", "due_date", "target_issued_date"), "date")
TRUTHS = {"is_sufficient", "is_same_unit", "is_met"}


def read_statuses() -> dict[str, str]:
    with (PROJECT / "seeds" / "assessment_cause.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len({r["cause"] for r in rows}) == len(rows), "one row a cause"
    return {r["cause"]: r["status"] for r in rows}


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    macros = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do"]).from_string(
        (PROJECT / "macros" / "plan_cause.sql").read_text("utf-8")
    )
    connection = duckdb.connect()
    columns = ", ".join(f"{name} {TYPES.get(name, 'boolean' if name in TRUTHS else 'varchar')}" for name in _names())
    connection.execute(f"create table assessed ({columns})")
    connection.execute(
        f"create view caused as select *, {macros.module.__dict__['plan_cause']()} as cause from assessed"
    )
    return connection


def _names() -> list[str]:
    return [
        "as_of", "due_date", "stated_as", "value", "missing_cause", "year", "end_year", "is_sufficient", "point_kind", "kind",
        "guard_state", "target_value", "target_issued_date", "target_doc_no", "is_same_unit", "is_met", "compared_with",
        "target_origin",
    ]  # fmt: skip


def check_row(row: dict[str, Any], statuses: dict[str, str]) -> str:
    assert row["cause"] in statuses, row
    status = statuses[row["cause"]]
    is_due = row["due_date"] is None or row["due_date"] <= AS_OF
    if status in JUDGED and row["kind"] != "Q":
        assert is_due, row
        assert row["year"] <= row["end_year"], row
        assert row["value"] is not None, row
        assert row["is_sufficient"] is True, row
        assert row["target_value"] is not None, row
        assert row["target_issued_date"] is not None, row
        assert row["target_doc_no"] is not None, row
        assert row["is_same_unit"] is True, row
        assert row["kind"] != "W", row
        assert row["point_kind"] not in ("baseline", "after_due"), row
        assert (status in ("attained", "on_track")) is (row["is_met"] is True), row
        of_a_share = row["target_origin"] == "split" and row["compared_with"] != "ongoing"
        assert row["cause"].endswith("_split") is of_a_share, row
    if row["kind"] == "Q":
        assert status not in ("attained", "not_attained", "on_track"), row
    if not is_due:
        assert status == "not_due", row
    elif row["year"] > row["end_year"]:
        assert status not in JUDGED, row
    return status


def test_one_cause_each_and_never_attained_without_what_it_needs(con: duckdb.DuckDBPyConnection) -> None:
    statuses = read_statuses()
    seen: set[str] = set()

    @settings(max_examples=30, deadline=None, derandomize=True, database=None)
    @given(st.lists(ROW, min_size=30, max_size=60))
    def holds(rows: list[dict[str, Any]]) -> None:
        con.execute("delete from assessed")
        con.execute("insert into assessed by name select unnest($rows, recursive := true)", {"rows": rows})
        answer = con.execute("from caused")
        names = [c[0] for c in answer.description]
        judged = [check_row(dict(zip(names, row, strict=True)), statuses) for row in answer.fetchall()]
        assert len(judged) == len(rows)
        seen.update(judged)

    holds()
    assert {"not_due", "data_missing", "not_assessed", "target_missing", "at_risk"} <= seen, (
        "inputs that reach nothing prove nothing"
    )


def test_a_row_with_everything_is_attained_and_without_any_one_thing_is_not(con: duckdb.DuckDBPyConnection) -> None:
    whole = {
        "as_of": AS_OF, "due_date": dt.date(2025, 12, 31), "stated_as": None, "value": 95, "missing_cause": None, "year": 2025,
        "end_year": 2025, "is_sufficient": True, "point_kind": "final", "kind": "P", "guard_state": None, "target_value": 90,
        "target_issued_date": dt.date(2021, 12, 17), "target_doc_no": "D", "is_same_unit": True, "is_met": True,
        "compared_with": "interim", "target_origin": "order",
    }  # fmt: skip
    needed = ("value", "is_sufficient", "target_value", "target_issued_date", "target_doc_no", "is_same_unit", "is_met")
    rows = [whole, *({**whole, name: None} for name in needed)]
    con.execute("delete from assessed")
    con.execute("insert into assessed by name select unnest($rows, recursive := true)", {"rows": rows})
    causes = [cause for (cause,) in con.execute("select cause from caused").fetchall()]
    assert causes[0] == "target_met"
    assert "target_met" not in causes[1:]
