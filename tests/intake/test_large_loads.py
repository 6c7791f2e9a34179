"""A load too large for memory is staged in a file; what becomes of its rows is the same."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from tanhuan import batch
from tanhuan.admit import admit_load
from tanhuan.batch import Outcome, open_for
from tanhuan.contracts import get_contract
from tanhuan.landing import Arrival, Load, new_load
from tanhuan.settings import Settings
from tests.intake.installation import lake_rows, quarantined_rows

TABLE = "water_section_4h"
FIRST, LAST = dt.date(2021, 3, 4), dt.date(2021, 3, 5)


def land(home: Settings, rows: int) -> Load:
    """Land rows of two days, of which one in ten has a pH that none can have, and one comes twice."""
    told = [make_row(n) for n in range(rows)]
    load = new_load(get_contract(TABLE), LAST, FIRST, LAST, "night", "ndjson")
    arrival = Arrival(load, home, None)
    with arrival.stream("ndjson") as sink:
        sink.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in [*told, told[0]]).encode())
    arrival.close()
    return load


def make_row(number: int) -> dict[str, Any]:
    fixed = {"basin": "长江流域", "value_form": "original", "data_status": "preliminary", "data_basis": "synthetic"}
    own = {
        "province": "湖南省",
        "section_name": f"断面{number // 12}",
        "measured_at": f"{(FIRST, LAST)[number % 2]}T{number % 12 // 2 * 4:02d}:00:00+08:00",
        "ph": -1 if number % 100 == 7 else 7.1 + number % 5 / 10,
        "station_status": "正常",
    }
    return dict.fromkeys(get_contract(TABLE).names) | fixed | own


def list_files(load: Load, scratch: Path, home: Settings) -> list[str | None]:
    with open_for(load, scratch, home) as con:
        return [path for (path,) in con.execute("select path from duckdb_databases() where not internal").fetchall()]


def test_only_what_is_large_is_staged_in_a_file(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = land(home, 24)
    size = sum(file.stat().st_size for file in load.folder(home).glob("payload-*"))
    monkeypatch.setattr(batch, "_BYTES_IN_MEMORY", size)
    assert list_files(load, tmp_path, home) == [None]
    monkeypatch.setattr(batch, "_BYTES_IN_MEMORY", size - 1)
    assert list_files(load, tmp_path, home) == [str(tmp_path / "load.duckdb")]


@pytest.mark.slow
def test_a_load_staged_in_a_file_ends_as_it_would_in_memory(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def admit_in(name: str, bytes_in_memory: int) -> tuple[Outcome, list[Any], list[Any], list[str]]:
        own = home.model_copy(update={"home": home.root / name})
        monkeypatch.setattr(batch, "_BYTES_IN_MEMORY", bytes_in_memory)
        outcome = admit_load(land(own, 1200), own)
        left = sorted(path.name for path in own.root.iterdir() if path.name.startswith(".admit"))
        return outcome, lake_rows(TABLE, own), quarantined_rows(TABLE, own), left

    in_memory, in_file = admit_in("memory", 1 << 40), admit_in("file", 0)
    outcome = in_file[0]
    assert (outcome.received, outcome.admitted, outcome.quarantined, outcome.unchanged) == (1201, 1188, 12, 1)
    assert describe(in_file[0]) == describe(in_memory[0])
    assert list_rows(in_file[1]) == list_rows(in_memory[1])
    assert list_rows(in_file[2]) == list_rows(in_memory[2])
    assert in_file[3] == [], "the file is gone"


def describe(outcome: Outcome) -> tuple[Any, ...]:
    """Return what became of a load, and what every check found."""
    checks = [(check.id, check.passed, check.failed_rows) for check in outcome.checks]
    return outcome.state, outcome.received, outcome.admitted, outcome.quarantined, outcome.content, checks


def list_rows(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows in one order, without what differs between two loads of the same."""
    own = ("_load_id", "load_id", "_fetched_at", "fetched_at")
    return sorted(str({name: value for name, value in row.items() if name not in own}) for row in rows)
