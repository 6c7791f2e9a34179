"""The one writer of the warehouse: load → dbt build → gate 2 → publish, when a night's tables are in.

Runs at 05:00 with what arrived, if not all did. Until gate 2 has passed nothing changes for readers.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import PartitionedAssetTimetable, dag, task
from lake_assets import DEADLINE, PUBLISHED, WHOLE_LAKE
from night_tasks import night_step

from tanhuan.settings import get_settings

#: one slot: whoever opens `warehouse.duckdb` holds it
POOL = "warehouse"


@dag(
    schedule=PartitionedAssetTimetable(assets=WHOLE_LAKE | DEADLINE),
    start_date=pendulum.datetime(2021, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data_team", "pool": POOL, "execution_timeout": timedelta(hours=1)},
    doc_md=__doc__,
    tags=["tier_1", "warehouse"],
)
def refresh_indicators() -> None:
    """Declare the refresh."""
    settings = get_settings()

    @task
    def load() -> dict[str, int]:
        from tanhuan.warehouse.load import load_lake

        with night_step() as key:
            return load_lake(key, settings)

    @task
    def build() -> dict[str, int]:
        from tanhuan.warehouse.build import build as build_models

        with night_step():
            return build_models(settings)

    @task
    def gate() -> int:
        from tanhuan.gates.mart_gate import check_marts
        from tanhuan.warehouse.changes import find_changes

        with night_step() as key:
            # The gate asks for the cause of every change, so they are found first.
            find_changes(settings)
            return len(check_marts(key, settings))

    @task(outlets=[PUBLISHED])
    def publish(*, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        from tanhuan.warehouse.publish import publish as publish_marts

        with night_step() as key:
            publication = publish_marts(key, settings)
            outlet_events[PUBLISHED].extra = {
                "version": publication.version,
                "content_hash": publication.content_hash,
                "missing": publication.missing,
            }
            return publication.version

    load() >> build() >> gate() >> publish()


refresh_indicators()
