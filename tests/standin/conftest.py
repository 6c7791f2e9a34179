"""One invented city for all tests of the stand-in, with a clock that stands still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from tanhuan.standin.platform import Platform

#: The platform's present: what ends later does not exist.
NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    platform = Platform(seed=2021, now=lambda: NOW)
    yield platform
    platform.close()
