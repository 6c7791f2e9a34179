"""One load on its way through gate 1: read, told apart from what is known, judged, written.

Works in a DuckDB of its own and decides nothing about the ledger; `admit.py` records what comes of it. Every received
piece ends in exactly one place: received = admitted + quarantined + unchanged.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.contracts import Contract
from tanhuan.corrections import Applied, Correction, answer_for, apply_corrections, list_drop_checks
from tanhuan.duck import bound_memory, open_memory, open_scratch, quote
from tanhuan.errors import TanhuanError
from tanhuan.files import sync_and_rename
from tanhuan.formats.rows import STAGED, UNREADABLE, Arrived, Form
from tanhuan.gates.contract_checks import make_days_check
from tanhuan.gates.results import SAMPLES, CheckResult, from_counts
from tanhuan.gates.source_gate import Accepted, judge, split_rows
from tanhuan.gates.suites import Check, Suite
from tanhuan.known import list_days, show_known
from tanhuan.lake import lake_path, write_days, write_rows
from tanhuan.landing import Load, list_payloads, read_receipt
from tanhuan.ledger import SNAPSHOT
from tanhuan.quarantine import write_refused
from tanhuan.settings import Settings
from tanhuan.terms import Terms, emptied_id, mark_older, share_id

#: the partition of rows that have no readable day
UNREADABLE_DAY = "unreadable"

#: A load of which more bytes lie in landing (Parquet or zstandard: compressed in any case) is staged in a file. 40 MiB
#: are two to three million hours, as many as 600 MB of memory hold; fewer are staged faster in memory, by a quarter.
_BYTES_IN_MEMORY = 40 << 20
#: what a batch in a file keeps while Great Expectations works, and what that may hold above the batch's own limit: a
#: sixth of it, which is 100 MB of 600
_SHARE_OF_IDLE = 6


@dataclass
class Outcome:
    """What became of a load: `state` is admitted, unchanged or refused.

    `files` names the lake file of every business day that entered, `content` says what was received for each of its
    days anew, `etag` is what the upstream calls this state of a snapshot, `notes` what a person should know though it
    passed, `refused_by` the ids of what refused a whole batch, `corrections` what they did to its rows, `terms` those
    of a release.
    """

    load: Load
    state: str
    received: int = 0
    admitted: int = 0
    quarantined: int = 0
    unchanged: int = 0
    reason: str | None = None
    refused_by: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    notes: list[str] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    corrections: list[Applied] = field(default_factory=list)
    terms: Terms | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, step: str) -> Iterator[None]:
        """Note how long a step took: read, compare (with the lake), check (row rules), write, gate, quarantine."""
        started = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - started, 3)

    def check_sum(self) -> Outcome:
        """Return itself; AssertionError if a received piece is in no place or in two."""
        placed = self.admitted + self.quarantined + self.unchanged
        assert placed == self.received, (
            f"load {self.load.load_id}: {self.received} received, but {self.admitted} admitted + "
            f"{self.quarantined} quarantined + {self.unchanged} unchanged = {placed}"
        )
        return self


@contextmanager
def open_for(load: Load, scratch: Path, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database in which a landed load is staged and judged: in memory, or in a file if there is much of it."""
    bound = bound_memory(settings.gate_memory_mb, scratch / "spill")
    landed = sum(payload.path.stat().st_size for payload in list_payloads(load, settings))
    # The file's name is the name of a catalog: not one of a table or a schema.
    large = landed > _BYTES_IN_MEMORY
    with open_scratch(scratch / "load.duckdb", bound) if large else open_memory(bound) as con:
        yield con


