"""The processes a night needs on one machine: Airflow and, where no platform is configured, the stand-in.

Belongs here: which processes, with which settings, and when they are ready. Everything binds to loopback.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import requests
from pydantic import SecretStr

from tanhuan.airflow_api import AirflowApi
from tanhuan.errors import TanhuanError
from tanhuan.feeds.upstream import Upstream
from tanhuan.files import read_json, write_bytes, write_json
from tanhuan.processes import end_all, end_orphans, inherit_environment, is_alive, run_all
from tanhuan.settings import Settings

DAG_IDS = {
    "night",
    "night_deadline",
    "pull_monitoring",
    "pull_permits",
    "pull_credit",
    "pull_returns",
    "refresh_indicators",
    "backfill",
    "assess",
}
#: The servers for logs of remote workers stay off: they would bind to every interface, and here all logs are local.
_COMPONENTS = {
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
}
_START_TIMEOUT_S = 120
_ADMIN = "admin"


@dataclass(frozen=True)
class Airflow:
    """A running Airflow: its address, login and a client that is already logged in."""

    url: str
    user: str
    password: str
    api: AirflowApi


@contextmanager
def use_airflow(settings: Settings, port: int | None = None) -> Iterator[Airflow]:
    """Give the Airflow of this TANHUAN_HOME: the one that `tanhuan up` runs, or one started for the moment.

    Args:
        port: where to bind; a free port if None.
    """
    running = _find_running(settings)
    if running is not None:
        yield running
        return
    with use_upstream(settings) as reachable, _start_airflow(reachable, port or _find_free_port()) as airflow:
        yield airflow


def run_airflow(arguments: Sequence[str], settings: Settings) -> int:
    """Run one `airflow` command in this installation's environment, with an upstream; return its exit code."""
    with use_upstream(settings) as reachable:
        program, environment = _prepare_airflow(reachable, settings.airflow_port)
        return subprocess.run([program, *arguments], env=environment, check=False).returncode  # noqa: S603


@contextmanager
def start_standin(settings: Settings, today: dt.date | None = None) -> Iterator[str]:
    """Run the stand-in in a process of its own, for the login that the settings hold, and give its address.

    Args:
        today: the day it plays; the real one if None.
    """
    played = ["--today", today.isoformat()] if today else []
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "tanhuan.cli", "standin", "--port", "0", *played],
        env=inherit_environment(settings.as_environment()),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield _read_address(process)
    finally:
        end_all([process])
        assert process.stdout is not None
        process.stdout.close()


def _read_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("stand-in ready at "):
            return line.removeprefix("stand-in ready at ").strip()
    raise TanhuanError("The stand-in ended before it was ready.", "run `tanhuan standin` to see why.")


@contextmanager
def use_upstream(settings: Settings) -> Iterator[Settings]:
    """Give settings whose upstream can be asked, starting the stand-in if none is configured."""
    if settings.upstream_url is not None:
        yield settings
        return
    # A login that exists for this run only.
    login = {"upstream_user": "tanhuan", "upstream_password": SecretStr(secrets.token_urlsafe(24))}
    with start_standin(settings.model_copy(update=login)) as url:
        reachable = settings.model_copy(update={**login, "upstream_url": url})
        # What a bureau keeps in its vault, the stand-in tells whoever may log in.
        with Upstream(reachable) as upstream:
            keys = upstream.fetch_packet_keys()
        yield reachable.model_copy(update={"packet_keys": SecretStr(keys)})


def _find_running(settings: Settings) -> Airflow | None:
    marker = settings.airflow_home / "running.json"
    if not marker.exists():
        return None
    known = read_json(marker)
    airflow = _describe(settings, known["port"])
    if not is_alive(known["owner"]) or not airflow.api.is_healthy():
        # Whoever started it was killed: its children would go on with the same database.
        end_orphans(known["groups"], "airflow")
        marker.unlink()
        return None
    airflow.api.login()
    return airflow


