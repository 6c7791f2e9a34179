"""补数 Pull past days again, for a recorded reason: request → chunks → refresh of the night that readers see.

触发时填写来源、起止日期和事由；中断后清除失败任务，或填写申请编号再触发，即可续做，已完成的块不重做。

Trigger it with feed, days and reason; the request stays in the ledger. After a breakdown clear the failed tasks, or
trigger it with the request's id: finished chunks are skipped. Two chunks at a time, behind every task of a night.
Readers keep their version until the refresh has passed gate 2.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from lake_assets import DEADLINE
from night_tasks import backfill_step, get_upstream_settings, retry_only_what_may_help

from tanhuan.contracts import FEEDS, load_contracts
from tanhuan.settings import get_settings

_TEXT = ["null", "string"]

#: For Airflow all may stay empty, since a resumed request needs none of them; the first task says what is missing.
FORM = {
    "feed": Param(None, type=_TEXT, enum=[None, *FEEDS, "all"], title="来源 Feed"),
    "from": Param(None, type=_TEXT, format="date", title="起 First day"),
    "to": Param(None, type=_TEXT, format="date", title="止（含当日） Last day"),
    "reason": Param(None, type=_TEXT, title="事由（留痕备查） Reason, kept for audits"),
    # Airflow offers the examples of a list for choice.
    "tables": Param(
        [], type="array", examples=list(load_contracts()), title="数据表（不选即全部） Tables, all if none"
    ),
    "who": Param(None, type=_TEXT, title="申请人（不填即登录者） Who asks, if not the one logged in"),
    "request": Param(None, type=_TEXT, title="续做的申请编号（其余留空） Request to resume, alone"),
}


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    # Behind every task of a night, whose weights begin with 1.
    default_args={"owner": "data_team", "weight_rule": "absolute", "priority_weight": 0},
    params=FORM,
    doc_md=__doc__,
    tags=["tier_2", "feed"],
)
def backfill() -> None:
    """Declare the backfill."""
    settings = get_settings()

    @task
    def record_request(*, ti=None, params=None, dag_run=None) -> list[dict[str, Any]]:  # type: ignore[no-untyped-def]
        from tanhuan.backfill import list_open_chunks, take_form

        with retry_only_what_may_help():
            request = take_form(params, dag_run.triggering_user_name, dag_run.run_after, settings)
        ti.xcom_push(key="request", value=request.id)
        return [asdict(chunk) for chunk in list_open_chunks(request, settings)]

    @task(
        retries=settings.land_retries,
        retry_delay=timedelta(seconds=settings.land_retry_delay_s),
        retry_exponential_backoff=True,
        execution_timeout=timedelta(hours=2),
        # A night that opens meanwhile finds half of the slots free.
        max_active_tis_per_dagrun=2,
        map_index_template="{{ task.op_kwargs.chunk.feed }} {{ task.op_kwargs.chunk.first or 'snapshots' }}",
    )
    def pull_chunk(chunk: dict[str, Any]) -> None:
        from tanhuan.backfill import Chunk, run_chunk

        part = Chunk(**chunk)
        with backfill_step(part.name, part.find_key()):
            run_chunk(part, get_upstream_settings())

    # Not the tables of the lake: that would count as a night's arrival.
    @task(outlets=[DEADLINE], trigger_rule="none_failed")
    def announce(*, ti=None, outlet_events=None) -> str:  # type: ignore[no-untyped-def]
        from tanhuan.backfill import choose_night, read_request

        request = read_request(ti.xcom_pull(task_ids="record_request", key="request"), settings)
        night = choose_night(request, settings)
        with backfill_step(request.id, night):
            outlet_events[DEADLINE].add_partitions(night.isoformat())
        return night.isoformat()

    pull_chunk.expand(chunk=record_request()) >> announce()


backfill()
