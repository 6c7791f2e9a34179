"""From texts to typed rows: what fits a type, what two texts mean the same row, what drift does to a batch."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.batch import Batch, Outcome
from tanhuan.contracts import Contract
from tanhuan.duck import open_memory
from tanhuan.formats.json_rows import stage_lines, stage_pages, stage_parquet
from tanhuan.formats.rows import STAGED, Arrived, Form, Payload, create_unreadable, select_typed
from tanhuan.gates.suites import Suite, load_source_suite
from tanhuan.landing import Arrival, new_load
from tanhuan.settings import Settings

NIGHT = dt.date(2021, 3, 5)
TYPES = ["INTEGER", "DECIMAL(9,2)", "DATE", "TIMESTAMPTZ", "BOOLEAN"]


def make_contract(*columns: dict[str, Any], **more: Any) -> Contract:
    """Return a small contract of a snapshot; `k` is its key."""
    key = {"name": "k", "type": "VARCHAR", "required": True}
    return Contract.model_validate(
        {
            **{"table": "penalty", "feed": "credit", "title": {"zh": "试", "en": "trial"}, "key": ["k"]},
            **{"owner": {"zh": "试", "en": "trial"}, "cadence": "nightly", "expected_by": "01:30"},
            **{"stale_after_hours": 26, "mode": "snapshot", "refused_share_max": 1.0},
            "columns": [{"zh": "列", "en": "column", "required": False, **column} for column in (key, *columns)],
            **more,
        }
    )


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_memory() as connection:
        yield connection


def read_text(con: duckdb.DuckDBPyConnection, kind: str, text: str | None) -> tuple[Any, list[str]]:
    """Return what a text becomes in a column of a type, as DuckDB shows it, and which columns it does not fit."""
    contract = make_contract({"name": "v", "type": kind})
    con.execute("create or replace table texts as select 'a' as k, $text::varchar as v", {"text": text})
    selected = select_typed(contract, {"k", "v"})
    found = con.execute(f"select v::varchar, _unfit from (select {selected} from texts)").fetchone()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("INTEGER", "2021", "2021"),
        ("INTEGER", "-7", "-7"),
        ("INTEGER", "2021.0", "2021"),
        ("DECIMAL(9,2)", "1.5", "1.50"),
        ("DECIMAL(9,2)", "1.50", "1.50"),
        ("DECIMAL(9,2)", ".5", "0.50"),
        ("DECIMAL(9,2)", "-3", "-3.00"),
        ("DECIMAL(9,2)", "1.2e3", "1200.00"),
        ("DATE", "2021-03-05", "2021-03-05"),
        ("DATE", "2021-03-05T00:00:00+08:00", "2021-03-05"),
        ("DATE", "2021-03-05 00:00", "2021-03-05"),
        ("DATE", "2020-02-29", "2020-02-29"),
        ("TIMESTAMPTZ", "2021-03-05T08:00:00+08:00", "2021-03-05 08:00:00+08"),
        ("TIMESTAMPTZ", "2021-03-05T00:00:00Z", "2021-03-05 08:00:00+08"),
        ("TIMESTAMPTZ", "2021-03-05 08:00", "2021-03-05 08:00:00+08"),
        ("BOOLEAN", "true", "true"),
        ("BOOLEAN", "False", "false"),
    ],
)
def test_what_fits(con: duckdb.DuckDBPyConnection, kind: str, text: str, value: str) -> None:
    assert read_text(con, kind, text) == (value, [])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("INTEGER", text) for text in ("2021.5", "0x10", "1e3", "1,000", "99999999999", "２０２１", "")),
        *(("DECIMAL(9,2)", text) for text in ("12.5 mg/L", "0x10", "NaN", "inf", "1_000", "1,5", "99999999", "<0.05")),
        *(("DATE", text) for text in ("21-3-5", "2021-3-5", "2021-03-05 08:30", "2021-02-29", "20210305", "44260")),
        *(("TIMESTAMPTZ", text) for text in ("2021-03-05", "03-05 08:00", "2021-03-05T25:00:00+08:00", "1614902400")),
        *(("BOOLEAN", text) for text in ("1", "yes", "t", "是")),
    ],
)
def test_what_does_not_fit_is_emptied_and_named(con: duckdb.DuckDBPyConnection, kind: str, text: str) -> None:
    assert read_text(con, kind, text) == (None, ["v"])


@pytest.mark.parametrize("kind", TYPES)
def test_a_missing_value_fits_every_type(con: duckdb.DuckDBPyConnection, kind: str) -> None:
    assert read_text(con, kind, None) == (None, [])


def test_two_texts_that_do_not_fit_are_two_rows_and_neither_is_a_missing_value(con: duckdb.DuckDBPyConnection) -> None:
    contract = make_contract({"name": "v", "type": "INTEGER"}, {"name": "w", "type": "INTEGER"})
    con.execute(
        "create table texts as from (values ('a', 'x', null), ('a', null, 'x'), ('a', 'y', null), ('a', null, null)) "
        "as made (k, v, w)"
    )
    hashes = con.execute(
        f"select _row_hash from (select {select_typed(contract, {'k', 'v', 'w'})} from texts)"
    ).fetchall()
    # Also ('x', missing) and (missing, 'x') say different things.
    assert len(set(hashes)) == 4


WEIGHED = make_contract({"name": "t", "type": "DECIMAL(9,2)"}, {"name": "seen", "type": "TIMESTAMPTZ"})
Stage = Callable[[duckdb.DuckDBPyConnection, Contract, list[Payload]], Arrived]


def stage(folder: Path, form: str, rows: list[dict[str, Any]]) -> list[tuple]:
    """Return `t`, `seen`, unfit columns and hash of rows that came in a form."""
    path = folder / f"payload.{form}"
    lines = [json.dumps(row) for row in rows]
    stages: dict[str, Stage] = {"json": stage_pages, "ndjson": stage_lines, "parquet": stage_parquet}
    with open_memory() as con:
        if form == "json":
            path.write_text('{"total": 1, "rows": [' + ",".join(lines) + "]}")
        elif form == "ndjson":
            path.write_text("\n".join(lines) + "\n")
        else:
            made = [[None if row.get(n) is None else str(row[n]) for n in WEIGHED.names] for row in rows]
            con.execute("create table made (k varchar, t varchar, seen varchar)")
            con.executemany("insert into made values (?, ?, ?)", made)
            con.execute(f"copy made to '{path}'")
        stages[form](con, WEIGHED, [Payload(path, path.name, dt.datetime.now(dt.UTC))])
        found = con.execute(f"select t::varchar, seen::varchar, _unfit, _row_hash from {STAGED} order by _source_row")
        return found.fetchall()


FORMS = ["json", "ndjson", "parquet"]
ROW = {"k": "a", "t": 1.5, "seen": "2021-03-05T08:00:00+08:00"}


def test_a_row_has_one_hash_whatever_form_it_came_in(tmp_path: Path) -> None:
    ways = [{**ROW, "t": t, "seen": at} for t in (1.5, "1.5", "1.50") for at in (ROW["seen"], "2021-03-05T00:00:00Z")]
    staged = [row for form in FORMS for row in stage(tmp_path, form, ways)]
    assert len(staged) == 18
    assert len(set(map(str, staged))) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "row",
    [
        ROW,
        {**ROW, "seen": "2021-03-05T00:00:00Z"},
        {**ROW, "seen": "2021-03-05T08:00:00"},
        {**ROW, "seen": "2021-03-05"},
        {**ROW, "t": "1_000"},
        {**ROW, "t": " 1.5"},
        {**ROW, "t": True},
    ],
    ids=lambda row: f"{row['t']}-{row['seen']}",
)
def test_what_a_row_says_does_not_depend_on_its_neighbours_or_form(
    tmp_path: Path, form: str, row: dict[str, Any]
) -> None:
    alone = stage(tmp_path, form, [row])[0]
    beside = stage(tmp_path, form, [row, {"k": "b", "t": "broken"}])[0]
    as_text = stage(tmp_path, "parquet", [row])[0]
    assert alone == beside
    # Parquet writes a truth value its own way; in every form it is no number.
    assert alone[:3] == as_text[:3] if row["t"] is True else alone == as_text


BATCH_FORM = "ndjson"


@pytest.fixture
def admit(home: Settings, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that takes JSON lines through a batch with the checks of a contract alone."""

    def run(contract: Contract, rows: list[dict[str, Any]]) -> Outcome:
        load = new_load(contract, NIGHT, NIGHT, NIGHT, "night", BATCH_FORM)
        arrival = Arrival(load, home, None)
        with arrival.stream(BATCH_FORM) as sink:
            sink.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        arrival.close()
        written = load_source_suite(contract, home)
        suite: Suite = replace(written, checks=tuple(c for c in written.checks if c.failing is not None))
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        form = Form(BATCH_FORM, BATCH_FORM, stage_lines, names_columns=True)
        return Batch(con, load, contract, form, suite, home, scratch).admit()

    return run