@contextmanager
def _start_airflow(settings: Settings, port: int) -> Iterator[Airflow]:
    home, airflow = settings.airflow_home, _describe(settings, port)
    program, environment = _prepare_airflow(settings, port)
    commands = {name: [program, *arguments] for name, arguments in _COMPONENTS.items()}
    marker = home / "running.json"
    with run_all(commands, environment, home, settings.project_root) as processes:
        try:
            groups = [process.pid for process in processes.values()]
            write_json(marker, {"port": port, "owner": os.getpid(), "groups": groups})
            _wait_until_ready(airflow, processes, home)
            yield airflow
        finally:
            marker.unlink(missing_ok=True)


def _prepare_airflow(settings: Settings, port: int) -> tuple[str, dict[str, str]]:
    """Return the airflow program and its environment; its database is at its version afterwards."""
    settings.airflow_home.mkdir(parents=True, exist_ok=True)
    program = str(Path(sys.executable).with_name("airflow"))
    environment = inherit_environment(_airflow_environment(settings, port) | settings.as_environment())
    _migrate(program, environment, settings.airflow_home)
    return program, environment


def _migrate(program: str, environment: dict[str, str], home: Path) -> None:
    """Bring Airflow's metadata database to its version, once a version."""
    done = home / f"migrated-{version('apache-airflow')}"
    if done.exists():
        return
    with (home / "migrate.log").open("ab") as log:
        answer = subprocess.run(  # noqa: S603 - the airflow of this environment
            [program, "db", "migrate"], env=environment, stdout=log, stderr=log, check=False
        )
    if answer.returncode != 0:
        raise TanhuanError("Airflow could not prepare its database.", f"read {home / 'migrate.log'}.")
    done.touch()


def _describe(settings: Settings, port: int) -> Airflow:
    url = f"http://{settings.airflow_host}:{port}"
    password = _read_password(settings)
    return Airflow(url, _ADMIN, password, AirflowApi(url, _ADMIN, password))


def _read_password(settings: Settings) -> str:
    """Return the login of this TANHUAN_HOME, made once and kept in a file that only its owner reads."""
    path = settings.airflow_home / "simple_auth_manager_passwords.json.generated"
    if not path.exists():
        passwords = {_ADMIN: secrets.token_urlsafe(12), "viewer": secrets.token_urlsafe(12)}
        write_bytes(path, json.dumps(passwords).encode(), mode=0o600)
    return str(read_json(path)[_ADMIN])


def _wait_until_ready(airflow: Airflow, processes: dict[str, subprocess.Popen[bytes]], home: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not airflow.api.is_healthy():
        ended = [name for name, process in processes.items() if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            culprit = ended[0] if ended else "api-server"
            raise TanhuanError(
                f"Airflow's {culprit} did not start.",
                f"read the end of {home / culprit}.log; if the port is in use, name another with `--port`.",
            )
        time.sleep(0.2)
    airflow.api.wake_execution_api()
    try:
        airflow.api.login()
    except requests.HTTPError as exc:
        raise TanhuanError(f"Airflow refuses the login ({exc}).", f"remove {home} and start again.") from exc
    airflow.api.ensure_pool("warehouse", 1, "one writer of warehouse.duckdb")
    airflow.api.wait_for_dags(DAG_IDS, _START_TIMEOUT_S)


def _airflow_environment(settings: Settings, port: int) -> dict[str, str]:
    root = settings.project_root
    return {
        "AIRFLOW_HOME": str(settings.airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "Asia/Shanghai",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_ADMIN}:admin,viewer:viewer",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{settings.airflow_host}:{port}/execution/",
        "AIRFLOW__API__HOST": settings.airflow_host,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(64),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        # Start-ups are what a night costs: a quick loop, and libraries preloaded (plugins/airflow_local_settings.py).
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",
        # A supervisor that misses its task's end notices it only at its next heartbeat.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A task whose process was killed counts as failed after a minute, not after five.
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
