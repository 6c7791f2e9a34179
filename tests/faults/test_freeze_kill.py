"""A freeze that is killed leaves either the whole assessment or nothing that anybody sees; the next starts anew."""

from __future__ import annotations

import random

import pytest

from tanhuan.assess.archive import list_freezes, verify
from tanhuan.assess.freeze import Request, freeze, record_unrecorded
from tanhuan.settings import Settings
from tests.assess.made_publication import publish_made
from tests.faults import processes

#: long: run by make test-all
pytestmark = pytest.mark.slow

MID = Request("MID_2023", who="tester")


def freeze_point(request: Request, settings: Settings) -> None:
    freeze(request, settings)


@pytest.mark.parametrize("moment", range(12))
def test_a_freeze_killed_at_any_moment_is_whole_or_not_there(moment: int, home: Settings) -> None:
    version = publish_made(home)
    # A freeze of the made publication takes about half a second; most moments fall within it.
    cut = processes.kill(freeze_point, MID, home, after_s=random.Random(moment).uniform(0.01, 0.6))
    found = list_freezes(home)
    assert len(found) <= 1
    assert verify(home) == {frozen.name: [] for frozen in found}
    if not cut:
        assert found
    recorded = record_unrecorded(home)
    assert set(recorded) <= {frozen.name for frozen in found}
    assert record_unrecorded(home) == []
    again = freeze(Request("MID_2023", who="tester", revise="中断后重做" if found else None), home)
    assert (again.number, again.manifest["source_version"]) == (len(found) + 1, version)
    assert verify(home) == {frozen.name: [] for frozen in (*found, again)}
    assert list(again.path.parent.glob(".building*")) == []
