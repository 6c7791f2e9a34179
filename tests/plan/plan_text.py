"""The plan's own text: its two tables cell by cell, and whether it says a sentence."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

TEXT = Path(__file__).parent / "data" / "plan_2021_47.txt"


@cache
def read_text() -> str:
    return TEXT.read_text("utf-8")


def squeeze(text: str) -> str:
    """Return a text without white space: lines break anywhere in the document."""
    return re.sub(r"\s+", "", text)


def says(phrase: str) -> bool:
    """Tell whether the plan has this phrase, wherever its lines break."""
    return squeeze(phrase) in squeeze(read_text())


def read_table(title: str, cells_a_row: int) -> list[list[str]]:
    """Return the rows of a table as its text has them: a tab starts a cell, a row starts after a blank line.

    A group that is left blank below its first row is filled down; the lines of one cell are joined by a space.
    """
    after = read_text().split(title, 1)[1]
    body = re.split(r"\n(?:（二）|三、)", after, maxsplit=1)[0]
    rows = [_split_cells(row) for row in re.split(r"\n\n(?=\t\S)", body.strip("\n"))]
    data = [row for row in rows if len(row) == cells_a_row and row[0].isdigit()]
    for before, row in pairwise(data):
        row[1] = row[1] or before[1]
    return data


def _split_cells(row: str) -> list[str]:
    return [
        " ".join(part for part in cell.split("\n") if part.strip()).strip() for cell in re.split(r"(?:^|\n)\t", row)[1:]
    ]
