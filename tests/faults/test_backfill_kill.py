"""A backfill may die at any moment and is resumed: every day is in the lake once, and every row is accounted for."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan import ledger
from tanhuan.backfill import (
    COUNTS,
    BackfillRequest,
    list_open_chunks,
    new_request,
    plan_chunks,
    read_finished,
    read_state,
    record_request,
    run_chunk,
)
from tanhuan.contracts import get_contract, tables_of
from tanhuan.errors import UpstreamDown
from tanhuan.settings import Settings
from tests.conftest import Upstream, change_settings, settings_for
from tests.faults import processes

#: long: run by make test-all
pytestmark = pytest.mark.slow

TABLES = tables_of("monitoring")
REQUEST = new_request("monitoring", "2025-12-01", "2025-12-21", "a platform without its archive", "the test")
#: shares of the work after which it is killed; few in the fast set
MOMENTS = [0.3, 0.6, *(pytest.param(n / 10, marks=pytest.mark.slow) for n in (1, 2, 4, 5, 7, 8))]


def work(request: BackfillRequest, settings: Settings) -> None:
    """What Airflow has its tasks do, one after the other."""
    for chunk in list_open_chunks(record_request(request, settings), settings):
        run_chunk(chunk, settings)


def read_latest(settings: Settings) -> dict[str, tuple[Any, ...]]:
    """Count and hash, by table, the latest row of every key among what load records name."""
    found = {}
    for table in TABLES:
        contract = get_contract(table)
        row = duckdb.execute(
            f"""
            select count(*), count(distinct dt), bit_xor(md5_number(columns_of::varchar)) from (
                select dt, struct_pack({", ".join(f"{name} := {name}" for name in contract.names)}) as columns_of
                from read_parquet($files, hive_partitioning = true)
                qualify row_number() over (partition by dt, {", ".join(contract.key)} order by _load_id desc) = 1
            )
            """,
            {"files": [str(settings.root / file) for e in read_loads(settings, table) for file in e["files"].values()]},
        ).fetchone()
        assert row is not None
        found[table] = row
    return found


def read_loads(settings: Settings, table: str) -> list[dict[str, Any]]:
    return [event for event in ledger.read_last("loads", settings) if event["table"] == table]


def count_stored(settings: Settings) -> Counter[tuple[str, str]]:
    """Count how often each day of a table was stored."""
    return Counter((table, day) for table in TABLES for event in read_loads(settings, table) for day in event["files"])


@pytest.fixture(scope="module")
def undisturbed(standin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, float]:
    """The request carried out by a process that nobody killed, and the seconds that took the second time."""
    settings = settings_for(standin, tmp_path_factory.mktemp("undisturbed") / "home")
    processes.run(work, REQUEST, settings)
    warm = change_settings(settings, home=tmp_path_factory.mktemp("timed") / "home")
    return settings, processes.run(work, REQUEST, warm)


@pytest.mark.parametrize("share", MOMENTS)
def test_a_killed_backfill_goes_on_where_it_was_and_loses_and_doubles_nothing(
    share: float, undisturbed: tuple[Settings, float], settings: Settings
) -> None:
    reference, seconds = undisturbed
    moment = share * seconds
    while not processes.kill(work, REQUEST, settings, after_s=moment):
        shutil.rmtree(settings.root)
        moment /= 2
    before = read_finished(plan_chunks(REQUEST), settings)
    assert len(before) < 3, "it was cut short"

    processes.run(work, REQUEST, settings)
    state, whole = read_state(REQUEST, settings), read_state(REQUEST, reference)
    assert state.is_finished
    assert state.counts["received"] == whole.counts["received"] > 0
    for name, record in (after := read_finished(plan_chunks(REQUEST), settings)).items():
        assert record["received"] == record["admitted"] + record["quarantined"] + record["unchanged"], name
        assert len(record["loads"]) == len(TABLES), name
    assert {name: after[name] for name in before} == before, "what was finished was not done again"
    assert read_latest(settings) == read_latest(reference)
    doubled = {table for (table, _), times in count_stored(settings).items() if times > 1}
    assert len(doubled) <= 1, "only what was being recorded at the moment of death may be stored again"
    assert not settings.warehouse.exists(), "nobody but the refresh touches what readers see"
    assert not settings.published.exists()


def test_a_chunk_that_died_before_its_record_is_done_again_and_comes_out_unchanged(
    undisturbed: tuple[Settings, float], tmp_path: Path
) -> None:
    reference, _ = undisturbed
    own = change_settings(reference, home=shutil.copytree(reference.root, tmp_path / "home"))
    chunk = plan_chunks(REQUEST)[1]
    admitted = read_finished([chunk], own)[chunk.name]["admitted"]
    (own.ledger / "backfill_chunks" / f"{chunk.name}.json").unlink()
    stored = count_stored(own)
    assert list_open_chunks(REQUEST, own) == [chunk]
    again = run_chunk(chunk, own)
    assert {name: again[name] for name in COUNTS if again[name]} == {"received": admitted, "unchanged": admitted}
    assert count_stored(own) == stored


def test_a_table_that_does_not_come_leaves_the_chunk_open_and_the_others_in_the_lake(
    settings: Settings, upstream: Upstream
) -> None:
    request = record_request(new_request("monitoring", "2025-12-01", "2025-12-02", "a gap", "the test"), settings)
    (chunk,) = plan_chunks(request)
    upstream.misbehave({"table": "source_hour", "kind": "status", "status": 503})
    with pytest.raises(UpstreamDown, match=r"(?s)source_hour.*Next step"):
        run_chunk(chunk, settings)
    assert list_open_chunks(request, settings) == [chunk]
    assert {e["table"] for e in ledger.read_last("loads", settings)} == set(TABLES) - {"source_hour"}
    upstream.behave()
    record = run_chunk(chunk, settings)
    assert min(record["admitted"], record["unchanged"]) > 0
    assert set(count_stored(settings).values()) == {1}
    assert list_open_chunks(request, settings) == []
