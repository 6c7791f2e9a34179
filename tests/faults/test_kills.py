"""A process may die at any moment: what was whole stays whole, and the same step again ends as if nothing had been."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan import ledger
from tanhuan.admit import admit_loads
from tanhuan.contracts import FEEDS, load_contracts
from tanhuan.duck import open_published, open_warehouse
from tanhuan.landing import Load
from tanhuan.pull import land_feed
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import publish
from tests.conftest import NIGHTS, Upstream, copy_installation, settings_for
from tests.faults import processes

#: long: run by make test-all
pytestmark = pytest.mark.slow

KEY = NIGHTS[-1]
#: a full build takes no less
BUILD_S = 4.0
TABLES = list(load_contracts())
#: kills in the fast set, and in all
QUICK = [pytest.param(n, id=f"moment-{n}") for n in range(2)]
MOMENTS = [*QUICK, *(pytest.param(n, id=f"moment-{n}", marks=pytest.mark.slow) for n in range(2, 8))]


def choose_moment(seconds: float, number: int) -> float:
    """A moment within a step's usual length; the number decides which."""
    return random.Random(number).uniform(0.02, 0.9) * seconds


@pytest.fixture(scope="module")
def landed(standin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[Load]]:
    """A night in landing, nothing of it admitted."""
    settings = settings_for(standin, tmp_path_factory.mktemp("landed") / "home")
    return settings, [load for feed in FEEDS for load in land_feed(feed, KEY, settings).check()]


