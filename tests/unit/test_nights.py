"""Which date a run is for, and what the ledger says of its steps."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tanhuan import ledger
from tanhuan.errors import TanhuanError
from tanhuan.nights import record_step, resolve_key
from tanhuan.settings import TIME_ZONE, Settings, now, yesterday

KEY = dt.date(2025, 12, 31)


@pytest.mark.parametrize(
    ("partition_key", "conf", "key"),
    [
        ("2025-12-31", None, KEY),
        ("2025-12-31", {"date": "2024-01-01"}, KEY),
        (None, {"date": "2025-12-31"}, KEY),
        (None, {"date": KEY}, KEY),
        ("", {"date": "2025-12-31"}, KEY),
    ],
)
def test_the_partition_names_the_night_else_the_configuration(partition_key: str, conf: Any, key: dt.date) -> None:
    assert resolve_key(partition_key, conf) == key


@pytest.mark.parametrize("conf", [None, {}, {"other": 1}])
def test_without_a_date_it_is_yesterday_in_shanghai(conf: Any) -> None:
    before = yesterday()
    assert resolve_key(None, conf) in (before, yesterday())
    assert yesterday() == (dt.datetime.now(TIME_ZONE) - dt.timedelta(days=1)).date()


@pytest.mark.parametrize("text", ["31.12.2025", "2025-02-30", "yesterday", "2025-12-31T00:00:00+08:00", "2025-13-01"])
def test_a_malformed_date_is_answered_with_the_form(text: str) -> None:
    with pytest.raises(TanhuanError, match=r"is not a date.*YYYY-MM-DD") as failure:
        resolve_key(text, None)
    assert text in str(failure.value)
    assert not failure.value.retryable


@pytest.mark.parametrize("days", [0, 1, 400])
def test_a_day_that_is_not_over_has_no_night(days: int) -> None:
    future = now().date() + dt.timedelta(days=days)
    with pytest.raises(TanhuanError, match=rf"{future} is not over yet.*ask for"):
        resolve_key(future.isoformat(), None)


def read_step(settings: Settings) -> dict[str, Any]:
    (step,) = ledger.read_last("steps", settings)
    return step


def test_a_step_that_ends_well_is_recorded_with_its_time(home: Settings) -> None:
    with record_step("pull_credit.land", KEY, home):
        pass
    step = read_step(home)
    assert (step["step"], step["key"], step["state"], step["error"]) == (
        "pull_credit.land",
        "2025-12-31",
        "success",
        None,
    )
    assert step["seconds"] >= 0
    assert dt.datetime.fromisoformat(step["started_at"]).utcoffset() == dt.timedelta(hours=8)


def test_a_step_that_fails_is_recorded_with_its_sentence_and_the_failure_goes_on(home: Settings) -> None:
    with (
        pytest.raises(TanhuanError, match="no rows"),
        record_step("pull_credit.land", KEY, home),
    ):
        raise TanhuanError("no rows.", "ask.")
    step = read_step(home)
    assert (step["state"], step["error"]) == ("failed", "no rows. Next step: ask.")


class TimedOut(BaseException):
    """As Airflow's AirflowTaskTimeout is: no `Exception`, so that a task's own handlers do not swallow it."""


@pytest.mark.parametrize("ending", [TimedOut("3600 s are over"), KeyboardInterrupt(), SystemExit(1)])
def test_a_step_that_is_broken_off_is_not_called_a_success(home: Settings, ending: BaseException) -> None:
    with pytest.raises(type(ending)), record_step("refresh_indicators.build", KEY, home):
        raise ending
    step = read_step(home)
    assert step["state"] == "failed"
    assert step["error"], "and the record says what broke it off"
