"""The second half of a feed's night: landed bytes become rows, pass gate 1 and enter the lake, or the quarantine.

Same bytes and same rules give the same answer, so this half is never retried. The ledger's load record is the moment
of admission: lake files that no record names are not there for anyone.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.contracts import Contract, get_contract, tables_of
from tanhuan.duck import open_memory
from tanhuan.errors import BatchRefused, FeedIncomplete
from tanhuan.formats import json_pages
from tanhuan.gates.results import CheckResult, render_failures
from tanhuan.gates.source_gate import judge, split_rows
from tanhuan.gates.suites import Suite, load_source_suite
from tanhuan.lake import lake_path, list_lake_columns, write_rows
from tanhuan.landing import Load, read_receipt
from tanhuan.quarantine import write_refused
from tanhuan.settings import Settings, now

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of a load.

    `state` is admitted, unchanged or refused; `files` names the lake file of every business day that entered;
    `content` the hash of every day that was received anew; `notes` what a person should know though it passed.
    """

    load: Load
    state: str
    rows: int
    refused: int = 0
    reason: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)


def admit_loads(loads: list[Load], settings: Settings) -> list[Outcome]:
    """Take landed loads through gate 1 into the lake; return what became of each.

    Raises:
        BatchRefused: at least one batch may not enter; the others have been admitted by then.
    """
    outcomes = [_admit_load(load, settings) for load in loads]
    refused = [o for o in outcomes if o.state == "refused"]
    if refused:
        sentences = "\n".join(f"- table {o.load.table}, load {o.load.load_id}: {o.reason}" for o in refused)
        raise BatchRefused(
            f"feed {get_contract(refused[0].load.table).feed}: gate 1 refused {len(refused)} of {len(loads)} batches. "
            f"Nothing of them entered the lake; earlier data and the published version stay.\n{sentences}\n",
            f"look at the rows with `tanhuan quarantine {refused[0].load.load_id}`, have the platform correct them and "
            "clear this DAG run; or adapt contract or suite if the change is meant.",
        )
    return outcomes


def check_whole_feed(feed: str, outcomes: list[Outcome]) -> None:
    """Raise if a table of the feed did not land, so that the feed is not announced as arrived.

    Raises:
        FeedIncomplete: names the tables that are missing.
    """
    missing = sorted(set(tables_of(feed)) - {o.load.table for o in outcomes})
    if missing:
        raise FeedIncomplete(
            f"feed {feed}: {len(outcomes)} loads were admitted, but {', '.join(missing)} did not land.",
            "see the red `land` task for the cause; clear this DAG run once the platform has recovered.",
        )


def _admit_load(load: Load, settings: Settings) -> Outcome:
    settings.root.mkdir(parents=True, exist_ok=True)
    contract = get_contract(load.table)
    with (
        open_memory() as con,
        tempfile.TemporaryDirectory(dir=settings.root, prefix=".admit-") as scratch,
    ):
        batch = _Batch(con, load, contract, load_source_suite(contract, settings), settings, Path(scratch))
        outcome = batch.admit()
    _record(outcome, batch.suite, settings)
    log.info("%s %s: %d rows, %d refused", outcome.state, load.load_id, outcome.rows, outcome.refused)
    if failures := render_failures(outcome.checks):
        log.warning("checks of table %s that did not pass:\n%s", load.table, failures)
    for note in outcome.notes:
        log.warning("table %s: %s", load.table, note)
    return outcome


