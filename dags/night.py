"""`night` opens a night at 01:30 (or when somebody triggers it); `night_deadline` closes it at 05:00.

An opened night wakes the four feeds; their tables wake `refresh_indicators`. What has not arrived by 05:00 is no longer
waited for: the refresh then runs with what is there and says what is missing. When a late feed has come after all,
trigger `night_deadline` for that night again: it refreshes until the night is complete.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronPartitionTimetable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from lake_assets import DEADLINE, NIGHT
from night_tasks import get_night_key

TIME_ZONE = "Asia/Shanghai"


def at(cron: str) -> CronPartitionTimetable:
    """Run at a time of day, for the business date before.

    Switching the DAGs on never runs a night that is past: no start date, and not even a moment's grace (the default
    grace is a tenth of the day).
    """
    return CronPartitionTimetable(
        cron, timezone=TIME_ZONE, run_offset=-1, key_format="%Y-%m-%d", run_immediately=timedelta(0)
    )


@dag(
    schedule=at("30 1 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data_team"},
    doc_md=__doc__,
    tags=["tier_1", "clock"],
)
def night() -> None:
    """Open a night: the partition key is the business date it reports on."""

    @task(outlets=[NIGHT])
    def open_night(*, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        key = get_night_key().isoformat()
        outlet_events[NIGHT].add_partitions(key)
        return key

    open_night()


@dag(
    schedule=at("0 5 * * *"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data_team"},
    doc_md=__doc__,
    tags=["tier_1", "clock"],
)
def night_deadline() -> None:
    """Refresh with what has arrived, unless the night has been published complete."""

    @task(outlets=[DEADLINE])
    def close_night(*, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        from tanhuan.settings import get_settings
        from tanhuan.warehouse.publish import is_complete

        key = get_night_key()
        if is_complete(key, get_settings()):
            raise AirflowSkipException(f"the night of {key} is published with every table")
        outlet_events[DEADLINE].add_partitions(key.isoformat())
        return f"{get_current_context()['run_id']}: refresh of {key} with what has arrived"

    close_night()


night()
night_deadline()
