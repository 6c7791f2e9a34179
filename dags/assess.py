"""冻结评估 Freeze an assessment point of a plan for ever, from the current publication.

触发时填写考核时点（如 MID_2023）；已冻结的时点须填修订事由，另存为下一次，原冻结不变。

Trigger it with the point, e.g. MID_2023. A point that is frozen already needs a reason and is kept beside the first.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag, task
from night_tasks import retry_only_what_may_help

from tanhuan.settings import get_settings

_TEXT = ["null", "string"]

FORM = {
    "point": Param(None, type=_TEXT, title="考核时点 Assessment point, e.g. MID_2023"),
    "plan": Param("14", type="string", title="规划编号 Plan"),
    "note": Param(None, type=_TEXT, title="说明 Note"),
    "reason": Param(None, type=_TEXT, title="修订事由（仅修订时填） Reason, only to freeze once more"),
    "who": Param(None, type=_TEXT, title="经办人（不填即登录者） Who freezes, if not the one logged in"),
}


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "data_team", "retries": 0, "weight_rule": "absolute", "priority_weight": 0},
    params=FORM,
    doc_md=__doc__,
    tags=["tier_2", "assessment"],
)
def assess() -> None:
    """Declare the freeze."""

    @task(execution_timeout=timedelta(minutes=20))
    def freeze(*, params=None, dag_run=None) -> str:  # type: ignore[no-untyped-def]
        from tanhuan.assess.freeze import Request
        from tanhuan.assess.freeze import freeze as freeze_point

        who = params["who"] or dag_run.triggering_user_name
        with retry_only_what_may_help():
            request = Request(params["point"] or "", params["plan"], params["note"], params["reason"], who)
            return freeze_point(request, get_settings()).name

    freeze()


assess()
