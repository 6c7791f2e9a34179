"""What the doctor finds, and the next step it names."""

from __future__ import annotations

import datetime as dt
import sys

import pytest
from pydantic import SecretStr

from tanhuan.doctor import Finding, examine
from tanhuan.files import write_json
from tanhuan.settings import Settings, now


def find(settings: Settings, what: str) -> Finding:
    (finding,) = (f for f in examine(settings) if what in f.what)
    return finding


def publish_hours_ago(settings: Settings, hours: float, missing: list[str]) -> None:
    version = "2025-12-31_20260101T013000"
    published_at = (now() - dt.timedelta(hours=hours)).isoformat()
    manifest = {"version": version, "published_at": published_at, "missing_tables": missing}
    write_json(settings.published / version / "manifest.json", manifest)
    (settings.published / "current").symlink_to(version)


def test_four_things_are_looked_at_each_once(home: Settings) -> None:
    assert [f.what for f in examine(home)] == ["Python", "磁盘 disk", "上游 upstream", "发布 publication"]


def test_python_and_disk_are_measured(home: Settings) -> None:
    assert find(home, "Python") == Finding(
        "Python", sys.version_info[:2] == (3, 11), f"{sys.version.split()[0]} (3.11 is needed)"
    )
    assert str(home.root) in find(home, "disk").detail


def test_without_an_upstream_the_stand_in_is_named(home: Settings) -> None:
    finding = find(home, "upstream")
    assert finding.ok
    assert "stand-in" in finding.detail


def test_an_upstream_that_answers_is_asked_for_real(settings: Settings) -> None:
    finding = find(settings, "upstream")
    assert finding.ok, finding
    assert finding.detail.startswith(f"{settings.upstream_url} answered ")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"upstream_url": "http://127.0.0.1:9", "request_retries": 0}, "no answer from http://127.0.0.1:9"),
        ({"upstream_password": SecretStr("wrong")}, "check TANHUAN_UPSTREAM_USER"),
    ],
)
def test_an_upstream_that_does_not_is_a_finding_with_its_next_step(
    settings: Settings, change: dict[str, object], sentence: str
) -> None:
    finding = find(settings.model_copy(update=change), "upstream")
    assert not finding.ok
    assert sentence in finding.detail
    assert "Next step" in finding.detail


def test_nothing_published_is_a_finding(home: Settings) -> None:
    assert find(home, "publication") == Finding(
        "发布 publication", False, "nothing is published yet; run `tanhuan night`"
    )


@pytest.mark.parametrize(("hours", "ok"), [(3, True), (47, True), (49, False), (500, False)])
def test_a_publication_grows_old_after_two_days(home: Settings, hours: float, ok: bool) -> None:
    publish_hours_ago(home, hours, [])
    finding = find(home, "publication")
    assert finding.ok is ok
    assert f"{hours:.0f} h old" in finding.detail


def test_a_publication_that_lacks_a_table_is_a_finding(home: Settings) -> None:
    publish_hours_ago(home, 1, ["penalty"])
    finding = find(home, "publication")
    assert not finding.ok
    assert "penalty" in finding.detail
