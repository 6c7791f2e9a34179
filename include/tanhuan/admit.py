"""The second half of a feed's night: landed bytes become rows, pass gate 1 and enter the lake, or the quarantine.

Same bytes and same rules give the same answer, so this half is never retried. The ledger's load record is the moment
of admission: lake files that no record names are not there for anyone.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.batch import Batch, Outcome, open_for
from tanhuan.contracts import get_contract, tables_of
from tanhuan.corrections import list_in_force, mark_suite
from tanhuan.errors import BatchRefused, FeedIncomplete
from tanhuan.forms import get_form
from tanhuan.gates.log_text import GateRun, find_way_on, render_run
from tanhuan.gates.page import refresh_page
from tanhuan.gates.suites import Suite, load_source_suite
from tanhuan.inbox import clear_dropped
from tanhuan.landing import Load, read_receipt
from tanhuan.ledger import SNAPSHOT
from tanhuan.settings import Settings, now
from tanhuan.terms import adapt_contract, adapt_form, adapt_suite, read_terms

log = logging.getLogger(__name__)

#: of a batch's reason in the sentence of an error
_REASON_CHARS = 600


def admit_loads(loads: list[Load], settings: Settings) -> list[Outcome]:
    """Take landed loads through gate 1 into the lake; return what became of each.

    Raises:
        BatchRefused: at least one batch may not enter; the others have been admitted by then.
    """
    outcomes = [admit_load(load, settings) for load in loads]
    # A dropped file that is no good is answered to whoever dropped it; it does not stop the night.
    refused = [o for o in outcomes if o.state == "refused" and o.load.kind != "file"]
    if any(o.state == "refused" or o.quarantined for o in outcomes):
        refresh_page(settings)
    if refused:
        sentences = "\n".join(f"- table {o.load.table}, load {o.load.load_id}: {_shorten(o.reason)}" for o in refused)
        raise BatchRefused(
            f"feed {get_contract(refused[0].load.table).feed}: gate 1 refused {len(refused)} of {len(loads)} batches. "
            f"Nothing of them entered the lake; earlier data and the published version stay.\n{sentences}\n",
            f"look at the rows with `tanhuan quarantine show {refused[0].load.load_id}`, have the platform correct them"
            " and clear this DAG run; or adapt contract or suite if the change is meant.",
        )
    return outcomes


def check_whole_feed(feed: str, outcomes: list[Outcome]) -> None:
    """Raise if a table of the feed did not land, so that the feed is not announced as arrived.

    Raises:
        FeedIncomplete: names the tables that are missing.
    """
    missing = sorted(set(tables_of(feed)) - {o.load.table for o in outcomes if o.load.kind == "night"})
    if missing:
        raise FeedIncomplete(
            f"feed {feed}: {len(outcomes)} loads were admitted, but {', '.join(missing)} did not land.",
            "see the red `land` task for the cause; clear this DAG run once the platform has recovered.",
        )


def admit_load(load: Load, settings: Settings) -> Outcome:
    """Take one landed load through gate 1, record what came of it and return that."""
    settings.root.mkdir(parents=True, exist_ok=True)
    contract = get_contract(load.table)
    with (
        tempfile.TemporaryDirectory(dir=settings.root, prefix=".admit-") as scratch,
        open_for(load, Path(scratch), settings) as con,
    ):
        show_bindings(con, settings)
        corrections = list_in_force(contract, load.key, settings)
        form, suite = get_form(load.form, settings), mark_suite(load_source_suite(contract, settings), corrections)
        if terms := read_terms(read_receipt(load, settings)):
            form, suite, contract = (
                adapt_form(form, terms),
                adapt_suite(suite, contract, terms),
                adapt_contract(contract, terms),
            )
        batch = Batch(con, load, contract, form, suite, settings, Path(scratch), corrections, terms)
        outcome = batch.admit()
    _record(outcome, form.by_row, suite, settings)
    if load.kind == "file":
        clear_dropped(load, settings)
    log.info(
        "%s %s: %d received = %d admitted + %d quarantined + %d unchanged",
        *(outcome.state, load.load_id, outcome.received, outcome.admitted, outcome.quarantined, outcome.unchanged),
    )
    _tell_checks(outcome, settings)
    for note in filter(None, (outcome.reason, *outcome.notes)):
        log.log(logging.INFO if outcome.state == "unchanged" else logging.WARNING, "table %s: %s", load.table, note)
    return outcome


def _tell_checks(outcome: Outcome, settings: Settings) -> None:
    """Log what failed with its rows, a line per check, and what to do next if anything was refused."""
    load, refused = outcome.load, outcome.state == "refused"
    way_on = find_way_on(load, refused, settings) if refused or outcome.quarantined else []
    if not (outcome.checks or way_on):
        return
    heading = f"第一道闸门 gate 1: {load.table} {outcome.state}, load {load.load_id}"
    # The months of a first history are many; of a night a person wants every check.
    told = GateRun(heading, outcome.checks, get_contract(load.table).key, way_on, brief=load.kind == "history")
    log.log(logging.INFO if all(c.passed for c in outcome.checks) and not way_on else logging.WARNING, render_run(told))


def _shorten(reason: str | None) -> str:
    text = reason or "no reason was told"
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS].rstrip()} … (the log above has all of it)"


def show_bindings(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Create `binding`: which outlet a data logger stood for and when, as last admitted; packets name loggers only."""
    contract = get_contract("device_binding")
    state = ledger.read_day(contract.table, SNAPSHOT, settings) or {}
    files = [str(settings.root / file) for file in state.get("files", [])]
    columns = ", ".join(f"{c.name} {c.type}" for c in contract.columns)
    con.execute(f"create temp table binding ({columns}, _load_id varchar)")
    if files:
        con.execute(
            f"insert into binding by name select {', '.join(contract.names)}, _load_id from read_parquet($files) "
            f"qualify row_number() over (partition by {', '.join(contract.key)} order by _load_id desc) = 1",
            {"files": files},
        )


