"""What every task of a night does around its work: find the date, record the step, decide about trying again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from tanhuan.errors import TanhuanError
from tanhuan.nights import record_step, resolve_key
from tanhuan.settings import get_settings


def get_night_key() -> dt.date:
    """Return the business date of the running task's DAG run."""
    dag_run = get_current_context()["dag_run"]
    return resolve_key(dag_run.partition_key, dag_run.conf)


@contextmanager
def night_step() -> Iterator[dt.date]:
    """Give the night's date, record the step; a failure that trying again cannot mend ends the task at once."""
    instance = get_current_context()["ti"]
    try:
        key = get_night_key()
        with record_step(f"{instance.dag_id}.{instance.task_id}", key, get_settings()):
            yield key
    except TanhuanError as failure:
        if failure.retryable:
            raise
        raise AirflowFailException(str(failure)) from failure
