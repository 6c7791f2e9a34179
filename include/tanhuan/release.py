"""What a person does with held rows: release them through the gate, drop them, or take such a mark back.

Every act is recorded after its work: a release that was cut off leaves rows in the lake and no act, and the same
command again finds them there and records it. Nothing is ever removed from quarantine or lake.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.admit import admit_load, show_bindings
from tanhuan.batch import Outcome
from tanhuan.contracts import Contract, get_contract
from tanhuan.duck import open_memory, quote
from tanhuan.errors import TanhuanError
from tanhuan.forms import NDJSON, PAGES, PARQUET, get_form
from tanhuan.gates.suites import load_source_suite
from tanhuan.landing import Arrival, Load, list_payloads, new_load, read_receipt
from tanhuan.quarantine import (
    READ,
    Act,
    ActKind,
    Places,
    list_files,
    name_person,
    quarantine_path,
    record_act,
    show_held,
)
from tanhuan.settings import Settings
from tanhuan.terms import Terms, is_acceptable, read_terms, share_id

#: forms whose held rows are JSON objects of the contract's columns; others are read again from landing
_JSON_FORMS = (PAGES, NDJSON, PARQUET)
_CHUNK_ROWS = 10_000


@dataclass(frozen=True)
class Selection:
    """Which rows of a load: all of them, or those of some places, or those refused for a reason.

    `rows` are texts, a row's number or `file:number` where several files came.
    """

    load_id: str
    rows: Sequence[str] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Word:
    """On whose word an act is done, and why; `document` is what it rests on."""

    why: str
    who: str | None = None
    document: str | None = None


@dataclass(frozen=True)
class Held:
    """A row that stays held, and why."""

    source_file: str
    source_row: int
    reasons: list[str]


@dataclass(frozen=True)
class Released:
    """What became of a release: the load as which rows came again, the rows that entered, those that stay held."""

    outcome: Outcome
    act: Act | None
    released: int
    held: list[Held] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every row entered."""
        return not self.held


def release_rows(selection: Selection, word: Word, accepted: Sequence[str], settings: Settings) -> Released:
    """Take held rows through the gate again, as a load of their own; those that pass are released.

    Raises:
        TanhuanError: nothing selected is held, it can never be released, or a waiver is missing or not allowed.
    """
    event, contract = _read_load(selection.load_id, settings)
    _check_why(word)
    _check_accepted(accepted, contract, settings)
    with _select(selection, event, settings) as con:
        _check_releasable(con, selection)
        terms = _make_terms(con, event, word, accepted)
        _check_refusal(event, terms)
        load = _land(con, event, contract, terms, settings)
    outcome = admit_load(load, settings)
    return _conclude(outcome, terms, event, settings)


def drop_rows(selection: Selection, word: Word, settings: Settings) -> Act:
    """Mark held rows as dropped: a person has decided that they will not enter."""
    event, _ = _read_load(selection.load_id, settings)
    _check_why(word)
    with _select(selection, event, settings) as con:
        _keep_state(con, selection, "held")
        return _record("drop", con, event, word, settings)


def reopen_rows(selection: Selection, word: Word, settings: Settings) -> Act:
    """Take a mark back: dropped rows are held again, and released ones if nothing of them was admitted.

    Raises:
        TanhuanError: no selected row is marked, or a release of them has brought rows into the lake.
    """
    event, _ = _read_load(selection.load_id, settings)
    _check_why(word)
    with _select(selection, event, settings) as con:
        loads = con.execute(
            "select distinct released_as from chosen where state = 'released' and released_as is not null"
        ).fetchall()
        entered = [name for (name,) in loads if ledger.read("loads", name, settings)["admitted"]]
        if entered:
            raise TanhuanError(
                f"Rows of load {selection.load_id} have entered the lake as load {', '.join(entered)}; what has "
                "entered is never removed. 已入湖的行不能收回。",
                "have the source correct them, or write a correction (expectations/corrections/README.md).",
            )
        _keep_state(con, selection, "dropped", "released")
        return _record("reopen", con, event, word, settings)


def _read_load(load_id: str, settings: Settings) -> tuple[dict[str, Any], Contract]:
    """Return what the ledger says of a load that has refused rows.

    Raises:
        TanhuanError: there is no such load or nothing of it was refused, or it is a release itself.
    """
    if not list_files(settings, load_id=load_id) or load_id not in ledger.list_names("loads", settings):
        raise TanhuanError(f"There are no refused rows of load {load_id}.", "`tanhuan quarantine list` names them all.")
    event = {"form": PAGES} | ledger.read("loads", load_id, settings)
    if event["kind"] == "release":
        terms = read_terms(read_receipt(rebuild_load(event), settings))
        assert terms is not None, f"load {load_id} is a release without terms"
        raise TanhuanError(
            f"Load {load_id} is itself a release; its rows are held as load {terms.load_id}.",
            f"`tanhuan quarantine show {terms.load_id}`.",
        )
    return event, get_contract(event["table"])