def _record(outcome: Outcome, by_row: bool, suite: Suite, settings: Settings) -> None:
    """Write gate answers, then the load record (the moment of admission), then what is now known of its days."""
    load = outcome.load
    if outcome.checks:
        ledger.record("gates", load.load_id, _gate_event(outcome, suite), settings)
    ledger.record("loads", load.load_id, _load_event(outcome), settings)
    if outcome.state == "refused":
        return
    # A whole batch that a person released says of its days what the upstream sent, or it would be refused every night.
    whole = outcome.terms.is_whole and bool(load.first) if outcome.terms else not by_row
    for day, content in outcome.content.items():
        known = _describe_day(outcome, day, content if whole else None, suite, settings)
        ledger.write_day(load.table, day, known, settings)
    if load.kind in ("history", "restated"):
        ledger.write_day(load.table, ledger.period_key(load.kind, load.first), {"load": load.load_id}, settings)


def _describe_day(outcome: Outcome, day: str, content: str | None, suite: Suite, settings: Settings) -> dict[str, Any]:
    """Return what is known of a day after a load: what its upstream last sent, and the lake files that hold its rows.

    A snapshot stands for all snapshots before it, but not for dropped files and released rows, which add to it by key.
    Without `content` the load was compared row by row and says nothing of the day as a whole.
    """
    load, contract = outcome.load, get_contract(outcome.load.table)
    state = ledger.read_day(load.table, day, settings) or {}
    entered = [outcome.files[day]] if day in outcome.files else []
    if load.kind in ("file", "release"):
        dropped = [*state.get("dropped", []), *entered]
        sent = {"content": content, "suite": suite.digest, "load": load.load_id} if content else {}
        return {**state, **sent, "files": [*state.get("files", []), *entered], "dropped": dropped}
    if content is None:
        return {**state, "files": [*state.get("files", []), *entered]}
    told = {"content": content, "suite": suite.digest, "load": load.load_id, "etag": outcome.etag}
    if contract.mode == "snapshot":
        return {**state, **told, "files": [*entered, *state.get("dropped", [])], "snapshot": next(iter(entered), None)}
    return {**state, **told, "files": [*state.get("files", []), *entered]}


def _load_event(outcome: Outcome) -> dict[str, Any]:
    load = asdict(outcome.load)
    days = sorted(day for day in outcome.files if day != SNAPSHOT)
    # A dropped file was not asked for any days; those it brought are told instead.
    brought = {"first": days[0], "last": days[-1]} if days else {"first": load["key"], "last": load["key"]}
    return {
        **load,
        **({} if load["first"] else brought),
        "feed": get_contract(outcome.load.table).feed,
        "state": outcome.state,
        "received": outcome.received,
        "admitted": outcome.admitted,
        "quarantined": outcome.quarantined,
        "unchanged": outcome.unchanged,
        "reason": outcome.reason,
        "refused_by": outcome.refused_by,
        "notes": outcome.notes,
        "files": outcome.files,
        "seconds": outcome.seconds,
        "recorded_at": now().isoformat(),
    }


def _gate_event(outcome: Outcome, suite: Suite) -> dict[str, Any]:
    return {
        "gate": "source",
        "subject": outcome.load.load_id,
        "table": outcome.load.table,
        "key": outcome.load.key,
        "suite": suite.digest,
        "passed": outcome.state != "refused",
        "rows": outcome.received,
        "refused": outcome.quarantined,
        "checks": [c.as_record() for c in outcome.checks],
        "corrections": [applied.as_record() for applied in outcome.corrections],
        "release": asdict(outcome.terms) if outcome.terms else None,
        "recorded_at": now().isoformat(),
    }
