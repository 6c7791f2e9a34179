"""One DAG a feed: `land` pulls and keeps the bytes, `admit` parses, runs gate 1 and lets checked rows into the lake.

Feeds run side by side and need no lock. Only `land` is tried again: the same bytes would fail the same gate again. A
feed whose every table was admitted (or had not changed) tells so through one asset a table.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pendulum
from airflow.sdk import PartitionedAssetTimetable, dag, task
from lake_assets import LAKE, NIGHT
from night_tasks import get_upstream_settings, night_step

from tanhuan.contracts import FEEDS, tables_of
from tanhuan.settings import get_settings


def build_pull(feed: str) -> None:
    """Declare `pull_<feed>`."""
    settings = get_settings()
    outlets = [LAKE[table] for table in tables_of(feed)]

    @dag(
        dag_id=f"pull_{feed}",
        schedule=PartitionedAssetTimetable(assets=NIGHT),
        start_date=pendulum.datetime(2021, 1, 1, tz="Asia/Shanghai"),
        catchup=False,
        max_active_runs=1,
        default_args={"owner": "data_team"},
        doc_md=__doc__,
        tags=["tier_1", "feed"],
    )
    def pull() -> None:
        @task(
            retries=settings.land_retries,
            retry_delay=timedelta(seconds=settings.land_retry_delay_s),
            retry_exponential_backoff=True,
            execution_timeout=timedelta(hours=2),
        )
        def land(*, ti=None) -> None:  # type: ignore[no-untyped-def]
            from tanhuan.pull import land_feed

            with night_step() as key:
                landed = land_feed(feed, key, get_upstream_settings())
                ti.xcom_push(key="loads", value=[asdict(load) for load in landed.loads])
                landed.check()

        # Also after a failed `land`: what did land enters the lake, though the feed is not announced.
        @task(outlets=outlets, execution_timeout=timedelta(hours=2), trigger_rule="all_done")
        def admit(*, ti=None, outlet_events=None) -> None:  # type: ignore[no-untyped-def]
            from tanhuan.admit import admit_loads, check_whole_feed
            from tanhuan.landing import Load

            with night_step() as key:
                loads = [Load(**load) for load in ti.xcom_pull(task_ids="land", key="loads") or []]
                outcomes = admit_loads(loads, get_upstream_settings())
                check_whole_feed(feed, outcomes)
                for outcome in (o for o in outcomes if o.load.kind == "night"):
                    event = outlet_events[LAKE[outcome.load.table]]
                    event.extra = {"load": outcome.load.load_id, "state": outcome.state, "rows": outcome.received}
                    event.add_partitions(key.isoformat())

        land() >> admit()

    pull()


for name in FEEDS:
    build_pull(name)