@dataclass
class Batch:
    """A load in landing, on its way."""

    con: duckdb.DuckDBPyConnection
    load: Load
    contract: Contract
    form: Form
    suite: Suite
    settings: Settings
    scratch: Path
    corrections: Sequence[Correction] = ()
    #: of a release; None for what a source sent
    terms: Terms | None = None

    def admit(self) -> Outcome:
        """Take the load as far as it gets."""
        receipt = read_receipt(self.load, self.settings)
        if receipt["not_modified"]:
            return Outcome(self.load, "unchanged", notes=["the upstream says that nothing has changed (304)"])
        if not receipt["payloads"]:
            return self._take_nothing(Outcome(self.load, "admitted"))
        outcome = Outcome(self.load, "admitted", terms=self.terms)
        try:
            with outcome.time("read"):
                arrived = self.form.stage(self.con, self.contract, list_payloads(self.load, self.settings))
        except TanhuanError as failure:
            outcome.state, outcome.reason = "refused", str(failure)
            return outcome
        outcome.received = self._count(STAGED) + self._count(UNREADABLE)
        outcome.etag = receipt["payloads"][0]["headers"].get("ETag")
        outcome.notes += arrived.notes
        outcome.notes += [f"column {name} is not in the contract" for name in sorted(arrived.unknown)]
        outcome.checks += self._read_faults()
        return self._take(outcome, arrived).check_sum()

    def _take(self, outcome: Outcome, arrived: Arrived) -> Outcome:
        if outcome.received == 0:
            return self._take_nothing(outcome)
        if lacking := self._find_drift(arrived, outcome):
            return self._refuse(outcome, STAGED, lacking, ["DRIFT"])
        with outcome.time("correct"):
            self._correct(outcome)
        with outcome.time("compare"):
            self._keep_new(outcome)
        if self._count(STAGED) == 0:
            return self._refuse(
                outcome, STAGED, f"not one of its {outcome.received} pieces could be read", ["UNREADABLE"]
            )
        fresh = self._count("batch")
        outcome.unchanged = self._count(STAGED) - fresh
        if fresh and (emptied := self._find_emptied(outcome)):
            return self._refuse(outcome, "batch", emptied, [emptied_id(self.load.table)])
        if fresh:
            return self._pass_gate(outcome, fresh)
        outcome.state, outcome.quarantined = "unchanged", self._count(UNREADABLE)
        if outcome.quarantined:
            self._show_none_judged(STAGED)
            write_refused(self.con, "judged", self.load, self.settings, None)
        return outcome

    def _take_nothing(self, outcome: Outcome) -> Outcome:
        """Past days may be empty, and so may some registers and recordings; a night's table may not: it is dead."""
        past = self.contract.mode == "window" and self.load.kind in ("history", "restated", "backfill", "pull")
        recording = self.load.kind == "file" and self.form.supersedes
        if not (past or recording or self.contract.may_be_empty):
            outcome.state, outcome.reason = "refused", "not a single row came; ask the operator of the source"
        return outcome

    def _find_drift(self, arrived: Arrived, outcome: Outcome) -> str | None:
        """Return why columns that did not arrive refuse the batch, if they do."""
        absent = [c for c in self.contract.columns if c.name not in arrived.columns] if self.form.names_columns else []
        outcome.notes += [f"column {c.name} did not arrive and is empty" for c in absent if c.drift == "evolve"]
        lacking = [c.name for c in absent if c.drift != "evolve"]
        if not lacking:
            return None
        return (
            f"columns {', '.join(lacking)} of the contract did not arrive"
            + (f", instead {', '.join(sorted(arrived.unknown))}: probably renamed" if arrived.unknown else "")
            + f". Ask the platform, or adapt include/tanhuan/contracts/{self.load.table}.yml."
        )

    def _correct(self, outcome: Outcome) -> None:
        """Let the table's corrections act on the staged rows, before these are compared with what is known."""
        if not self.corrections:
            return
        outcome.corrections = apply_corrections(self.con, self.contract, self.suite, self.corrections)
        outcome.notes += [applied.note for applied in outcome.corrections if applied.acted]
        self.suite = replace(self.suite, checks=(*list_drop_checks(outcome.corrections), *self.suite.checks))

    def _keep_new(self, outcome: Outcome) -> None:
        """Create `batch`: the staged rows that are not known yet, each once, with `_duplicate`."""
        days = self._describe_days()
        outcome.checks += self._find_lost_days(days)
        outcome.content = {day: text for day, text in days.items() if not self._is_known(day, text)}
        fresh = f"from {STAGED}"
        if len(outcome.content) < len(days):
            changed = ", ".join(f"'{day}'" for day in outcome.content) or "null"
            fresh += f" where {self._day()} in ({changed})"
        if self.form.by_row:
            known = self._list_known_files(outcome.content)
            self.con.execute(f"create table batch as {self._rank(fresh, known)}")
            if self.terms:
                mark_older(self.con, "batch", self.contract, self.terms, known)
        elif self._has_repeated_keys(fresh):
            self.con.execute(f"create table batch as {self._rank(fresh, [])}")
        else:
            self.con.execute(f"create view batch as select *, false as _duplicate {fresh}")

    def _has_repeated_keys(self, fresh: str) -> bool:
        """Tell whether a key may occur twice; by its hash, since a chance equality only costs the closer look."""
        key = f"hash({', '.join(self.contract.key)})"
        found = self.con.execute(f"select count(*) > count(distinct {key}) {fresh}").fetchone()
        assert found is not None
        return bool(found[0])

    def _find_emptied(self, outcome: Outcome) -> str | None:
        """Return why the batch is refused, if a column of numbers lost every value that the lake has for its days."""
        numbers = [c.name for c in self.contract.columns if c.type.startswith("DECIMAL")]
        known_files = self._list_known_files(outcome.content)
        waived = self.terms and (not self.terms.is_whole or emptied_id(self.load.table) in self.terms.accepted)
        in_part = self.form.by_row and not self.terms
        if in_part or waived or not numbers or not known_files:
            return None
        # What did not fit its type came all the same; the checks of types answer for that.
        sent = [f"if(list_contains(_unfit, '{name}'), 0, {name})" for name in numbers]
        empty = [n for n, count in zip(numbers, self._count_values(sent, "batch"), strict=True) if not count]
        lake = "read_parquet($files, union_by_name = true)"
        before = self._count_values(empty, lake, {"files": known_files}) if empty else []
        lost = [name for name, count in zip(empty, before, strict=True) if count]
        if not lost:
            return None
        return (
            f"columns {', '.join(lost)} came without a single value, though earlier answers for these days had some. "
            "Ask the platform what happened to them."
        )

    def _count_values(self, columns: list[str], relation: str, parameters: dict[str, Any] | None = None) -> list[int]:
        counts = ", ".join(f"count({name})" for name in columns)
        found = self.con.execute(f"select {counts} from {relation}", parameters).fetchone()
        assert found is not None
        return list(found)

    def _rank(self, fresh: str, known_files: list[str]) -> str:
        """Return the query that drops repeats and what the lake already says, and marks contradicting rows."""
        key = ", ".join(self.contract.key)
        order = f"partition by {key} order by _source_file, _source_row, _ordinal"
        # A recording may go from A to B and back to A: only an unbroken repetition says nothing new.
        repeated = (
            f"_row_hash is not distinct from lag(_row_hash) over ({order})"
            if self.form.supersedes
            else f"row_number() over (partition by {key}, _row_hash order by _source_file, _source_row, _ordinal) > 1"
        )
        # A recording says nothing new if its last word is known; elsewhere each row speaks for itself, and one that
        # contradicts an earlier row of its key always goes to the gate.
        news = "_last_hash" if self.form.supersedes else "if(_duplicate, null, _row_hash::varchar)"
        latest = "null::varchar"
        if known_files:
            listed = ", ".join(map(quote, known_files))
            matches = " and ".join(f"known.{name} is not distinct from ranked.{name}" for name in self.contract.key)
            latest = (
                "(select max_by(known._row_hash::varchar, (known._load_id, known._source_file, known._source_row)) "
                f"from read_parquet([{listed}], union_by_name = true) as known where {matches})"
            )
        return f"""
            with fresh as (
                select *, {repeated} as _is_repeat
                {fresh}
            ),
            ranked as (
                select
                    * exclude (_is_repeat),
                    row_number() over ({order}) > 1 and {not self.form.supersedes} as _duplicate,
                    last_value(_row_hash) over (
                        {order} rows between unbounded preceding and unbounded following
                    )::varchar as _last_hash
                from fresh
                where not _is_repeat
            )
            select * exclude (_last_hash) from ranked where {latest} is distinct from {news} or {news} is null
        """

    def _describe_days(self) -> dict[str, str]:
        """Return what was received for each business day, whatever the order of its rows, as a short text."""
        found = self.con.execute(
            f"select {self._day()}, rows || ':' || hashes from ("
            f"select business_date, count(*) as rows, sum(_row_hash::hugeint) as hashes from {STAGED} group by 1) "
            "order by 1"
        ).fetchall()
        return dict(found)

    def _find_lost_days(self, came: dict[str, str]) -> list[CheckResult]:
        """Return the answer for days that were asked for and brought nothing, if a day usually has many rows."""
        if self.form.by_row or self.contract.mode == "snapshot":
            return []
        asked = list_days(*map(dt.date.fromisoformat, (self.load.first, self.load.last)))
        lost = [day for day in asked if day not in came]
        known = (ledger.read_day(self.load.table, day, self.settings) or {} for day in lost)
        told = [*came.values(), *(state["content"] for state in known if "content" in state)]
        if median([int(text.partition(":")[0]) for text in told]) < self.contract.volume_min_rows:
            return []
        return [from_counts(make_days_check(self.contract), len(asked), len(lost), lost[:SAMPLES])]

    def _day(self) -> str:
        if self.contract.mode == "snapshot":
            return f"'{SNAPSHOT}'"
        return f"coalesce(business_date::varchar, '{UNREADABLE_DAY}')"

    def _is_known(self, day: str, content: str) -> bool:
        """Tell whether the upstream sent the very same for this day before."""
        known = ledger.read_day(self.load.table, day, self.settings)
        return (
            not self.form.by_row
            and known is not None
            and known.get("content") == content
            and known.get("suite") == self.suite.digest
        )

    def _list_known_files(self, days: dict[str, str]) -> list[str]:
        states = [ledger.read_day(self.load.table, day, self.settings) or {} for day in days]
        return [str(self.settings.root / file) for state in states for file in state.get("files", [])]

    def _pass_gate(self, outcome: Outcome, fresh: int) -> Outcome:
        with outcome.time("check"):
            # A day's file holds hours of its neighbours, too; only a question about days is answered with these days.
            asked = bool(self.load.first) if self.terms else not self.form.by_row
            days = (self.load.first, self.load.last) if asked else None
            readable = [day for day in outcome.content if day not in (SNAPSHOT, UNREADABLE_DAY)]
            shown = show_known(self.con, self.suite.known_tables, readable, self.scratch / "known", self.settings)
            checks = split_rows(self.con, "batch", "judged", self.suite, days)
            refused = self._count("judged where len(_refused_by) > 0")
        with outcome.time("write"):
            files = self._write_accepted("where len(_refused_by) = 0" if refused else "")
        parameters = {"days": len(outcome.content), "as_of": self.load.key}
        pattern = str(self.scratch / "*.parquet") if fresh > refused else None
        # What is known already was judged and found good: of a file dropped again, only its refused rows are fresh.
        judged = self._count(STAGED) if self.form.by_row else fresh
        corrected = answer_for(outcome.corrections, self._count(STAGED), self.terms is not None)
        unmeant = refused - self._count_kept_out(outcome)
        with outcome.time("gate"), self._make_room() as megabytes:
            prepare = [*bound_memory(megabytes, self.scratch / "spill-gate"), *shown]
            accepted = Accepted(pattern, prepare, is_whole=not self.form.by_row) if pattern else None
            verdict = judge(self.contract, self.suite, [*corrected, *checks], judged, unmeant, accepted, parameters)
        outcome.checks += verdict.results
        if verdict.refusal:
            refused_by = [r.id for r in verdict.results if r.refuses_batch]
            refused_by += [share_id(self.load.table)] if unmeant > self.contract.refused_share_max * judged else []
            return self._refuse(outcome, "judged", verdict.refusal, refused_by or ["OTHER"])
        unreadable = self._count(UNREADABLE)
        if refused + unreadable:
            with outcome.time("quarantine"):
                write_refused(self.con, "judged", self.load, self.settings, None)
        outcome.admitted, outcome.quarantined = fresh - refused, refused + unreadable
        if not outcome.admitted:
            outcome.state = "unchanged"
            return outcome
        outcome.notes += self._compare_snapshots(files)
        outcome.files = {day: self._move_into_lake(day, file) for day, file in files.items()}
        return outcome

    @contextmanager
    def _make_room(self) -> Iterator[int]:
        """Give how many megabytes Great Expectations may hold: half as many as the batch.

        A batch in a file can do almost without and gives it its own: a median holds every value of ten million rows.
        """
        own = self.settings.gate_memory_mb
        [(in_file,)] = self.con.execute(
            "select path is not null from duckdb_databases() where database_name = current_database()"
        ).fetchall()
        if not in_file:
            yield own // 2
            return
        idle = own // _SHARE_OF_IDLE
        self.con.execute(f"set memory_limit = '{idle}MB'")
        try:
            yield own + idle
        finally:
            self.con.execute(f"set memory_limit = '{own}MB'")

    def _count_kept_out(self, outcome: Outcome) -> int:
        """Return how many rows nothing but a reviewed correction refused: they are no sign of a broken batch."""
        meant = [applied.correction.id for applied in outcome.corrections if applied.correction.action == "drop"]
        if not meant:
            return 0
        listed = ", ".join(f"'{id_}'" for id_ in meant)
        return self._count(f"judged where len(_refused_by) > 0 and list_has_all([{listed}], _refused_by)")

    def _refuse(self, outcome: Outcome, rows: str, reason: str, refused_by: list[str]) -> Outcome:
        """Keep everything of the load that is new in quarantine."""
        if rows != "judged":
            self._show_none_judged(rows)
        write_refused(self.con, "judged", self.load, self.settings, reason)
        outcome.state, outcome.reason, outcome.refused_by = "refused", reason, refused_by
        outcome.quarantined = self._count("judged") + self._count(UNREADABLE)
        return outcome

    def _show_none_judged(self, rows: str) -> None:
        self.con.execute(f"create view judged as select *, []::varchar[] as _refused_by from {rows}")

    def _write_accepted(self, which: str) -> dict[str, Path]:
        """Write the accepted rows to scratch, one file a day; return the files by day."""
        receipt = read_receipt(self.load, self.settings)
        # As an enum of one value the writer need not look at it in every row.
        load_id = f"'{self.load.load_id}'"
        provenance = (
            f"{load_id}::enum({load_id}) as _load_id, _source_file, _source_row, "
            f"'{receipt['fetched_at']}'::timestamptz as _fetched_at, _row_hash"
        )
        columns = f"{', '.join(self.contract.names)}, {provenance}"
        if self.contract.mode == "window":
            return write_days(self.con, columns, f"(from judged {which})", "business_date", self.scratch)
        file = self.scratch / "rows.parquet"
        write_rows(self.con, f"select {columns} from judged {which}", file)
        return {SNAPSHOT: file}

    def _move_into_lake(self, day: str, file: Path) -> str:
        """Move a file from scratch into the lake; return its place relative to TANHUAN_HOME."""
        name = self.load.key if day == SNAPSHOT else day
        target = lake_path(self.load.table, name, self.load.load_id, self.settings)
        target.parent.mkdir(parents=True, exist_ok=True)
        sync_and_rename(file, target)
        return str(target.relative_to(self.settings.root))

    def _compare_snapshots(self, files: dict[str, Path]) -> list[str]:
        """Return what a new snapshot changes, as a note."""
        before = (ledger.read_day(self.load.table, SNAPSHOT, self.settings) or {}).get("snapshot")
        if self.contract.mode == "window" or self.load.kind in ("file", "release") or not before:
            return []
        key = ", ".join(self.contract.key)
        found = self.con.execute(
            f"""
            select
                count(*) filter (where old._row_hash is null),
                count(*) filter (where old._row_hash <> new._row_hash),
                count(*) filter (where new._row_hash is null)
            from (select {key}, _row_hash::varchar as _row_hash from read_parquet($new)) as new
            full join (select {key}, _row_hash::varchar as _row_hash from read_parquet($old)) as old using ({key})
            """,
            {"new": str(files[SNAPSHOT]), "old": str(self.settings.root / before)},
        ).fetchone()
        assert found is not None
        return [f"since the last snapshot {found[0]} rows are new, {found[1]} changed, {found[2]} gone"]

    def _read_faults(self) -> list[CheckResult]:
        """Return what the form's reader met, as answers of checks of its own."""
        met = self.con.execute(
            f"""
            with met as (
                select unnest(_flags) as id, 'flag' as action, _source_file, _source_row, null as detail from {STAGED}
                union all
                select reason_id, 'refuse_row', _source_file, _source_row, detail from {UNREADABLE}
            )
            select
                id, action, count(*),
                (array_agg(_source_file || ' ' || _source_row || ' ' || coalesce(detail, '')))[1:20]
            from met
            group by id, action
            order by id
            """
        ).fetchall()
        rows = self._count(STAGED) + self._count(UNREADABLE)
        return [from_counts(self._fault(id_, action), rows, count, samples) for id_, action, count, samples in met]

    def _fault(self, id_: str, action: str) -> Check:
        text = self.form.faults[id_]
        severity = "warning" if action == "flag" else "critical"
        return Check(id_, "row", action, severity, text.zh, text.en, f"form {self.form.name}")  # type: ignore[arg-type]

    def _count(self, relation: str) -> int:
        found = self.con.execute(f"select count(*) from {relation}").fetchone()
        assert found is not None
        return int(found[0])