@pytest.fixture(scope="module")
def undisturbed(
    landed: tuple[Settings, list[Load]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, float]:
    """The same night, admitted by a process that nobody killed; and the seconds that took."""
    settings, loads = landed
    own = copy_installation(settings, tmp_path_factory.mktemp("undisturbed") / "home")
    seconds = processes.run(processes.admit, loads, own)
    load_lake(KEY, own)
    return own, seconds


def read_staging(settings: Settings, built: Settings) -> dict[str, tuple[Any, ...]]:
    """Count and hash what the staging models, as dbt compiled them for `built`, make of every table."""
    found: dict[str, tuple[Any, ...]] = {}
    with open_warehouse(settings, read_only=True) as con:
        for table, contract in load_contracts().items():
            model = f"models/staging/{contract.feed}/stg_{contract.feed}__{table}.sql"
            sql = (built.root / "dbt" / "compiled" / "tanhuan" / model).read_text("utf-8")
            rows = con.execute(f"select count(*), bit_xor(md5_number(t::varchar)) from ({sql}) as t").fetchone()
            key = ", ".join(contract.key)
            assert con.execute(f"from ({sql}) select {key} group by all having count(*) > 1").fetchall() == [], table
            assert rows is not None
            found[table] = rows
    return found


def check_that_what_is_recorded_is_whole(settings: Settings) -> Counter[str]:
    """Every file that a load record names is there and readable to its last row; return rows by table."""
    rows: Counter[str] = Counter()
    for event in ledger.read_last("loads", settings):
        for name in event["files"].values():
            found = duckdb.execute(
                "select count(*), count(_load_id) from read_parquet($1)", [str(settings.root / name)]
            )
            count, ids = found.fetchone() or (0, 0)
            assert count == ids > 0, name
            rows[event["table"]] += count
    return rows


@pytest.mark.parametrize("number", MOMENTS)
def test_a_killed_admission_leaves_nothing_half_admitted_and_the_night_can_be_taken_in_again(
    number: int,
    landed: tuple[Settings, list[Load]],
    undisturbed: tuple[Settings, float],
    two_nights: Settings,
    upstream: Upstream,
    tmp_path: Path,
) -> None:
    settings, loads = landed
    reference, seconds = undisturbed
    own = copy_installation(settings, tmp_path / "home")
    order = random.Random(number).sample(loads, len(loads))
    assert processes.kill(processes.admit, order, own, after_s=choose_moment(seconds, number)), "it was cut short"
    check_that_what_is_recorded_is_whole(own)
    assert len(ledger.list_names("loads", own)) < len(loads), "it was cut short"

    for feed in FEEDS:
        admit_loads(land_feed(feed, KEY, own).check(), own)
    check_that_what_is_recorded_is_whole(own)
    load_lake(KEY, own)
    assert read_staging(own, two_nights) == read_staging(reference, two_nights)
    with open_warehouse(own, read_only=True) as con:
        states = con.execute("select distinct state from ops.ops_load").fetchall()
    assert {s for (s,) in states} <= {"admitted", "unchanged"}


def test_an_interrupted_admission_is_invisible(landed: tuple[Settings, list[Load]], tmp_path: Path) -> None:
    """Lake files appear before their record; a death between the two leaves files that are not there for anyone."""
    settings, loads = landed
    own = copy_installation(settings, tmp_path / "home")
    load = next(x for x in loads if x.table == "air_hour")
    admit_loads([load], own)
    (own.ledger / "loads" / f"{load.load_id}.json").unlink()
    shutil.rmtree(own.ledger / "days")
    assert load_lake(KEY, own) == {}
    (again,) = admit_loads([load], own)
    assert again.state == "admitted"
    assert load_lake(KEY, own) == {"air_hour": again.admitted}


@pytest.fixture(scope="module")
def rows_of_the_lake(two_nights: Settings) -> Counter[str]:
    return check_that_what_is_recorded_is_whole(two_nights)


@pytest.mark.parametrize("number", MOMENTS)
def test_a_killed_load_is_made_good_by_the_next(
    number: int, two_nights: Settings, rows_of_the_lake: Counter[str], tmp_path: Path
) -> None:
    own = copy_installation(two_nights, tmp_path / "home")
    own.warehouse.unlink()
    moment = choose_moment(processes.run(processes.load, KEY, copy_installation(own, tmp_path / "timed")), number)
    while not processes.kill(processes.load, KEY, own, after_s=moment):
        own.warehouse.unlink()
        moment /= 2
    load_lake(KEY, own)
    with open_warehouse(own, read_only=True) as con:
        found = {t: (con.execute(f"select count(*) from raw.{t}").fetchone() or (0,))[0] for t in TABLES}
        loaded = con.execute("select count(*), count(distinct load_id) from raw.loaded").fetchone()
        days = con.execute("select count(distinct business_date) from raw.changed_day where table_name = 'air_hour'")
        assert days.fetchone() == (14,), "two windows of seven days wait for the build"
    assert found == rows_of_the_lake
    assert loaded is not None
    assert loaded[0] == loaded[1] == len(ledger.list_names("loads", own))


@pytest.fixture
def published_once(two_nights: Settings, tmp_path: Path) -> tuple[Settings, str]:
    own = copy_installation(two_nights, tmp_path / "home")
    return own, publish(KEY, own).content_hash


def ask(settings: Settings) -> tuple[Any, ...]:
    """Ask the current publication what an analyst would ask first."""
    with open_published(settings) as con:
        found = con.execute("select count(*), count(status), max(as_of_date) from ind_plan_indicator").fetchone()
    assert found is not None
    return found


def kill_publications(settings: Settings, numbers: range) -> int:
    """Kill one publication after the other, each at another moment; readers are asked after each."""
    seconds = processes.run(processes.publish_marts, KEY, settings)
    answer = ask(settings)
    killed = 0
    for number in numbers:
        # The moments are spread evenly: the switch itself lasts some milliseconds only.
        share = (number + random.Random(number).random()) / len(numbers)
        killed += processes.kill(processes.publish_marts, KEY, settings, after_s=share * seconds)
        assert ask(settings) == answer
        link = settings.published / "current"
        assert (settings.published / link.readlink() / "manifest.json").exists()
    return killed


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_readers_never_notice_a_killed_publication(published_once: tuple[Settings, str], kills: int) -> None:
    settings, content = published_once
    assert kill_publications(settings, range(kills)) > 0
    publication = publish(KEY, settings)
    assert publication.content_hash == content
    assert str((settings.published / "current").readlink()) == publication.version
    assert not list(settings.published.glob(".building-*"))
    assert ask(settings)[0] > 0


def test_a_version_that_died_before_its_switch_is_only_another_directory(published_once: tuple[Settings, str]) -> None:
    """Between the directory's last name and the link's switch: the new version is whole, and nobody reads it yet."""
    settings, content = published_once
    current = settings.published / "current"
    orphan = settings.published / "2025-12-31_20260101T013000"
    shutil.copytree(settings.published / current.readlink(), orphan)
    before = current.readlink()
    assert ask(settings)
    assert current.readlink() == before
    assert publish(KEY, settings).content_hash == content


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_a_killed_build_is_made_good_by_the_next(number: int, published_once: tuple[Settings, str]) -> None:
    settings, content = published_once
    with open_warehouse(settings) as con:
        con.execute("update raw.build set rules_digest = 'of earlier rules'")
    assert processes.kill(processes.build_marts, settings, after_s=choose_moment(BUILD_S, number)), "it was cut short"
    build(settings)
    assert publish(KEY, settings).content_hash == content
