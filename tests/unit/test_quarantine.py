"""Refused rows are kept as they came and shown as they came; what people do with them is told by acts alone."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tanhuan import cli_quarantine, ledger
from tanhuan.cli_quarantine import Filters, describe_load, summarise_loads
from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory
from tanhuan.errors import TanhuanError
from tanhuan.formats.rows import create_unreadable
from tanhuan.landing import Load, new_load
from tanhuan.quarantine import Act, list_acts, quarantine_path, record_act, write_refused
from tanhuan.release import Selection, Word, drop_rows, release_rows, reopen_rows
from tanhuan.settings import Settings

DAY = dt.date(2025, 12, 31)
WORD = Word("重复报送 sent twice", who="张三", document="潭环函〔2026〕1号")


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
    event = {"state": "refused" if batch_reason else "admitted", "reason": batch_reason, "feed": "credit"}
    ledger.record("loads", load.load_id, vars(load) | event | {"admitted": 0, "quarantined": 3}, settings)
    return load


def read_held(settings: Settings, load: Load) -> list[tuple[Any, ...]]:
    path = quarantine_path(load, settings)
    query = "select source_row, row_json, reason_ids, detail, state from read_parquet($1) order by source_row"
    return duckdb.execute(query, [str(path)]).fetchall()


def states(settings: Settings, load: Load) -> dict[int, str]:
    shown = describe_load(load.load_id, [], None, 100, settings)["shown"]
    return {row["source_row"]: row["state"] for row in shown}


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


def test_a_held_row_is_shown_with_what_its_reasons_mean_and_where_its_bytes_lie(home: Settings) -> None:
    load = hold(home, "第 1 条")
    told = describe_load(load.load_id, [], None, 20, home)
    (row,) = told["shown"]
    assert json.loads(row["row_json"])["law_basis"] == "第 1 条"
    assert [reason["id"] for reason in row["reasons"]] == ["SRC-PN-050", "SRC-PN-060"]
    assert all(reason["zh"] and reason["en"] and reason["source"] for reason in row["reasons"])
    assert row["raw"]["path"] == str(load.folder(home) / "payload-00001.json.zst")
    assert "'.rows[1]'" in row["raw"]["read_with"]
    assert (home.project_root / told["runbook"]).exists()
    assert told["next"] == [f"tanhuan quarantine {act} {load.load_id} --why …" for act in ("release", "drop")]


def test_loads_are_listed_newest_first_and_can_be_narrowed(home: Settings) -> None:
    first, second = hold(home, "x"), hold(home, "x", "all of it")
    rows = summarise_loads(Filters(), 20, home)
    assert [(r["load_id"], r["rows"], r["held"]) for r in rows] == [(second.load_id, 3, 3), (first.load_id, 1, 1)]
    assert rows[0]["detail"] == "all of it"
    assert {found["id"] for found in rows[1]["reasons"]} == {"SRC-PN-050", "SRC-PN-060"}
    assert [r["load_id"] for r in summarise_loads(Filters(), 1, home)] == [second.load_id]
    assert [r["rows"] for r in summarise_loads(Filters(reason="SRC-PN-050"), 20, home)] == [1, 1]
    assert [r["load_id"] for r in summarise_loads(Filters(load_id=first.load_id), 20, home)] == [first.load_id]
    for nothing in (
        Filters(table="permit"),
        Filters(nights=("2026-01-01", None)),
        Filters(nights=(None, "2025-01-01")),
    ):
        with pytest.raises(TanhuanError, match="no refused rows that fit"):
            summarise_loads(nothing, 20, home)


@pytest.mark.parametrize("value", ["[red]x[/red]", "[/b]", "a [link=http://x]y[/link] b", "\\[x]"])
def test_what_an_upstream_sent_is_shown_and_not_interpreted(
    home: Settings, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    load = hold(home, value)
    monkeypatch.setattr(cli_quarantine, "get_settings", lambda: home)
    cli_quarantine.show(load.load_id, as_json=True, limit=20)
    (row,) = json.loads(capsys.readouterr().out)["shown"]
    assert json.loads(row["row_json"])["law_basis"] == value
    cli_quarantine.show(load.load_id, limit=20, as_json=False)
    assert json.dumps(value, ensure_ascii=False) in capsys.readouterr().out


@pytest.mark.parametrize("load_id", ["2025", "*", "no-such-load"])
def test_a_load_without_refused_rows_says_so(home: Settings, load_id: str) -> None:
    hold(home, "x")
    for ask in (
        lambda: describe_load(load_id, [], None, 20, home),
        lambda: drop_rows(Selection(load_id), WORD, home),
        lambda: release_rows(Selection(load_id), WORD, [], home),
    ):
        with pytest.raises(TanhuanError, match="no refused rows of load"):
            ask()


def test_a_dropped_row_stays_where_it_is_and_tells_who_and_why(home: Settings) -> None:
    load = hold(home, "x", "all of it")
    before = quarantine_path(load, home).read_bytes()
    act = drop_rows(Selection(load.load_id, rows=["2"]), WORD, home)
    assert (act.rows, act.places) == (1, {"payload-00001.json.zst": [2]})
    assert states(home, load) == {1: "held", 2: "dropped", 3: "held"}
    (row,) = describe_load(load.load_id, ["2"], None, 20, home)["shown"]
    assert (row["acted_by"], row["why"], row["document"]) == (WORD.who, WORD.why, WORD.document)
    assert quarantine_path(load, home).read_bytes() == before
    assert len(ledger.list_names("acts", home)) == 1


def test_a_drop_can_be_taken_back(home: Settings) -> None:
    load = hold(home, "x", "all of it")
    drop_rows(Selection(load.load_id), WORD, home)
    assert set(states(home, load).values()) == {"dropped"}
    with pytest.raises(TanhuanError, match="is dropped by 张三"):
        drop_rows(Selection(load.load_id), WORD, home)
    reopen_rows(Selection(load.load_id, rows=["3"]), WORD, home)
    assert states(home, load) == {1: "dropped", 2: "dropped", 3: "held"}
    with pytest.raises(TanhuanError, match="is held"):
        reopen_rows(Selection(load.load_id, rows=["3"]), WORD, home)
    assert [act.act for act in list_acts(home)] == ["drop", "reopen"]


def test_rows_that_have_entered_cannot_be_taken_back(home: Settings) -> None:
    load, entered, nothing = hold(home, "x"), hold(home, "x"), hold(home, "x")
    for result, admitted in ((entered, 1), (nothing, 0)):
        event = ledger.read("loads", result.load_id, home) | {"admitted": admitted}
        ledger.record("loads", result.load_id, event, home)
        record_act(Act("release", load.load_id, "penalty", load.key, None, 1, "x", "y", result=result.load_id), home)
        if admitted:
            with pytest.raises(TanhuanError, match="never removed"):
                reopen_rows(Selection(load.load_id), WORD, home)
    reopen_rows(Selection(load.load_id), WORD, home)
    assert states(home, load) == {2: "held"}


def test_an_act_needs_a_reason_and_rows_that_are_there(home: Settings) -> None:
    load = hold(home, "x", unreadable=True)
    with pytest.raises(TanhuanError, match="needs a reason"):
        drop_rows(Selection(load.load_id), Word("  "), home)
    with pytest.raises(TanhuanError, match=r"Row 7 .* is not in quarantine"):
        drop_rows(Selection(load.load_id, rows=["7"]), WORD, home)
    with pytest.raises(TanhuanError, match="'two' is no row"):
        drop_rows(Selection(load.load_id, rows=["two"]), WORD, home)
    with pytest.raises(TanhuanError, match=r"No row .* was refused for SRC-XX"):
        drop_rows(Selection(load.load_id, reason="SRC-XX"), WORD, home)
    assert list_acts(home) == []
    drop_rows(Selection(load.load_id, rows=["torn.csv:9"]), WORD, home)
    assert states(home, load) == {2: "held", 9: "dropped"}


def test_what_never_became_a_row_cannot_be_released(home: Settings) -> None:
    load = hold(home, "x", unreadable=True)
    with pytest.raises(
        TanhuanError, match=r"Row 9 .*READ-TORN.* never read as a row.*Next step: .*pull the days again"
    ):
        release_rows(Selection(load.load_id, rows=["9"]), WORD, [], home)
    assert not home.landing.exists()


@pytest.mark.parametrize("check_id", ["CONTRACT-penalty-REQUIRED-uscc", "CONTRACT-penalty-TYPE-amount_cny", "READ-X"])
def test_a_check_of_form_is_never_waived(home: Settings, check_id: str) -> None:
    load = hold(home, "x")
    with pytest.raises(TanhuanError, match=f"{check_id} cannot be waived"):
        release_rows(Selection(load.load_id), WORD, [check_id], home)
    with pytest.raises(TanhuanError, match="no check SRC-PN-999"):
        release_rows(Selection(load.load_id), WORD, ["SRC-PN-999"], home)


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "reopen"]),
        st.one_of(st.none(), st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3, unique=True)),
    ),
    max_size=5,
)


@given(acts=_ACTS)
@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_quarantined_row_is_held_released_or_dropped(acts: list[Any], tmp_path_factory: Any) -> None:
    settings = Settings(home=tmp_path_factory.mktemp("acts"), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    load = hold(settings, "x", "all of it")
    expected = dict.fromkeys((1, 2, 3), "held")
    for kind, rows in acts:
        wanted = "held" if kind == "drop" else "dropped"
        chosen = [row for row in rows or expected if expected[row] == wanted]
        act = drop_rows if kind == "drop" else reopen_rows
        selection = Selection(load.load_id, rows=[str(row) for row in rows or ()])
        if not chosen or (rows and len(chosen) < len(rows)):
            with pytest.raises(TanhuanError, match=r"is (held|dropped)"):
                act(selection, WORD, settings)
            continue
        assert act(selection, WORD, settings).rows == len(chosen)
        expected |= dict.fromkeys(chosen, "dropped" if kind == "drop" else "held")
    assert states(settings, load) == expected
    (summary,) = summarise_loads(Filters(), 20, settings)
    counted = {state: summary[state] for state in ("held", "released", "dropped")}
    assert sum(counted.values()) == summary["rows"] == 3
    assert {state: n for state, n in counted.items() if n} == dict(Counter(expected.values()))


def test_the_folder_of_corrections_has_no_active_one() -> None:
    folder = Path(__file__).resolve().parents[2] / "expectations" / "corrections"
    assert (folder / "README.md").exists()
    assert list(folder.glob("*.y*ml")) == []
