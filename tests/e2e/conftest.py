"""A real Airflow over a real stand-in, started once for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from rich.console import Console

from tanhuan.services import Airflow, use_airflow
from tanhuan.settings import Settings
from tests.conftest import Upstream


@pytest.fixture(scope="session")
def house(standin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an installation that lives through the session; a failed pull is not tried again by Airflow."""
    return Settings(
        home=tmp_path_factory.mktemp("house"),
        upstream_url=standin.url,
        upstream_user=standin.user,
        upstream_password=SecretStr(standin.password),
        request_retries=1,
        request_timeout_s=5,
        land_retries=0,
        _env_file=None,  # type: ignore[call-arg]
    )


@pytest.fixture(scope="session")
def airflow(house: Settings) -> Iterator[Airflow]:
    with use_airflow(house) as running:
        yield running


@pytest.fixture(scope="session")
def console() -> Console:
    return Console(width=160)
