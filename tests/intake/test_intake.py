"""From the upstream into the lake: what enters, what does not, and what the sentence says. Over real HTTP."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from tanhuan import ledger
from tanhuan.admit import Outcome, admit_loads
from tanhuan.contracts import FEEDS, get_contract, load_contracts, tables_of
from tanhuan.errors import BatchRefused, ShortAnswer, TanhuanError, UpstreamDown, UpstreamRefused
from tanhuan.pull import land_feed
from tanhuan.settings import Settings
from tests.conftest import Upstream, land_table

NIGHT = dt.date(2019, 11, 20)


def take_in(feed: str, settings: Settings, key: dt.date = NIGHT) -> list[Outcome]:
    return admit_loads(land_feed(feed, key, settings).check(), settings)


def take_in_table(table: str, settings: Settings) -> Outcome:
    (outcome,) = admit_loads(land_table(table, NIGHT, settings), settings)
    return outcome


def count_rows(folder: Path, table: str) -> int:
    files = [str(p) for p in (folder / table).rglob("*.parquet")]
    if not files:
        return 0
    found = duckdb.execute("select count(*) from read_parquet($files)", {"files": files}).fetchone()
    assert found is not None
    return int(found[0])


def test_a_clean_night_enters_the_lake_whole(settings: Settings) -> None:
    outcomes = [outcome for feed in FEEDS for outcome in take_in(feed, settings)]
    assert {o.load.table for o in outcomes} == set(load_contracts())
    assert {o.state for o in outcomes} == {"admitted"}
    for outcome in outcomes:
        assert outcome.admitted == outcome.received > 0
        assert count_rows(settings.lake, outcome.load.table) == outcome.received, "no row of a clean night may be lost"
    assert not settings.quarantine.exists()


def test_real_air_hours_say_measured_and_generated_ones_synthetic(settings: Settings) -> None:
    take_in("monitoring", settings)
    basis = {
        table: duckdb.execute(
            "select list(distinct data_basis) from read_parquet($files)",
            {"files": [str(p) for p in (settings.lake / table).rglob("*.parquet")]},
        ).fetchone()
        for table in ("air_hour", "micro_air_hour", "source_hour")
    }
    assert basis == {"air_hour": (["measured"],), "micro_air_hour": (["synthetic"],), "source_hour": (["synthetic"],)}


def test_an_unchanged_pull_is_noted_and_not_stored_again(settings: Settings) -> None:
    take_in("permits", settings)
    before = sorted(settings.lake.rglob("*.parquet"))
    outcomes = take_in("permits", settings, NIGHT + dt.timedelta(days=1))
    assert {o.state for o in outcomes} == {"unchanged"}
    assert sorted(settings.lake.rglob("*.parquet")) == before
    assert Counter(e["state"] for e in ledger.read_last("loads", settings)) == dict.fromkeys(
        ("admitted", "unchanged"), len(tables_of("permits"))
    )


def test_only_the_changed_day_of_a_window_is_stored_again(settings: Settings) -> None:
    take_in("monitoring", settings)
    outcomes = {o.load.table: o for o in take_in("monitoring", settings, NIGHT + dt.timedelta(days=1))}
    assert list(outcomes["source_hour"].files) == [str(NIGHT + dt.timedelta(days=1))]


def test_rows_carry_where_they_came_from(settings: Settings) -> None:
    take_in("credit", settings)
    files = [str(p) for p in (settings.lake / "penalty").rglob("*.parquet")]
    query = "select _load_id, _source_file from read_parquet($files) limit 1"
    found = duckdb.execute(query, {"files": files}).fetchone()
    assert found is not None
    load = next(e for e in ledger.read_last("loads", settings) if e["table"] == "penalty")
    assert found[0] == load["load_id"]
    payload = settings.landing / "penalty" / f"dt={NIGHT}" / found[0] / found[1]
    assert payload.exists()


def test_single_bad_rows_go_to_quarantine_and_the_rest_enters(settings: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"table": "source_hour", "kind": "bad_rows", "share": 0.01, "column": "avg_value"})
    outcome = take_in_table("source_hour", settings)
    assert outcome.state == "admitted"
    assert outcome.quarantined > 0
    assert count_rows(settings.quarantine, "source_hour") == outcome.quarantined
    assert count_rows(settings.lake, "source_hour") == outcome.admitted
    assert outcome.admitted + outcome.quarantined == outcome.received, "every row is accounted for"
    files = [str(p) for p in settings.quarantine.rglob("*.parquet")]
    rows = duckdb.execute("select reason_ids, row_json, state from read_parquet($files)", {"files": files}).fetchall()
    assert all(reasons and '"factor_code"' in row and state == "held" for reasons, row, state in rows)


@pytest.mark.parametrize(
    ("feed", "table", "column"),
    [
        ("monitoring", "air_hour", "pm25_ug_m3"),
        ("monitoring", "source_hour", "avg_value"),
        ("permits", "permit_limit", "limit_value"),
        ("returns", "emission_base", "base_t"),
    ],
)
def test_a_renamed_column_refuses_the_batch(
    settings: Settings, upstream: Upstream, feed: str, table: str, column: str
) -> None:
    upstream.misbehave({"table": table, "kind": "rename_column", "column": column, "to": f"{column}_new"})
    with pytest.raises(BatchRefused, match=rf"(?s)feed {feed}.*table {table}.*{column}.*renamed.*Next step") as refusal:
        take_in(feed, settings)
    assert not refusal.value.retryable
    assert count_rows(settings.lake, table) == 0
    assert count_rows(settings.quarantine, table) > 0, "what came is kept for a person to look at"
    others = {get_contract(t).table for t in load_contracts() if get_contract(t).feed == feed} - {table}
    assert all(count_rows(settings.lake, t) > 0 for t in others), "the feed's other tables enter"


_SCALED = [
    ("monitoring", table, column)
    for table in ("air_hour", "source_hour", "micro_air_hour")
    for column in get_contract(table).names
    if any(column.endswith(unit) for unit in ("_ug_m3", "_mg_m3", "avg_value", "total_value"))
] + [("permits", "permit_limit", "limit_value"), ("returns", "emission_base", "base_t")]


@pytest.mark.parametrize(("feed", "table", "column"), _SCALED, ids=lambda v: str(v))
@pytest.mark.parametrize("factor", [1000, pytest.param(0.001, marks=pytest.mark.slow)])
def test_a_unit_changed_by_1000_refuses_the_batch(
    settings: Settings, upstream: Upstream, feed: str, table: str, column: str, factor: float
) -> None:
    upstream.misbehave({"table": table, "kind": "scale_column", "column": column, "factor": factor})
    with pytest.raises(BatchRefused, match=rf"(?s)feed {feed}.*table {table}.*Next step"):
        take_in_table(table, settings)
    assert count_rows(settings.lake, table) == 0


def test_a_page_short_of_the_stated_count_is_a_failure(settings: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"table": "permit", "kind": "short_page"})
    with pytest.raises(ShortAnswer, match=r"feed permits, table permit.*states \d+ rows but sent \d+.*Next step"):
        land_feed("permits", NIGHT, settings).check()


def test_a_lying_count_is_a_failure(settings: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"table": "penalty", "kind": "lying_count"})
    with pytest.raises(ShortAnswer, match="feed credit, table penalty"):
        land_feed("credit", NIGHT, settings).check()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 429},
        {"kind": "cut_body"},
        {"kind": "stall", "seconds": 3},
    ],
    ids=lambda f: "-".join(str(v) for v in f.values()),
)
def test_a_sick_upstream_may_be_tried_again_and_names_the_table(
    settings: Settings, upstream: Upstream, fault: dict[str, Any]
) -> None:
    impatient = settings.model_copy(update={"request_timeout_s": 1.0, "request_retries": 0})
    upstream.misbehave({"table": "blacklist", **fault})
    with pytest.raises(UpstreamDown, match=r"feed credit, table blacklist.*Next step") as failure:
        land_feed("credit", NIGHT, impatient).check()
    assert failure.value.retryable
    assert (settings.landing / "penalty").exists(), "the feed's other tables are still pulled"


def test_a_passing_fault_is_mended_by_the_clients_own_retry(settings: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"table": "blacklist", "kind": "status", "status": 503, "times": 1})
    assert {o.state for o in take_in("credit", settings)} == {"admitted"}


def test_a_dead_upstream_says_so(settings: Settings) -> None:
    dead = settings.model_copy(update={"upstream_url": "http://127.0.0.1:9", "request_retries": 0})
    with pytest.raises(UpstreamDown, match=r"feed monitoring, table air_hour.*no answer.*published version stays"):
        land_feed("monitoring", NIGHT, dead).check()


def test_a_wrong_password_is_not_tried_again(settings: Settings) -> None:
    locked_out = settings.model_copy(update={"upstream_password": SecretStr("wrong")})
    with pytest.raises(UpstreamRefused, match="TANHUAN_UPSTREAM_PASSWORD") as failure:
        land_feed("credit", NIGHT, locked_out).check()
    assert not failure.value.retryable


def test_no_upstream_at_all_names_the_settings(home: Settings) -> None:
    with pytest.raises(TanhuanError, match="TANHUAN_UPSTREAM_URL"):
        land_feed("credit", NIGHT, home).check()


def test_no_secret_reaches_the_disk(settings: Settings, upstream: Upstream) -> None:
    take_in("credit", settings)
    for path in settings.root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert upstream.password.encode() not in content, path
            assert not re.search(rb"Bearer|token", content), path
