"""Reading one dropped file, and looking at what came of it. All tables here are synthetic."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory
from tanhuan.formats.rows import Payload
from tanhuan.formats.table_file import Limits, read_rows

PENALTY = ["处罚决定书文号", "统一社会信用代码", "处罚种类", "罚款金额", "处罚依据", "决定日期", "数据性质"]
FINE = ["潭环罚〔2021〕1号", "91430300MA4L000001", "罚款", "20000", "第八十三条", "2021-03-05", "synthetic"]


@dataclass(frozen=True)
class Answer:
    """What a reading left in its two tables, as dictionaries."""

    columns: set[str]
    rows: list[dict[str, Any]]
    unreadable: list[dict[str, Any]]

    def of(self, column: str) -> list[str | None]:
        return [row[column] for row in self.rows]


Read = Callable[..., Answer]


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_memory() as connection:
        yield connection


@pytest.fixture
def read(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> Read:
    """Return a function that drops bytes and reads them as a table of a contract."""

    def read_bytes(data: bytes, table: str = "penalty", limits: Limits | None = None, name: str = "dropped") -> Answer:
        path = tmp_path / name
        path.write_bytes(data)
        payload = Payload(path, name, dt.datetime(2021, 3, 6, tzinfo=dt.UTC))
        columns = read_rows(con, get_contract(table), [payload], "texts", "unreadable", limits)
        return Answer(columns, fetch(con, "texts"), fetch(con, "unreadable"))

    return read_bytes


def fetch(con: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    found = con.execute(f"select * from {table} order by _source_row")
    names = [description[0] for description in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def as_csv(*lines: list[str], encoding: str = "utf-8", delimiter: str = ",") -> bytes:
    return "".join(delimiter.join(line) + "\r\n" for line in lines).encode(encoding)


def as_workbook(*lines: list[Any], prepare: Callable[[Any], None] | None = None) -> bytes:
    book: Any = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    if prepare:
        prepare(book)
    return save(book)


def save(book: Any) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def repack(data: bytes, change: dict[str, bytes]) -> bytes:
    """Return a package with parts replaced or added."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part not in change:
                new.writestr(part, old.read(part))
        for part, content in change.items():
            new.writestr(part, content)
    return stream.getvalue()


def part_of(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return package.read(name)