def rebuild_load(event: dict[str, Any]) -> Load:
    """Return the load that an event of the ledger tells of."""
    names = ("load_id", "table", "key", "first", "last", "kind")
    return Load(**{name: event[name] for name in names}, form=event.get("form") or PAGES)


def _check_why(word: Word) -> None:
    if not word.why.strip():
        raise TanhuanError("An act needs a reason. 请写明事由。", "say why with --why.")


def _check_accepted(accepted: Sequence[str], contract: Contract, settings: Settings) -> None:
    known = {check.id for check in load_source_suite(contract, settings).checks}
    for check_id in accepted:
        if not is_acceptable(check_id, contract.table):
            raise TanhuanError(
                f"{check_id} cannot be waived: a row without its type, key or required values is no row, and what a "
                "reader could not read is not known. 类型、主键、必填项不可豁免。",
                "have the source correct the rows, or write a correction (expectations/corrections/README.md).",
            )
        if check_id.startswith("SRC-") and check_id not in known:
            raise TanhuanError(
                f"There is no check {check_id} of table {contract.table}.",
                f"`tanhuan quarantine show` names the checks; expectations/source/{contract.table}.json has them all.",
            )


@contextmanager
def _select(selection: Selection, event: dict[str, Any], settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with `held`, all rows of the load, and `chosen`, the selected ones."""
    with open_memory() as con:
        show_held(con, [quarantine_path(rebuild_load(event), settings)], settings)
        wanted = [_parse_place(text) for text in selection.rows]
        con.execute(
            """
            create temp table chosen as
            select * from held
            where ($reason::varchar is null or list_contains(reason_ids, $reason::varchar))
                and (len($rows::bigint[]) = 0 or list_contains($rows::bigint[], source_row))
            """,
            {"reason": selection.reason, "rows": [row for _, row in wanted]},
        )
        _check_places(con, selection, wanted)
        yield con


def _parse_place(text: str) -> tuple[str | None, int]:
    file, _, row = text.rpartition(":")
    if not row.isdigit():
        raise TanhuanError(f"{text!r} is no row.", "name a row by its number, or by file:number.")
    return file or None, int(row)


def _check_places(con: duckdb.DuckDBPyConnection, selection: Selection, wanted: list[tuple[str | None, int]]) -> None:
    """Keep the rows of the files that were named, and make sure that each named row is one place.

    Raises:
        TanhuanError: a named row is not in quarantine, or lies in several files.
    """
    for file, row in wanted:
        if file is not None:
            con.execute("delete from chosen where source_row = $1 and source_file <> $2", [row, file])
        found = con.execute(
            "select list(distinct source_file order by source_file) from chosen where source_row = $1", [row]
        ).fetchall()
        files = found[0][0] or []
        if len(files) != 1:
            listed = " ".join(f"--row {name}:{row}" for name in files)
            raise TanhuanError(
                f"Row {row} of load {selection.load_id} "
                + (f"lies in {len(files)} files." if files else "is not in quarantine (for that reason)."),
                f"name one: {listed}." if files else f"`tanhuan quarantine show {selection.load_id}` names the rows.",
            )


def _keep_state(con: duckdb.DuckDBPyConnection, selection: Selection, *states: str) -> None:
    """Keep the chosen rows that are in one of these states.

    Raises:
        TanhuanError: there are none, or one that was named is in another.
    """
    others = con.execute(
        "select source_row, state, acted_by, acted_at, why, released_as from chosen "
        "where not list_contains($1, state) order by 1 limit 1",
        [list(states)],
    ).fetchone()
    con.execute("delete from chosen where not list_contains($1, state)", [list(states)])
    [(left,)] = con.execute("select count(*) from chosen").fetchall()
    if others and (selection.rows or not left):
        row, state, who, at, why, result = others
        told = f" by {who} at {at:%Y-%m-%d %H:%M} ({why})" if who else ""
        entered = f", as load {result}" if result else ""
        raise TanhuanError(
            f"Row {row} of load {selection.load_id} is {state}{told}{entered}.",
            f"`tanhuan quarantine show {selection.load_id}`; `tanhuan quarantine reopen` takes a drop back.",
        )
    if not left:
        raise TanhuanError(
            f"No row of load {selection.load_id} was refused for {selection.reason}.",
            f"`tanhuan quarantine show {selection.load_id}` names the reasons.",
        )


def _check_releasable(con: duckdb.DuckDBPyConnection, selection: Selection) -> None:
    """Keep what is held and was a row; pieces that never became rows stay held.

    Raises:
        TanhuanError: nothing is left, or a named row is none.
    """
    _keep_state(con, selection, "held")
    pieces = f"list_has_any(list_transform(reason_ids, lambda id: id[:{len(READ)}]), ['{READ}'])"
    unreadable = con.execute(f"select source_row, reason_ids[1] from chosen where {pieces} limit 1").fetchone()
    con.execute(f"delete from chosen where {pieces}")
    [(left,)] = con.execute("select count(*) from chosen").fetchall()
    if unreadable and (selection.rows or not left):
        raise TanhuanError(
            f"Row {unreadable[0]} of load {selection.load_id} ({unreadable[1]}) was never read as a row, so there is "
            "nothing that could be released. 未能解析为行的报文或断行不能放行。",
            "set TANHUAN_PACKET_KEYS or mend device_binding if that is the cause and pull the days again "
            "(docs/runbooks/backfill.md), or drop the corrected file into the inbox; then mark these as dropped.",
        )


def _make_terms(con: duckdb.DuckDBPyConnection, event: dict[str, Any], word: Word, accepted: Sequence[str]) -> Terms:
    places = _list_places(con)
    readable = f"not list_has_any(list_transform(reason_ids, lambda id: id[:{len(READ)}]), ['{READ}'])"
    [(rows, chosen)] = con.execute(
        f"select (select count(*) from held where {readable}), (select count(*) from chosen)"
    ).fetchall()
    is_whole = event["state"] == "refused" and rows == chosen
    who = name_person(word.who)
    return Terms(event["load_id"], places, is_whole, sorted(set(accepted)), who, word.why.strip(), word.document)


def _list_places(con: duckdb.DuckDBPyConnection) -> Places:
    """Return the places of the chosen rows; of a packet with several rows the place comes several times."""
    found = con.execute(
        "select source_file, list(source_row order by source_row) from chosen group by 1 order by 1"
    ).fetchall()
    return dict(found)


def _check_refusal(event: dict[str, Any], terms: Terms) -> None:
    """Make sure that what refused a whole batch is waived by name, where it cannot be asked again.

    Of a part of a batch nobody can tell whether the median is right; and with the share waived, a fault of the whole
    that cannot be waived must not slip in.

    Raises:
        TanhuanError: something that refused the batch is not waived.
    """
    if event["state"] != "refused" or (terms.is_whole and share_id(event["table"]) not in terms.accepted):
        return
    told = event.get("refused_by") or [event["reason"]]
    blocking = [name for name in told if name not in terms.accepted]
    if terms.is_whole:
        blocking = [name for name in blocking if not is_acceptable(name, event["table"])]
    if blocking:
        waivers = " ".join(f"--accept {name}" for name in blocking if is_acceptable(name, event["table"]))
        raise TanhuanError(
            f"Load {terms.load_id} was refused as a whole, by {', '.join(blocking)}; of a part of it this cannot be "
            "asked again. 整批因上述检查被拒，须点名豁免后才能放行其中的行。",
            f"if you know that it is true, add {waivers}." if waivers else "have the source correct it and pull again.",
        )


def _land(
    con: duckdb.DuckDBPyConnection, event: dict[str, Any], contract: Contract, terms: Terms, settings: Settings
) -> Load:
    """Land the chosen rows as JSON lines, in the order of their places; the receipt holds the terms."""
    original = rebuild_load(event)
    rows = "row_json" if original.form in _JSON_FORMS else _read_again(con, original, contract, settings)
    by_days = original.form in _JSON_FORMS and original.kind != "file"
    first, last = ((dt.date.fromisoformat(day) if by_days and day else None) for day in (original.first, original.last))
    load = new_load(contract, dt.date.fromisoformat(original.key), first, last, "release", NDJSON)
    arrival = Arrival(load, settings, f"quarantine/{contract.table}/dt={original.key}/{original.load_id}.parquet")
    with arrival.stream("ndjson") as sink:
        # A line break between two values of a JSON object means nothing; within a value it is always escaped.
        found = con.execute(
            f"select regexp_replace({rows}, '[\\r\\n]+', ' ', 'g') from chosen "
            "order by source_file, source_row, ordinal"
        )
        while lines := found.fetchmany(_CHUNK_ROWS):
            sink.write("".join(f"{line}\n" for (line,) in lines).encode())
        sink.facts = {"rows": sink.lines, **terms.as_fact()}
    arrival.close()
    return load


def _read_again(con: duckdb.DuckDBPyConnection, load: Load, contract: Contract, settings: Settings) -> str:
    """Give `chosen` the column `again`: its rows as JSON, read from landing as they were the first time.

    What is kept of a packet or a line in quarantine is its text; the form's reader makes a row of it.
    """
    with open_memory() as own:
        show_bindings(own, settings)
        arrived = get_form(load.form, settings).stage(own, contract, list_payloads(load, settings))
        unsaid = {c.name: c.unsaid for c in contract.columns if c.name not in arrived.columns and c.unsaid}
        values = ", ".join(
            f"{c.name}: {c.name if c.name in arrived.columns else quote(unsaid.get(c.name))}" for c in contract.columns
        )
        own.execute("create temp table place (source_file varchar, source_row bigint, ordinal bigint)")
        own.executemany(
            "insert into place values (?, ?, ?)",
            con.execute("select source_file, source_row, ordinal from chosen").fetchall(),
        )
        found = own.execute(
            f"""
            select place.source_file, place.source_row, texts.rowid, to_json({{{values}}})::varchar
            from place
            inner join texts on texts._source_file = place.source_file and texts._source_row = place.source_row
                and texts.rowid = coalesce(place.ordinal, texts.rowid)
            """
        ).fetchall()
    [(expected,)] = con.execute("select count(*) from chosen").fetchall()
    con.execute("create temp table again (source_file varchar, source_row bigint, ordinal bigint, row_text varchar)")
    con.executemany("insert into again values (?, ?, ?, ?)", found) if found else None
    con.execute(
        "create or replace temp table chosen as select chosen.* replace (again.ordinal as ordinal), again.row_text "
        "from chosen inner join again on again.source_file = chosen.source_file "
        "and again.source_row = chosen.source_row and again.ordinal = coalesce(chosen.ordinal, again.ordinal)"
    )
    [(read,)] = con.execute("select count(*) from chosen").fetchall()
    if read != expected:
        raise TanhuanError(
            f"{expected} rows of load {load.load_id} are to be released, but landing now gives {read}: its {load.form} "
            "payload is read otherwise than it was then (keys or bindings have changed).",
            "pull the days again (docs/runbooks/backfill.md), then mark the held rows as dropped.",
        )
    return "row_text"


def _conclude(outcome: Outcome, terms: Terms, event: dict[str, Any], settings: Settings) -> Released:
    """Record what entered as released; what did not is still held as the load it first came with.

    A packet is one place: it counts as held as long as one of its rows is.
    """
    held = _list_held(outcome, terms, settings)
    left = {(row.source_file, row.source_row) for row in held}
    entered = {
        file: kept for file, rows in terms.places.items() if (kept := [row for row in rows if (file, row) not in left])
    }
    rows = sum(map(len, entered.values()))
    if not rows:
        return Released(outcome, None, 0, held)
    act = Act(
        act="release",
        load_id=terms.load_id,
        table=event["table"],
        key=event["key"],
        places=entered,
        rows=rows,
        who=terms.who,
        why=terms.why,
        document=terms.document,
        accepted=terms.accepted,
        result=outcome.load.load_id,
    )
    return Released(outcome, record_act(act, settings), rows, held)


def _list_held(outcome: Outcome, terms: Terms, settings: Settings) -> list[Held]:
    """Return the rows that the gate refused once more, by the places they first had."""
    lines = [(file, row) for file, rows in terms.places.items() for row in rows]
    if outcome.state == "refused":
        return [Held(file, row, outcome.refused_by or [str(outcome.reason)]) for file, row in lines]
    again = quarantine_path(outcome.load, settings)
    if not again.exists():
        return []
    with open_memory() as con:
        found = con.execute("select source_row, reason_ids from read_parquet($1) order by 1", [str(again)]).fetchall()
    return [Held(lines[line - 1][0], lines[line - 1][1], reasons) for line, reasons in found]


def _record(
    kind: ActKind, con: duckdb.DuckDBPyConnection, event: dict[str, Any], word: Word, settings: Settings
) -> Act:
    [(all_rows, chosen)] = con.execute("select (select count(*) from held), (select count(*) from chosen)").fetchall()
    places = None if all_rows == chosen else _list_places(con)
    act = Act(
        act=kind,
        load_id=event["load_id"],
        table=event["table"],
        key=event["key"],
        places=places,
        rows=chosen,
        who=name_person(word.who),
        why=word.why.strip(),
        document=word.document,
    )
    return record_act(act, settings)