@dataclass
class _Batch:
    """One load on its way through gate 1, in a DuckDB of its own."""

    con: duckdb.DuckDBPyConnection
    load: Load
    contract: Contract
    suite: Suite
    settings: Settings
    scratch: Path

    def admit(self) -> Outcome:
        receipt = read_receipt(self.load, self.settings)
        payloads = [self.load.folder(self.settings) / p["file"] for p in receipt["payloads"]]
        rows = json_pages.stage_rows(self.con, self.contract, payloads, "staged", receipt["fetched_at"])
        if rows == 0:
            return self._accept_nothing()
        arrived = json_pages.read_column_names(self.con, payloads)
        notes = [f"column {name} is not in the contract" for name in sorted(arrived - set(self.contract.names))]
        if missing := [name for name in self.contract.names if name not in arrived]:
            return self._refuse_drift(rows, missing, notes)
        content = self._hash_days()
        changed = {day: hashed for day, hashed in content.items() if not self._is_known(day, hashed)}
        if not changed:
            return Outcome(self.load, "unchanged", rows, notes=notes)
        return self._pass_gate(changed, notes)

    def _accept_nothing(self) -> Outcome:
        """History may be empty; a night's table may not: that is a dead upstream which still answers."""
        if self.load.kind == "history":
            return Outcome(self.load, "admitted", 0)
        return Outcome(self.load, "refused", 0, reason="the upstream answered without a single row; ask its operator")

    def _refuse_drift(self, rows: int, missing: list[str], notes: list[str]) -> Outcome:
        self.con.execute("create temp table judged as select *, []::varchar[] as _refused_by from staged")
        reason = (
            f"columns {', '.join(missing)} of the contract did not arrive"
            + (f", instead {'; '.join(notes)}: probably renamed" if notes else "")
            + f". Ask the platform, or adapt include/tanhuan/contracts/{self.load.table}.yml."
        )
        write_refused(self.con, "judged", self.load, self.settings, reason)
        return Outcome(self.load, "refused", rows, rows, reason, notes=notes)

    def _hash_days(self) -> dict[str, str]:
        """Return a hash of what was received for each business day, whatever the order of its rows."""
        day = "'snapshot'" if self.contract.mode == "snapshot" else "coalesce(business_date::varchar, 'unreadable')"
        found = self.con.execute(
            f"select {day}, md5(string_agg(_row_hash, '' order by _row_hash)) from staged group by 1 order by 1"
        ).fetchall()
        return dict(found)

    def _is_known(self, day: str, content: str) -> bool:
        known = ledger.read_day(self.load.table, day, self.settings)
        return known is not None and known["content"] == content and known["suite"] == self.suite.digest

    def _pass_gate(self, content: dict[str, str], notes: list[str]) -> Outcome:
        if self.contract.mode == "window":
            self.con.execute(
                "delete from staged where not list_contains($days, coalesce(business_date::varchar, 'unreadable'))",
                {"days": list(content)},
            )
        checks = split_rows(self.con, "staged", "judged", self.suite, self.load)
        rows, refused = self._count("judged"), self._count("judged where len(_refused_by) > 0")
        accepted = self.scratch / "accepted.parquet"
        write_rows(self.con, f"select {list_lake_columns(self.contract)} from ({self._accepted()})", accepted)
        parameters = {"days": len(content), "as_of": self.load.key}
        verdict = judge(self.contract, self.suite, checks, rows, refused, accepted, parameters)
        if refused or verdict.refusal:
            write_refused(self.con, "judged", self.load, self.settings, verdict.refusal)
        if verdict.refusal:
            return Outcome(self.load, "refused", rows, rows, verdict.refusal, notes=notes, checks=verdict.results)
        files = {} if rows == refused else self._write_days(content)
        return Outcome(self.load, "admitted", rows, refused, None, files, content, notes, verdict.results)

    def _write_days(self, content: dict[str, str]) -> dict[str, str]:
        """Write the accepted rows of each day to the lake; return the files relative to TANHUAN_HOME."""
        columns = list_lake_columns(self.contract)
        files = {}
        for day in content:
            name, condition = (
                (self.load.key, "true") if self.contract.mode == "snapshot" else (day, f"business_date = '{day}'")
            )
            if day == "unreadable" or self._count(f"({self._accepted()}) where {condition}") == 0:
                continue
            target = lake_path(self.load.table, name, self.load.load_id, self.settings)
            order = ", ".join(self.contract.key)
            write_rows(
                self.con, f"select {columns} from ({self._accepted()}) where {condition} order by {order}", target
            )
            files[name] = str(target.relative_to(self.settings.root))
        return files

    def _accepted(self) -> str:
        return f"select *, '{self.load.load_id}' as _load_id from judged where len(_refused_by) = 0"

    def _count(self, relation: str) -> int:
        found = self.con.execute(f"select count(*) from {relation}").fetchone()
        assert found is not None
        return int(found[0])


def _record(outcome: Outcome, suite: Suite, settings: Settings) -> None:
    """Write gate answers, then the load record (the moment of admission), then what is now known of its days."""
    load = outcome.load
    if outcome.checks:
        ledger.record("gates", load.load_id, _gate_event(outcome, suite), settings)
    ledger.record("loads", load.load_id, _load_event(outcome), settings)
    if outcome.state == "refused":
        return
    for day, content in outcome.content.items():
        ledger.write_day(load.table, day, {"content": content, "suite": suite.digest, "load": load.load_id}, settings)
    if load.kind == "history":
        ledger.write_day(load.table, ledger.history_key(load.first), {"load": load.load_id}, settings)


def _load_event(outcome: Outcome) -> dict[str, Any]:
    load = asdict(outcome.load)
    return {
        **load,
        "feed": get_contract(outcome.load.table).feed,
        "state": outcome.state,
        "rows": outcome.rows,
        "refused": outcome.refused,
        "reason": outcome.reason,
        "notes": outcome.notes,
        "files": outcome.files,
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
        "rows": outcome.rows,
        "refused": outcome.refused,
        "checks": [c.as_record() for c in outcome.checks],
        "recorded_at": now().isoformat(),
    }
