"""The clean base: an installation with clean nights, and the last of them once landed only and once gone all the way.

`before/` stands just ahead of gate 1 of the last night, `after/` behind its gate 2; neither is changed once made. A
corruption is tried in a copy that shares their files by hard links, which is safe since nothing in a home is edited in
place but the warehouse, and that is copied.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tanhuan import ledger
from tanhuan.admit import admit_load
from tanhuan.contracts import FEEDS, get_contract
from tanhuan.files import read_json, write_json
from tanhuan.gates.mart_gate import check_marts
from tanhuan.gates.suites import load_source_suite
from tanhuan.landing import Load, read_receipt
from tanhuan.mutations.catalogue import MARTS
from tanhuan.pull import land_feed
from tanhuan.services import start_standin
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build, hash_rules
from tanhuan.warehouse.changes import find_changes
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import publish

#: tells a person what is being done
Tell = Callable[[str], None]
_MARKER = "base.json"


@dataclass
class CleanNight:
    """What the gates said on one clean night: the refused loads, and every check that failed, by table."""

    night: str
    batches: int = 0
    refused: list[str] = field(default_factory=list)
    failing: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Base:
    """A clean base on disk: the last night's date, its landed load of each table and what the clean nights answered."""

    before: Settings
    after: Settings
    night: dt.date
    loads: dict[str, Load]
    nights: list[CleanNight]

    @contextmanager
    def copy_without(self, table: str | None, scratch: Path) -> Iterator[Settings]:
        """Give a copy in which the last night has been admitted, but for one table; for None the whole night."""
        home = scratch / f"home-{time.monotonic_ns()}"
        try:
            own = self.after.model_copy(update={"home": home})
            _link_tree(self.after.root, home, {table} if table else set(), self._first_day(table))
            if table:
                _forget_night(self, table, home)
                _renew_suite(table, self._first_day(table), own)
            yield own
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _first_day(self, table: str | None) -> str:
        """Return the first day that the night's load of a table may touch."""
        return self.loads[table].first if table else ""

    def add_warehouse(self, own: Settings, *, built: bool = False) -> None:
        """Give a copy the warehouse as it was before the last night (or `built`: after it), and what is published."""
        shutil.copyfile((self.after if built else self.before).warehouse, own.warehouse)
        shutil.copytree(self.before.root / "dbt", own.root / "dbt", dirs_exist_ok=True)
        if not own.published.exists() and self.before.published.exists():
            own.published.symlink_to(self.before.published)


def open_base(folder: Path, settings: Settings, night: dt.date, nights: int, tell: Tell, history: bool = True) -> Base:
    """Return the base in a folder; make it if there is none, build it anew if it is from other models."""
    marker = folder / _MARKER
    if not marker.exists():
        _make_base(folder, settings, night, nights, tell, history)
    elif read_json(marker)["models"] != hash_rules(settings.dbt_project):
        tell("重建 building anew with the models of now")
        _renew_models(folder, settings, night)
    told = read_json(marker)
    return Base(
        _settings_at(folder / "before", settings),
        _settings_at(folder / "after", settings),
        dt.date.fromisoformat(told["night"]),
        {table: Load(**load) for table, load in told["loads"].items()},
        [CleanNight(**answer) for answer in told["nights"]],
    )


def describe_base(installation: Settings, night: dt.date) -> Base:
    """Return an installation that has admitted and built its last night as a base; small, and good for a test."""
    loads = [Load(**{f.name: e[f.name] for f in fields(Load)}) for e in ledger.read_last("loads", installation)]
    of_night = [load for load in loads if load.key == night.isoformat() and load.kind == "night"]
    return Base(
        installation, installation, night, {load.table: _find_told(load, installation) for load in of_night}, []
    )


def _make_base(folder: Path, settings: Settings, night: dt.date, nights: int, tell: Tell, history: bool) -> None:
    """Live through the clean nights up to and including `night`, each with a stand-in that plays the day after it."""
    # Only what is ours: the folder is named by a person.
    for name in ("before", "after"):
        shutil.rmtree(folder / name, ignore_errors=True)
    before = _settings_at(folder / "before", settings).model_copy(update={"load_history": history})
    answers = []
    for key in (night - dt.timedelta(days=back) for back in range(nights - 1, 0, -1)):
        tell(f"净夜 clean night {key}")
        started = time.monotonic()
        answer = _judge_night(key, _land_night(key, before), before)
        publish(key, before)
        answer.seconds = round(time.monotonic() - started, 1)
        answers.append(answer)
    tell(f"净夜 clean night {night}")
    loads = _land_night(night, before)
    after = _settings_at(folder / "after", settings)
    _link_tree(before.root, after.root, None)
    for state in ("warehouse.duckdb", "dbt", "published"):
        _copy_state(before.root / state, after.root / state)
    answers.append(_judge_night(night, loads, after))
    newest = {load.table: _find_told(load, before) for load in loads if load.kind == "night"}
    write_json(
        folder / _MARKER,
        {
            "night": night.isoformat(),
            "models": hash_rules(settings.dbt_project),
            "loads": {table: asdict(load) for table, load in newest.items()},
            "nights": [asdict(answer) for answer in answers],
        },
    )


