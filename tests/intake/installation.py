"""What a test of intake looks at: the files of the lake, what the ledger knows of each day, and rows as they stand."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import time
from pathlib import Path
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.admit import admit_load
from tanhuan.batch import Outcome
from tanhuan.contracts import get_contract
from tanhuan.files import read_json
from tanhuan.inbox import land_inbox
from tanhuan.ledger import SNAPSHOT
from tanhuan.settings import Settings

Row = dict[str, Any]
#: longer ago than a file may be quiet and still count as being written
_AGE_S = 60


def read_files(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder, by its path in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_days(table: str, settings: Settings) -> dict[str, Any]:
    """Return what the ledger knows of each day of a table."""
    return {path.stem: read_json(path) for path in (settings.ledger / "days" / table).glob("*.json")}


def read_rows(files: list[str] | list[Path]) -> list[Row]:
    """Return the rows of Parquet files, in order of where they came from."""
    if not files:
        return []
    con = duckdb.connect()
    con.execute("set TimeZone = 'Asia/Shanghai'")
    found = con.execute("from read_parquet($files, union_by_name = true)", {"files": [str(f) for f in files]})
    names = [description[0] for description in found.description or []]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def lake_rows(table: str, settings: Settings) -> list[Row]:
    """Return every admitted row of a table, also those that later ones have replaced."""
    return read_rows(sorted((settings.lake / table).rglob("*.parquet")))


def quarantined_rows(table: str, settings: Settings) -> list[Row]:
    """Return every row of a table that is held."""
    return read_rows(sorted((settings.quarantine / table).rglob("*.parquet")))


def standing_rows(table: str, settings: Settings) -> set[tuple[str, int]]:
    """Return day and hash of every row that stands: those of the last file of each day, or of the snapshot."""
    standing = set()
    for day, state in read_days(table, settings).items():
        last = state.get("snapshot") if day == SNAPSHOT else (state.get("files") or [None])[-1]
        standing |= {(day, row["_row_hash"]) for row in read_rows([str(settings.root / last)] if last else [])}
    return standing


def drop(table: str, name: str, data: bytes | Path, settings: Settings) -> Path:
    """Put a file into the inbox of a table, as if it had lain there for a minute."""
    folder = settings.inbox / table
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if isinstance(data, Path):
        shutil.copyfile(data, path)
    else:
        path.write_bytes(data)
    os.utime(path, (time.time() - _AGE_S,) * 2)
    return path


def take_dropped(table: str, key: dt.date, settings: Settings) -> list[Outcome]:
    """Land and admit what lies in the inbox of a table."""
    return [admit_load(load, settings) for load in land_inbox(get_contract(table), key, settings)]


def forget_etag(table: str, settings: Settings) -> None:
    """Forget what the platform called the snapshot we have, so that the next pull asks for all of it."""
    state = ledger.read_day(table, SNAPSHOT, settings)
    if state is not None:
        ledger.write_day(table, SNAPSHOT, {**state, "etag": None}, settings)