@pytest.mark.parametrize(
    ("drift", "state", "received"),
    [
        ("freeze", "refused", 2),
        ("refuse_row", "refused", 2),
        ("discard_value", "refused", 2),
        ("evolve", "admitted", 0),
    ],
)
def test_an_absent_column(admit: Callable[..., Outcome], drift: str, state: str, received: int) -> None:
    contract = make_contract({"name": "v", "type": "INTEGER", "drift": drift})
    outcome = admit(contract, [{"k": "a"}, {"k": "b"}])
    assert (outcome.state, outcome.quarantined) == (state, received)
    if drift == "evolve":
        assert outcome.notes == ["column v did not arrive and is empty"]
    else:
        assert "columns v of the contract did not arrive" in str(outcome.reason)


@pytest.mark.parametrize(
    ("drift", "state", "admitted", "quarantined"),
    [
        ("freeze", "refused", 0, 2),
        ("refuse_row", "admitted", 1, 1),
        ("discard_value", "admitted", 2, 0),
        ("evolve", "admitted", 2, 0),
    ],
)
def test_a_value_that_does_not_fit(
    admit: Callable[..., Outcome], home: Settings, drift: str, state: str, admitted: int, quarantined: int
) -> None:
    contract = make_contract({"name": "v", "type": "INTEGER", "drift": drift})
    outcome = admit(contract, [{"k": "a", "v": "1"}, {"k": "b", "v": "12 mg"}])
    assert (outcome.state, outcome.admitted, outcome.quarantined) == (state, admitted, quarantined)
    (check,) = [check for check in outcome.checks if not check.passed]
    assert (check.id, check.failed_rows) == ("CONTRACT-penalty-TYPE-v", 1)
    assert "12 mg" in check.samples[0], "the operator sees what was sent"
    if admitted:
        files = [str(home.root / file) for file in outcome.files.values()]
        found = duckdb.execute("select k, v from read_parquet($files) order by k", {"files": files}).fetchall()
        assert found == [("a", 1), ("b", None)][:admitted]


def test_an_unreadable_table_is_empty_when_made(con: duckdb.DuckDBPyConnection) -> None:
    create_unreadable(con)
    assert con.execute("from unreadable").fetchall() == []
