"""A table as a person sees it: lines of cell texts with their numbers, whatever file they came from.

Belongs here: the shape that `workbook` and `table_file` hand each other, the bounds of a file, and how one is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tanhuan.errors import TanhuanError


class TableFileRefused(TanhuanError):
    """A CSV or XLSX file cannot be read at all: nothing of it becomes rows."""


def refuse(zh: str, en: str, next_zh: str, next_en: str) -> TableFileRefused:
    """Return the refusal of a file: what is wrong with it and what to do, in both languages."""
    return TableFileRefused(f"{zh} {en}", f"{next_zh} {next_en}")


@dataclass(frozen=True)
class Limits:
    """How large a file may be: bytes as sent, bytes unpacked, and how many times larger unpacking may make a part.

    Repetitive sheets of real workbooks unpack 10 to 60 times, deflate can do 1032 times.
    """

    file_bytes: int = 64 * 1024**2
    unpacked_bytes: int = 512 * 1024**2
    ratio: int = 200


class Line(NamedTuple):
    """One line: its number as a person counts, its cell texts ('' if empty), ids of what is odd about it."""

    number: int
    texts: list[str]
    flags: tuple[str, ...] = ()


@dataclass
class Sheet:
    """One sheet of a workbook, or a text file cut at one delimiter.

    `lines` can be gone through once. `spans` are cells merged sideways: line number -> first and last position.
    `epoch` is the first day of the workbook's day numbers. `flags` hold for every line.
    """

    name: str
    lines: Iterator[Line]
    spans: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    epoch: dt.datetime | None = None
    flags: tuple[str, ...] = ()
    #: whether a line with another number of cells than the header is torn (CSV), or just ends early (XLSX)
    is_cut: bool = False
