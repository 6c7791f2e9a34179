"""The mutation test itself: every kind at every seed through the gates, and on to the figures if nothing was said."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb

from tanhuan import ledger
from tanhuan.admit import admit_load
from tanhuan.duck import open_warehouse
from tanhuan.errors import BuildFailed, PublicationRefused, TanhuanError
from tanhuan.files import read_json, write_json
from tanhuan.gates.mart_gate import check_marts
from tanhuan.mutations.base import Base
from tanhuan.mutations.catalogue import MARTS, Kind
from tanhuan.mutations.compare import Answers, list_changed_figures, list_news, read_answers, read_checks, read_records
from tanhuan.mutations.corrupt import NoPlaceError, give_chance, send_clean, send_spoilt
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.changes import find_changes
from tanhuan.warehouse.load import load_lake

Result = Literal["refused", "flagged", "harmless", "silent", "MISSED", "error"]
#: not any suite's rules, so that a day counts as never judged
_OTHER_RULES = "other rules"
_SHOWN = 300


@dataclass(frozen=True)
class Trial:
    """What came of one kind at one seed: `gate` is the one that spoke, `by` its checks, `tables` what differs.

    `silent` is what neither gate nor figures were asked about further (`gate1` only).
    """

    kind: str
    table: str
    seed: int
    result: Result
    gate: int | None = None
    by: list[str] = field(default_factory=list)
    tables: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    seconds: float = 0.0

    def as_record(self) -> dict[str, Any]:
        """Return the trial for programs."""
        return asdict(self)


@dataclass
class Trials:
    """Tries kinds on a clean base, in copies of it under `scratch`."""

    base: Base
    scratch: Path
    #: whether to stop behind gate 1
    gate1_only: bool = False
    _clean: dict[tuple[str, str, tuple[str, ...]], Answers] = field(default_factory=dict)

    def try_kind(self, kind: Kind, seed: int) -> Trial:
        """Apply one kind at one seed; a kind that cannot be applied is an error, and so is a gate that breaks down."""
        started = time.monotonic()
        try:
            trial = self._try_marts(kind, seed) if kind.table == MARTS else self._try_batch(kind, seed)
        except NoPlaceError as failure:
            trial = Trial(kind.id, kind.table, seed, "error", by=[str(failure)])
        except (duckdb.Error, AssertionError, LookupError, ValueError) as failure:
            trial = Trial(kind.id, kind.table, seed, "error", by=[f"{type(failure).__name__}: {failure}"[:_SHOWN]])
        return replace(trial, seconds=round(time.monotonic() - started, 2))

    def _try_batch(self, kind: Kind, seed: int) -> Trial:
        with self.base.copy_without(kind.table, self.scratch) as own:
            spoilt = send_spoilt(kind, seed, self.base.loads[kind.table], self.base.night, own)
            answers = read_answers(admit_load(spoilt.load, own))
            clean = self._ask_clean(kind, answers.days)
            silent = Trial(kind.id, kind.table, seed, "silent", rows=spoilt.changed)
            news = list_news(answers, clean)
            if answers.refused:
                return replace(silent, result="refused", gate=1, by=news or [str(answers.reason)[:_SHOWN]])
            if answers.quarantined > clean.quarantined:
                return replace(silent, result="refused", gate=1, by=news)
            if news:
                return replace(silent, result="flagged", gate=1, by=news)
            return silent if self.gate1_only else self._ask_gate_2(silent, own)

    def _ask_clean(self, kind: Kind, days: tuple[str, ...]) -> Answers:
        """Return what gate 1 says of the clean rows of the same days, judged as if none of them were known."""
        wanted = (kind.table, kind.shown_as, days)
        if wanted not in self._clean:
            with self.base.copy_without(kind.table, self.scratch) as own:
                _forget_judgement(kind.table, days, own)
                load = send_clean(self.base.loads[kind.table], kind.shown_as, self.base.night, own)
                answers = read_answers(admit_load(load, own))
            self._clean[wanted] = _expect_clean(answers, f"gate 1, table {kind.table}, days {', '.join(days)}")
        return self._clean[wanted]

    def _ask_gate_2(self, trial: Trial, own: Settings) -> Trial:
        """Go on with what gate 1 let pass without a word: build, ask gate 2, look at the figures."""
        self.base.add_warehouse(own)
        try:
            load_lake(self.base.night, own)
            build(own)
        except BuildFailed as failure:
            return replace(trial, result="refused", gate=2, by=[f"build: {failure}"[:_SHOWN]])
        answers, news = self._judge_marts(own)
        if answers.refused or news:
            told = news or [str(answers.reason)]
            return replace(trial, result="refused" if answers.refused else "flagged", gate=2, by=told)
        changed = list_changed_figures(own, self.base.after)
        return replace(trial, result="MISSED" if changed else "harmless", tables=changed)

    def _try_marts(self, kind: Kind, seed: int) -> Trial:
        with self.base.copy_without(None, self.scratch) as own:
            self.base.add_warehouse(own, built=True)
            load_lake(self.base.night, own)
            with open_warehouse(own) as con:
                give_chance(con, seed, self.base.night)
                con.execute(kind.sql)
            changed = list_changed_figures(own, self.base.after)
            if not changed:
                raise NoPlaceError(f"kind {kind.id}, seed {seed}: no place found in the marts")
            answers, news = self._judge_marts(own)
        result: Result = "refused" if answers.refused else "flagged" if news else "MISSED"
        rows = sum(changed.values())
        return Trial(kind.id, kind.table, seed, result, 2, news, changed if result == "MISSED" else {}, rows)

    def _judge_marts(self, own: Settings) -> tuple[Answers, list[str]]:
        """Return what gate 2 says of a copy's marts, and which of its checks say more than of the clean ones."""
        answers = self._ask_marts(own)
        return answers, list_news(answers, self._clean_marts)

    @cached_property
    def _clean_marts(self) -> Answers:
        with self.base.copy_without(None, self.scratch) as own:
            self.base.add_warehouse(own, built=True)
            load_lake(self.base.night, own)
            return _expect_clean(self._ask_marts(own), f"gate 2, night {self.base.night}")

    def _ask_marts(self, own: Settings) -> Answers:
        # As in a night: the gate asks for the cause of every change.
        find_changes(own)
        try:
            return read_checks(check_marts(self.base.night, own))
        except PublicationRefused as refusal:
            event = next(e for e in ledger.read_last("gates", own) if e["gate"] == "mart")
            return replace(read_records(event["checks"]), refused=True, reason=str(refusal)[:_SHOWN])


def _expect_clean(answers: Answers, where: str) -> Answers:
    """Return the answers; beside a clean night that is refused every corruption would look as if it were noticed."""
    if answers.refused:
        raise TanhuanError(f"{where}: the clean night itself is refused: {answers.reason}", "mend that first.")
    return answers


def _forget_judgement(table: str, days: tuple[str, ...], own: Settings) -> None:
    for day in days:
        path = own.ledger / "days" / table / f"{day}.json"
        if path.exists():
            write_json(path, read_json(path) | {"suite": _OTHER_RULES})


@contextmanager
def open_trials(base: Base, gate1_only: bool) -> Iterator[Trials]:
    """Give a place to try kinds in, beside the base so that files can be linked; it is empty afterwards."""
    # Every trial would log a whole gate run; what follows the trials logs as before.
    log = logging.getLogger("tanhuan")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(dir=base.before.root.parent, prefix=".trial-") as scratch:
            yield Trials(base, Path(scratch), gate1_only)
    finally:
        log.setLevel(level)
