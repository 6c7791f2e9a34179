"""What the gates answered in the last nights, read from the ledger and merged by table and check.

Belongs here: finding the events of a night and putting them together. Does not belong here: how they look (`page.py`).
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from tanhuan import ledger
from tanhuan.contracts import FEEDS, load_contracts, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.gates.results import GRAVITY, SAMPLES, CheckResult
from tanhuan.gates.suites import load_mart_suites, load_source_suite
from tanhuan.settings import Settings

#: what is read of the ledger
_KINDS = ("loads", "gates", "acts")
#: nights that are shown
NIGHTS = 14
#: however old the nights are: not more events than this are looked at
_EVENTS_AT_MOST = 20_000
#: loads of a person, each of which stands for itself and none of which is the night's own
_BY_HAND = ("file", "release")
#: gravest first
STATES = ("refused", "rows_refused", "flagged", "missing", "passed", "unchanged")
_OBSERVED_SHOWN = 3


@dataclass(frozen=True)
class LoadAnswer:
    """A load in a night: its id, why it was made, what became of it, and where its payload lies under TANHUAN_HOME."""

    load_id: str
    kind: str
    state: str
    received: int
    quarantined: int
    reason: str | None
    folder: str


@dataclass(frozen=True)
class ActAnswer:
    """What a person did with refused rows of a load since."""

    load_id: str
    act: str
    rows: int
    who: str
    why: str
    recorded_at: str


@dataclass(frozen=True)
class CheckAnswer(CheckResult):
    """A check in a night, over all loads of its table; `loads` are those in which it failed."""

    loads: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TableAnswer:
    """A table at one gate in a night. `replaced` are refused loads in whose stead another one came later that night."""

    gate: str
    table: str
    loads: list[LoadAnswer] = field(default_factory=list)
    replaced: list[LoadAnswer] = field(default_factory=list)
    checks: list[CheckAnswer] = field(default_factory=list)
    acts: list[ActAnswer] = field(default_factory=list)

    @cached_property
    def failing(self) -> list[CheckAnswer]:
        """The checks that did not pass, gravest first."""
        return sorted((c for c in self.checks if not c.passed), key=lambda c: (GRAVITY.index(c.action), c.id))

    @cached_property
    def passing(self) -> list[CheckAnswer]:
        """The checks that passed."""
        return [c for c in self.checks if c.passed]

    @property
    def received(self) -> int:
        """Rows received."""
        return sum(load.received for load in self.loads)

    @property
    def quarantined(self) -> int:
        """Rows kept out."""
        return sum(load.quarantined for load in self.loads)

    @property
    def refused_loads(self) -> list[LoadAnswer]:
        """Loads that hold refused rows, whole batches first."""
        held = [load for load in self.loads if load.state == "refused" or load.quarantined]
        return sorted(held, key=lambda load: load.state != "refused")

    @cached_property
    def state(self) -> str:
        """One of STATES. What a person brought and was refused is no refused batch: the night went on without."""
        if self.gate == "mart":
            grave = any(c.action == "refuse_batch" for c in self.failing)
            return "refused" if grave else "flagged" if self.failing else "passed"
        if not self.loads:
            return "missing"
        if any(load.state == "refused" and load.kind not in _BY_HAND for load in self.loads):
            return "refused"
        if self.refused_loads:
            return "rows_refused"
        if self.failing:
            return "flagged"
        return "passed" if self.checks or any(load.state == "admitted" for load in self.loads) else "unchanged"


@dataclass(frozen=True)
class NightAnswer:
    """All tables of a night, by feed and then gate 2; `gate_2` says whether that passed, None if it did not run."""

    key: str
    tables: list[TableAnswer]
    gate_2: bool | None

    def at(self, gate: str) -> list[TableAnswer]:
        """Return the tables at one gate."""
        return [t for t in self.tables if t.gate == gate]

    def count(self, gate: str) -> dict[str, int]:
        """Return how many tables of a gate are in each state."""
        states = [t.state for t in self.at(gate)]
        return {state: states.count(state) for state in STATES}

    def as_record(self) -> dict[str, Any]:
        """Return the night for programs."""
        counts = {"source": self.count("source"), "mart": self.count("mart")}
        return {
            "night": self.key,
            "gate_2_passed": self.gate_2,
            "counts": counts,
            "tables": [{"state": t.state, **asdict(t)} for t in self.tables],
        }


def read_nights(settings: Settings) -> list[NightAnswer]:
    """Return the last nights, newest first."""
    loads, gates, acts = (_read_newest(kind, settings) for kind in _KINDS)
    keys = sorted(loads.keys() | gates.keys(), reverse=True)[:NIGHTS]
    meanings = _read_meanings(settings)
    return [_put_together(key, [found.get(key, []) for found in (loads, gates, acts)], meanings) for key in keys]


def read_night(key: dt.date | None, settings: Settings) -> NightAnswer:
    """Return one night, the newest if none is named.

    Raises:
        TanhuanError: no gate has answered anything in that night.
    """
    if key is None:
        nights = read_nights(settings)
        if not nights:
            raise TanhuanError("No gate has answered anything yet.", "run `make night`.")
        return nights[0]
    night = key.isoformat()
    events = [[e for e in _read_since(kind, lambda: night, settings) if e["key"] == night] for kind in _KINDS]
    if not any(events):
        raise TanhuanError(f"No gate has answered anything for {night}.", f"run `make night DATE={night}`.")
    return _put_together(night, events, _read_meanings(settings))


def _read_newest(kind: str, settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Return the events of the newest nights, by night; in each the newest event first."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def oldest_wanted() -> str:
        return sorted(found, reverse=True)[NIGHTS - 1] if len(found) >= NIGHTS else ""

    for event in _read_since(kind, oldest_wanted, settings):
        found[event["key"]].append(event)
    return found


def _read_since(kind: str, oldest_wanted: Callable[[], str], settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield events, newest first, as long as one can still belong to a wanted night.

    A night's events are recorded after it, and their names begin with the moment: what was recorded before a night
    is of earlier ones. So the ledger may be of any age.
    """
    for name in itertools.islice(reversed(ledger.list_names(kind, settings)), _EVENTS_AT_MOST):
        if f"{name[:4]}-{name[4:6]}-{name[6:8]}" < oldest_wanted():
            return
        yield ledger.read(kind, name, settings)


