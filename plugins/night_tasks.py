"""What every task does around its work: find the date, record the step, decide about trying again."""

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
def retry_only_what_may_help() -> Iterator[None]:
    """Let a failure that trying again cannot mend end the task at once."""
    try:
        yield
    except TanhuanError as failure:
        if failure.retryable:
            raise
        raise AirflowFailException(str(failure)) from failure


@contextmanager
def night_step() -> Iterator[dt.date]:
    """Give the night's date and record the step."""
    instance = get_current_context()["ti"]
    with retry_only_what_may_help():
        key = get_night_key()
        with record_step(f"{instance.dag_id}.{instance.task_id}", key, get_settings()):
            yield key


@contextmanager
def backfill_step(subject: str, key: dt.date) -> Iterator[None]:
    """Record a step of a backfill, e.g. `backfill.pull_chunk.<chunk>`."""
    instance = get_current_context()["ti"]
    with (
        retry_only_what_may_help(),
        record_step(f"{instance.dag_id}.{instance.task_id}.{subject}", key, get_settings()),
    ):
        yield
