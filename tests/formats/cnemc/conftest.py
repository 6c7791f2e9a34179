"""Reading the real files of data/ as the platform does, and looking at what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory
from tanhuan.formats import cnemc_air, cnemc_water
from tanhuan.formats.rows import STAGED, UNREADABLE, Payload, stage_texts

DATA = Path(__file__).parent / "data"
RECEIVED_AT = dt.datetime(2021, 4, 6, 1, tzinfo=dt.timezone(dt.timedelta(hours=8)))


@dataclass(frozen=True)
class Reading:
    """Staged rows, and pieces that never became rows, in the order of their lines."""

    rows: list[dict[str, Any]]
    unreadable: list[dict[str, Any]]

    def row(self, **wanted: Any) -> dict[str, Any]:
        """Return the only row with these values."""
        (found,) = [r for r in self.rows if all(r[name] == value for name, value in wanted.items())]
        return found

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """Line and reason of every unreadable piece."""
        return [(piece["_source_row"], piece["reason_id"]) for piece in self.unreadable]


Read = Callable[..., Reading]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_memory() as connection:
        yield connection


@pytest.fixture
def read_air(con: duckdb.DuckDBPyConnection) -> Read:
    return lambda *paths: _read(con, "air_hour", paths)


@pytest.fixture
def read_water(con: duckdb.DuckDBPyConnection) -> Read:
    return lambda *paths: _read(con, "water_section_4h", paths)


def _read(con: duckdb.DuckDBPyConnection, table: str, paths: tuple[Path, ...]) -> Reading:
    reader = {"air_hour": cnemc_air.read_rows, "water_section_4h": cnemc_water.read_rows}[table]
    payloads = [Payload(path, path.name.removesuffix(".zst"), RECEIVED_AT) for path in paths]
    stage_texts(reader)(con, get_contract(table), payloads)
    return Reading(*(_fetch(con, relation) for relation in (STAGED, UNREADABLE)))


def _fetch(con: duckdb.DuckDBPyConnection, relation: str) -> list[dict[str, Any]]:
    result = con.execute(f"select * from {relation} order by _source_file, _source_row")
    assert result.description is not None
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]
