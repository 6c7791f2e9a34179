"""Refused rows are kept as they came and shown as they came, whatever is in them."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import duckdb
import pytest
from rich.console import Console

from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory
from tanhuan.errors import TanhuanError
from tanhuan.formats.rows import create_unreadable
from tanhuan.landing import Load, new_load
from tanhuan.quarantine import quarantine_path, write_refused
from tanhuan.screen import show_quarantine
from tanhuan.settings import Settings

DAY = dt.date(2025, 12, 31)


def hold(settings: Settings, value: str, batch_reason: str | None = None, unreadable: bool = False) -> Load:
    """Refuse the second of three rows, which holds this value; or the whole batch."""
    load = new_load(get_contract("penalty"), DAY, DAY, DAY, "night", "pages")
    with open_memory() as con:
        create_unreadable(con)
        con.execute(
            """
            create table received as
            select
                'payload-00001.json.zst' as _source_file,
                n as _source_row,
                n as _ordinal,
                to_json({'case_no': n::varchar, 'law_basis': if(n = 2, $value, 'ok')})::varchar as _raw
            from range(1, 4) as t (n)
            """,
            {"value": value},
        )
        con.execute(
            """
            create table judged as
            select
                _source_file,
                _source_row,
                _ordinal,
                case when _source_row = 2 then ['SRC-PN-050', 'SRC-PN-060'] else []::varchar[] end as _refused_by
            from received
            """
        )
        con.execute("insert into unreadable select 'torn.csv', 9, 'a,b', 'READ-TORN', 'line 9' where $1", [unreadable])
        write_refused(con, "judged", load, settings, batch_reason)
    return load


def show(settings: Settings, load_id: str | None = None, as_json: bool = False) -> str:
    console = Console(file=io.StringIO(), width=200)
    show_quarantine(settings, load_id, 20, as_json, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def read_held(settings: Settings, load: Load) -> list[tuple[Any, ...]]:
    path = quarantine_path(load, settings)
    query = "select source_row, row_json, reason_ids, detail, state from read_parquet($1) order by source_row"
    return duckdb.execute(query, [str(path)]).fetchall()


def test_only_refused_rows_are_kept_with_every_reason(home: Settings) -> None:
    load = hold(home, "第 1 条 it's")
    assert read_held(home, load) == [
        (2, '{"case_no":"2","law_basis":"第 1 条 it\'s"}', ["SRC-PN-050", "SRC-PN-060"], None, "held")
    ]


def test_a_piece_that_never_became_a_row_is_kept_with_its_place(home: Settings) -> None:
    load = hold(home, "x", unreadable=True)
    assert read_held(home, load)[-1] == (9, "a,b", ["READ-TORN"], "line 9", "held")


def test_a_refused_batch_is_kept_whole_with_its_sentence(home: Settings) -> None:
    load = hold(home, "x", "column 'amount' didn't arrive")
    rows = read_held(home, load)
    assert [r[0] for r in rows] == [1, 2, 3]
    assert {r[3] for r in rows} == {"column 'amount' didn't arrive"}


def test_a_held_row_is_shown_with_its_reasons(home: Settings) -> None:
    load = hold(home, "第 1 条")
    text = show(home, load.load_id)
    assert "SRC-PN-050" in text
    assert "SRC-PN-060" in text
    assert '"law_basis":"第 1 条"' in text


def test_without_a_load_they_are_counted(home: Settings) -> None:
    first, second = hold(home, "x"), hold(home, "x", "all of it")
    rows = json.loads(show(home, as_json=True))
    assert [(r["load_id"], r["rows"]) for r in rows] == [(second.load_id, 3), (first.load_id, 1)]
    assert rows[0]["detail"] == "all of it"


@pytest.mark.parametrize("value", ["[red]x[/red]", "[/b]", "a [link=http://x]y[/link] b", "\\[x]"])
def test_what_an_upstream_sent_is_shown_and_not_interpreted(home: Settings, value: str) -> None:
    load = hold(home, value)
    (row,) = json.loads(show(home, load.load_id, as_json=True))
    assert json.loads(row["row_json"])["law_basis"] == value
    assert json.dumps(value, ensure_ascii=False) in show(home, load.load_id)


def test_a_load_without_refused_rows_says_so(home: Settings) -> None:
    with pytest.raises(TanhuanError, match="no refused rows of load 2025"):
        show(home, "2025")