def _read_meanings(settings: Settings) -> dict[str, tuple[str, str, str]]:
    """Return what every check means and its clause: the ledger tells it of failing ones only."""
    suites = [load_source_suite(contract, settings) for contract in load_contracts().values()]
    return {c.id: (c.zh, c.en, c.source) for suite in [*suites, *load_mart_suites(settings)] for c in suite.checks}


def _put_together(
    key: str, events: list[list[dict[str, Any]]], meanings: dict[str, tuple[str, str, str]]
) -> NightAnswer:
    """Merge a night's events of each kind, which come newest first."""
    loads, gates, acts = events
    answers = {event["subject"]: event for event in reversed(gates) if event["gate"] == "source"}
    by_table, acted = _group(loads, "table"), _group(acts, "table")
    known = [table for feed in FEEDS for table in tables_of(feed)]
    tables = [
        _merge_loads(table, by_table.get(table, []), answers, meanings, acted.get(table, []))
        for table in [*known, *sorted(by_table.keys() - set(known))]
    ]
    marts = [event for event in gates if event["gate"] != "source"][:1]
    for event in marts:
        checks = _group([{"table": event["table"], **c} for c in event["checks"]], "table")
        tables += [
            TableAnswer("mart", table, checks=_merge_checks([(event, found)], meanings))
            for table, found in sorted(checks.items())
        ]
    return NightAnswer(key, tables, marts[0]["passed"] if marts else None)