def _renew_models(folder: Path, settings: Settings, night: dt.date) -> None:
    for name, key in (("before", night - dt.timedelta(days=1)), ("after", night)):
        own = _settings_at(folder / name, settings)
        load_lake(key, own)
        build(own)
    told = read_json(folder / _MARKER)
    write_json(folder / _MARKER, told | {"models": hash_rules(settings.dbt_project)})


def _land_night(key: dt.date, own: Settings) -> list[Load]:
    login = {"upstream_user": "gates", "upstream_password": SecretStr(secrets.token_urlsafe(24))}
    reachable = own.model_copy(update=login)
    with start_standin(reachable, key + dt.timedelta(days=1)) as url:
        reachable = reachable.model_copy(update={"upstream_url": url})
        return [load for feed in FEEDS for load in land_feed(feed, key, reachable).check()]


def _judge_night(key: dt.date, loads: list[Load], own: Settings) -> CleanNight:
    """Take a landed night through both gates; nothing is raised for a refused batch, it is told."""
    answer = CleanNight(key.isoformat())
    for load in loads:
        outcome = admit_load(load, own)
        answer.batches += 1
        if outcome.state == "refused":
            answer.refused.append(f"{load.table} ({load.kind}): {outcome.reason}")
        answer.failing += [
            {"gate": 1, "table": load.table, "id": c.id, "action": c.action, "rows": c.failed_rows}
            for c in outcome.checks
            if not c.passed
        ]
    load_lake(key, own)
    build(own)
    find_changes(own)
    answer.failing += [
        {"gate": 2, "table": MARTS, "id": c.id, "action": c.action, "rows": c.failed_rows}
        for c in check_marts(key, own)
        if not c.passed
    ]
    return answer


def _find_told(load: Load, own: Settings) -> Load:
    """Return the load, or if the upstream only said that nothing has changed, the last one that brought rows."""
    if read_receipt(load, own)["payloads"]:
        return load
    for event in ledger.read_last("loads", own):
        if event["table"] == load.table and event["received"] and event["kind"] == "night":
            return Load(**{name: event[name] for name in asdict(load)})
    raise AssertionError(f"no night ever brought rows of {load.table}")


def _forget_night(base: Base, table: str, home: Path) -> None:
    """Undo one table's admission of the last night in a copy: the ledger decides what is there."""
    gone = set()
    for path in (home / "ledger" / "loads").glob(f"*-{table}.json"):
        if read_json(path)["key"] == base.night.isoformat():
            gone.add(path.stem)
            path.unlink()
            (home / "ledger" / "gates" / path.name).unlink(missing_ok=True)
    days = home / "ledger" / "days" / table
    shutil.rmtree(days, ignore_errors=True)
    days.mkdir(parents=True)
    first = base.loads[table].first
    for path in (base.before.ledger / "days" / table).glob("*.json"):
        if path.stem < first or read_json(path).get("load") not in gone:
            os.link(path, days / path.name)


def _renew_suite(table: str, first: str, own: Settings) -> None:
    """Let the days of a table count as judged by the rules of now: a base outlives a change of a suite."""
    digest = load_source_suite(get_contract(table), own).digest
    for path in (own.ledger / "days" / table).glob("*.json"):
        state = read_json(path) if path.stem >= first else {}
        if state.get("suite") not in (None, digest):
            write_json(path, state | {"suite": digest})


def _settings_at(home: Path, settings: Settings) -> Settings:
    return settings.model_copy(update={"home": home, "upstream_url": None, "forms": {}})


def _link_tree(source: Path, target: Path, own_tables: set[str] | None, first: str = "") -> None:
    """Copy the state of an installation but for warehouse and publication, by links.

    `own_tables`: those whose files will be added to from the day `first` on, all tables if None; everything else is
    shared by whole folders.
    """
    for zone in (Path("landing"), Path("lake"), Path("quarantine"), Path("ledger", "days")):
        (target / zone).mkdir(parents=True, exist_ok=True)
        for folder in (source / zone).glob("*"):
            if own_tables is None or folder.name in own_tables:
                _link_table(folder, target / zone / folder.name, f"dt={first}")
            else:
                (target / zone / folder.name).symlink_to(folder.resolve())
    for folder in (source / "ledger").iterdir():
        if folder.name != "days":
            shutil.copytree(folder, target / "ledger" / folder.name, copy_function=os.link)


def _link_table(source: Path, target: Path, first: str) -> None:
    """Copy one table's part of a zone by links; folders of days before `first` are shared."""
    target.mkdir()
    for path in source.iterdir():
        if path.is_dir() and path.name >= first:
            shutil.copytree(path, target / path.name, copy_function=os.link)
        elif path.is_dir():
            (target / path.name).symlink_to(path.resolve())
        else:
            os.link(path, target / path.name)


def _copy_state(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        shutil.copyfile(source, target)
