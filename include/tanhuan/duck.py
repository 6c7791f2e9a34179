"""How DuckDB is opened here: one set of options, so that every session sees the same time zone and limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tanhuan.settings import TIME_ZONE, Settings

_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    # A missing extension otherwise costs seconds of failed download on a closed network.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def quote(value: object) -> str:
    """Return a scalar, text or path as an SQL literal, for the places where DuckDB takes no parameter."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def bound_memory(megabytes: int, spill: Path) -> list[str]:
    """Return the statements that keep a database within its memory; what it cannot hold goes to the folder `spill`.

    The folder must be no other database's; DuckDB's own choice would be the working directory.
    """
    return [f"set memory_limit = '{megabytes}MB'", f"set temp_directory = {quote(spill)}"]


@contextmanager
def open_memory(prepare: Sequence[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database of its own that is gone afterwards; `prepare`: statements to run first."""
    with duckdb.connect(config=_OPTIONS) as con:
        _set_time_zone(con)
        for statement in prepare:
            con.execute(statement)
        yield con


@contextmanager
def open_scratch(file: Path, prepare: Sequence[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database of its own in a new file, which belongs in a folder that is thrown away; `prepare`: as above.

    For rows that memory may not hold: a file is compressed, and what memory has no room for is read again. A table in
    memory is spilled as it is, at ten times the size.
    """
    with duckdb.connect(str(file), config=_OPTIONS) as con:
        _set_time_zone(con)
        # Nobody opens the file again.
        for statement in ("pragma disable_checkpoint_on_shutdown", *prepare):
            con.execute(statement)
        yield con


@contextmanager
def open_warehouse(settings: Settings, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open `warehouse.duckdb`; only the refresh writes to it."""
    settings.root.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse), read_only=read_only, config=_OPTIONS) as con:
        _set_time_zone(con)
        yield con


@contextmanager
def open_published(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the current publication for reading, as an analyst would."""
    with duckdb.connect(str(settings.published / "current" / "tanhuan.duckdb"), read_only=True, config=_OPTIONS) as con:
        _set_time_zone(con)
        yield con


def _set_time_zone(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"set global TimeZone = '{TIME_ZONE.key}'")