def _merge_loads(
    table: str,
    events: list[dict[str, Any]],
    answers: dict[str, dict[str, Any]],
    meanings: dict[str, tuple[str, str, str]],
    acts: list[dict[str, Any]],
) -> TableAnswer:
    """Merge the loads of a table: the newest of each period stands, a dropped file always does."""
    standing: dict[tuple[str, ...], dict[str, Any]] = {}
    replaced = []
    for event in events:
        own = event["load_id"] if event["kind"] in _BY_HAND else ""
        period = (event["kind"], str(event.get("first")), str(event.get("last")), own)
        if period not in standing:
            standing[period] = event
        elif event["state"] == "refused":
            replaced.append(event)
    judged = [answers[e["load_id"]] for e in standing.values() if e["load_id"] in answers]
    return TableAnswer(
        "source",
        table,
        [_read_load(event) for event in standing.values()],
        [_read_load(event) for event in replaced],
        _merge_checks([(event, event["checks"]) for event in judged], meanings),
        [ActAnswer(**{f.name: act[f.name] for f in fields(ActAnswer)}) for act in reversed(acts)],
    )


def _read_load(event: dict[str, Any]) -> LoadAnswer:
    return LoadAnswer(
        event["load_id"],
        event["kind"],
        event["state"],
        event.get("received", event.get("rows", 0)),
        event.get("quarantined", event.get("refused", 0)),
        event["reason"],
        f"landing/{event['table']}/dt={event['key']}/{event['load_id']}",
    )


def _merge_checks(
    runs: list[tuple[dict[str, Any], list[dict[str, Any]]]], meanings: dict[str, tuple[str, str, str]]
) -> list[CheckAnswer]:
    """Merge the answers of several runs by check, in the order of the first run that has it."""
    by_id: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = defaultdict(list)
    for event, checks in runs:
        for check in checks:
            by_id[check["id"]].append((event, check))
    return [_merge_check(asked, meanings) for asked in by_id.values()]


def _merge_check(
    asked: list[tuple[dict[str, Any], dict[str, Any]]], meanings: dict[str, tuple[str, str, str]]
) -> CheckAnswer:
    failed = [(event, check) for event, check in asked if not check["passed"]]
    first = failed[0][1] if failed else asked[0][1]
    zh, en, source = (first["zh"], first["en"], first["source"]) if failed else meanings.get(first["id"], ("", "", ""))
    return CheckAnswer(
        id=first["id"],
        level=first["level"],
        severity=first["severity"],
        action=first["action"],
        passed=not failed,
        failed_rows=_add(check["failed_rows"] for _, check in failed or asked),
        failed_share=_find_share(asked),
        observed=_join(check["observed"] for _, check in failed),
        samples=[sample for _, check in failed for sample in check["samples"]][:SAMPLES],
        columns=first.get("columns", []),
        zh=zh,
        en=en,
        source=source,
        loads=[event["subject"] for event, _ in failed],
    )


def _find_share(asked: list[tuple[dict[str, Any], dict[str, Any]]]) -> float | None:
    """Return the share as it was told of one run; over several, of all rows that were received."""
    if len(asked) == 1:
        return asked[0][1]["failed_share"]
    rows, judged = _add(check["failed_rows"] for _, check in asked), sum(event.get("rows", 0) for event, _ in asked)
    return round(rows / judged, 6) if rows is not None and judged else None


def _add(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _join(observed: Iterable[str | None]) -> str | None:
    told = list(dict.fromkeys(text for text in observed if text))
    more = f" … (+{len(told) - _OBSERVED_SHOWN})" if len(told) > _OBSERVED_SHOWN else ""
    return "; ".join(told[:_OBSERVED_SHOWN]) + more if told else None


def _group(events: Iterable[dict[str, Any]], name: str) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        groups[event[name]].append(event)
    return groups
