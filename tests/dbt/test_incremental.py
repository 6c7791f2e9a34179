"""Same input, same output: nights one after the other publish what a rebuild from the same lake publishes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rich.console import Console

from tanhuan.admit import admit_loads
from tanhuan.duck import open_warehouse
from tanhuan.files import read_json
from tanhuan.pull import land_feed
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import publish
from tanhuan.warehouse.rebuild import rebuild_warehouse
from tests.conftest import NIGHTS, Upstream

NEXT = NIGHTS[-1] + dt.timedelta(days=1)
FEEDS = ("monitoring", "returns")
#: a value a little off, as after a late correction; small enough to pass every check of values
RESTATEMENTS = (
    {"table": "source_hour", "kind": "scale_column", "column": "avg_value", "factor": 1.0001},
    {"table": "air_hour", "kind": "scale_column", "column": "pm25_24h_ug_m3", "factor": 1.02},
    {"table": "air_hour", "kind": "scale_column", "column": "pm25_ug_m3", "factor": 1.02},
    {"table": "emission_base", "kind": "scale_column", "column": "base_t", "factor": 1.01},
)


def take_in(key: dt.date, settings: Settings) -> None:
    for feed in FEEDS:
        admit_loads(land_feed(feed, key, settings).check(), settings)
    load_lake(key, settings)
    build(settings)


def count_by_day(settings: Settings) -> list[tuple[Any, ...]]:
    with open_warehouse(settings, read_only=True) as con:
        return con.execute("select business_date, count(*) from fct_source_day group by 1 order by 1").fetchall()


def test_incremental_nights_equal_a_rebuild_even_after_days_were_restated(
    own_copy: Settings, upstream: Upstream
) -> None:
    days = count_by_day(own_copy)
    upstream.misbehave(*RESTATEMENTS)
    take_in(NEXT, own_copy)
    restated = publish(NEXT, own_copy)
    assert count_by_day(own_copy)[: len(days)] == days, "the night was incremental: days of 2019 are still there"

    upstream.behave()
    take_in(NEXT, own_copy)
    corrected = publish(NEXT, own_copy)
    changed = changed_tables(own_copy, restated.version, corrected.version)
    assert {"fct_source_day", "fct_air_station_day", "fct_air_city_day", "mart_reduction_cod"} <= changed

    rebuilt = rebuild_warehouse(own_copy, Console(quiet=True))
    assert changed_tables(own_copy, corrected.version, rebuilt.version) == set()
    assert rebuilt.content_hash == corrected.content_hash


def changed_tables(settings: Settings, before: str, after: str) -> set[str]:
    one, other = (read_json(settings.published / v / "manifest.json")["tables"] for v in (before, after))
    assert one.keys() == other.keys()
    return {name for name in one if one[name] != other[name]}
