"""Fixtures that every kind of test may use: a TANHUAN_HOME of its own, and a real stand-in on loopback."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from tanhuan.admit import admit_loads
from tanhuan.contracts import FEEDS, get_contract
from tanhuan.landing import Load
from tanhuan.pull import land_feed, land_plans, plan_loads
from tanhuan.services import start_standin
from tanhuan.settings import Settings
from tanhuan.warehouse.build import build
from tanhuan.warehouse.load import load_lake

TIMEOUT_S = 30
#: a night of real air hours, and the one on which the plan falls due
NIGHTS = (dt.date(2019, 11, 20), dt.date(2025, 12, 31))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without DuckDB's clean-up at exit, which prints pages of harmless "nanobind: leaked" lines."""
    session = config.pluginmanager.get_plugin("session")
    status = getattr(session, "exitstatus", None)
    if status is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status))


@dataclass(frozen=True)
class Upstream:
    """A running stand-in that can be told to misbehave."""

    url: str
    user: str
    password: str

    def misbehave(self, *faults: dict[str, Any]) -> None:
        answer = requests.put(
            f"{self.url}/control/faults", json=list(faults), headers=self._authorization(), timeout=TIMEOUT_S
        )
        answer.raise_for_status()

    def behave(self) -> None:
        answer = requests.delete(f"{self.url}/control/faults", headers=self._authorization(), timeout=TIMEOUT_S)
        answer.raise_for_status()

    def _authorization(self) -> dict[str, str]:
        answer = requests.post(
            f"{self.url}/api/token", json={"user": self.user, "password": self.password}, timeout=TIMEOUT_S
        )
        return {"Authorization": f"Bearer {answer.json()['token']}"}


@pytest.fixture(scope="session")
def standin() -> Iterator[Upstream]:
    """A stand-in in a process of its own, shared by the session."""
    user, password = "tester", secrets.token_urlsafe(12)
    login = Settings(upstream_user=user, upstream_password=SecretStr(password), _env_file=None)  # type: ignore[call-arg]
    with start_standin(login) as url:
        yield Upstream(url, user, password)


@pytest.fixture
def upstream(standin: Upstream) -> Iterator[Upstream]:
    """The stand-in, well behaved again after the test."""
    yield standin
    standin.behave()


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings of an empty installation without an upstream."""
    return Settings(home=tmp_path / "home", upstream_url=None, _env_file=None)  # type: ignore[call-arg]


@pytest.fixture
def settings(tmp_path: Path, upstream: Upstream) -> Settings:
    """Settings of an empty installation whose upstream is the stand-in; history is not loaded."""
    return settings_for(upstream, tmp_path / "home")


@pytest.fixture(scope="session")
def two_nights(standin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with two clean nights admitted, loaded and built, nothing published. To be read, not changed."""
    own = settings_for(standin, tmp_path_factory.mktemp("two-nights") / "home")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return live_two_nights(own)
    # It takes a minute: one worker lives them, each copies.
    shared = tmp_path_factory.getbasetemp().parent / "two-nights"
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            live_two_nights(own)
            shutil.copytree(own.root, shared, symlinks=True)
            return own
    return copy_installation(change_settings(own, home=shared), own.root)


def live_two_nights(installation: Settings) -> Settings:
    for key in NIGHTS:
        for feed in FEEDS:
            admit_loads(land_feed(feed, key, installation).check(), installation)
    load_lake(NIGHTS[-1], installation)
    build(installation)
    return installation


@pytest.fixture
def own_copy(two_nights: Settings, upstream: Upstream, tmp_path: Path) -> Settings:
    """A copy of `two_nights` that a test may change; its upstream is the stand-in, well behaved again afterwards."""
    return copy_installation(two_nights, tmp_path / "home")


def land_table(table: str, key: dt.date, settings: Settings) -> list[Load]:
    """Pull one table of a night into landing."""
    return land_plans({table: plan_loads(get_contract(table), key, settings)}, settings).check()


def copy_installation(settings: Settings, home: Path) -> Settings:
    """Copy all state of an installation and return the settings of the copy."""
    shutil.copytree(settings.root, home, symlinks=True)
    return change_settings(settings, home=home)


def change_settings(settings: Settings, **changes: Any) -> Settings:
    """Return settings with some of them changed; nothing is read from a file."""
    return Settings(**(settings.model_dump() | changes), _env_file=None)  # type: ignore[call-arg]


def settings_for(upstream: Upstream, home: Path) -> Settings:
    return Settings(
        home=home,
        upstream_url=upstream.url,
        upstream_user=upstream.user,
        upstream_password=SecretStr(upstream.password),
        load_history=False,
        request_retries=1,
        request_timeout_s=5,
        _env_file=None,  # type: ignore[call-arg]
    )
