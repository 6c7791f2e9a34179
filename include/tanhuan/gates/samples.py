"""Failing rows as a gate kept them — texts — read back into places and columns, for people."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: where a received row lies: file, row (or byte), then the row itself
_PLACE = re.compile(r"(?P<file>\S.*?) (?:row )?(?P<row>\d+) (?P<rest>.*)", re.DOTALL)
#: columns that say which thing a row is about, where no key is known
_LEADING = 4


@dataclass(frozen=True)
class Sample:
    """A failing row: where it lies (empty if it was computed, not received), its columns if it has some, its text."""

    place: str
    row: dict[str, str] | None
    text: str


def read_sample(text: str, level: str) -> Sample:
    """Read one kept text; those of row checks begin with their place."""
    place, rest = "", text
    if level == "row" and (found := _PLACE.fullmatch(text)):
        place, rest = f"{show_plain(found['file'])}:{found['row']}", found["rest"]
    return Sample(place, _read_row(rest), show_plain(rest))


def choose_columns(samples: Iterable[Sample], key: Sequence[str], looked_at: Sequence[str]) -> list[str]:
    """Return the columns of failing rows, those that matter first: the key, what the check looks at, then the rest."""
    names = list(dict.fromkeys(name for sample in samples for name in sample.row or {}))
    leading = [name for name in key if name in names] or names[:_LEADING]
    return list(dict.fromkeys([*leading, *(name for name in looked_at if name in names), *names]))


def count_texts(samples: Iterable[Sample]) -> list[tuple[str, str]]:
    """Return place and text of failing rows without columns; equal ones once, with how often they came."""
    counts = Counter((sample.place, sample.text) for sample in samples)
    return [(place, text if n == 1 else f"{text} ×{n}") for (place, text), n in counts.items()]


def show_plain(text: str) -> str:
    """Return a text with line ends, control characters and invisible marks written out: what came is not trusted."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _read_row(text: str) -> dict[str, str] | None:
    if not text.startswith("{"):
        return None
    try:
        values = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        # A packet or a torn line: shown as it came.
        return None
    return {show_plain(name): _show_value(value) for name, value in values.items()}


def _show_value(value: Any) -> str:
    if value is None:
        return "–"
    return show_plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
