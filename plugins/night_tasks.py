"""What every task does around its work: find the date, record the step, decide about trying again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from pydantic import SecretStr

from tanhuan.errors import TanhuanError
from tanhuan.nights import record_step, resolve_key
from tanhuan.settings import Settings, get_settings

#: where Airflow may keep the login of the data platform instead of the environment: host (the whole address), login,
#: password, and in `extra` the SM4 keys of data loggers as `packet_keys`
UPSTREAM = "tanhuan_upstream"


def get_upstream_settings() -> Settings:
    """Return the settings, with what the connection `tanhuan_upstream` says of the platform, if there is one."""
    settings = get_settings()
    try:
        connection = Connection.get(UPSTREAM)
    except AirflowNotFoundException:
        return settings
    keys = connection.extra_dejson.get("packet_keys")
    told = {
        "upstream_url": connection.host,
        "upstream_user": connection.login,
        "upstream_password": SecretStr(connection.password) if connection.password else None,
        "packet_keys": SecretStr(json.dumps(keys)) if keys else None,
    }
    return settings.model_copy(update={name: value for name, value in told.items() if value})


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
