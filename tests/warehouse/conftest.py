"""A published installation, and what a test needs to look into it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tanhuan.settings import Settings
from tanhuan.warehouse.publish import Publication, publish
from tests.conftest import NIGHTS, copy_installation


@pytest.fixture(scope="session")
def published(two_nights: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Publication]:
    """`two_nights` with its one publication. To be read, not changed."""
    installation = copy_installation(two_nights, tmp_path_factory.mktemp("published") / "home")
    return installation, publish(NIGHTS[-1], installation)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """dbt is told the warehouse through the environment; give it back as it was."""
    before = os.environ.pop("TANHUAN_WAREHOUSE", None)
    yield
    os.environ.pop("TANHUAN_WAREHOUSE", None)
    if before is not None:
        os.environ["TANHUAN_WAREHOUSE"] = before
