"""Random rows around every edge that a table's checks name: values just inside, on and just outside of it.

Rows are texts that are cast to the types of their columns; what does not fit becomes NULL.
"""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa

from tanhuan.gates.suites import Check

#: texts that break quoting, patterns or the eye; each must mean the same to both sides
NASTY = (
    "",
    " ",
    "'",
    "''",
    '"',
    "\\",
    "%",
    "O'Neill",
    "a;--",
    "x\n",
    "ＡＢ",
    "Ⅱ",
    "II",
    "０",
    "NaN",
    "null",
    "$1",
    ":a",
)
LOOKALIKES = str.maketrans({"0": "O", "1": "I", "A": "А", "P": "Р", "Ⅱ": "Ⅲ", "牌": "排", "(": "（"})
DATES = ("1999-12-31", "2016-01-01", "2020-01-01", "2020-02-29", "2025-12-31", "2026-03-01", "2099-01-01")
_WORD = r"\b{}\b"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

Row = dict[str, str | None]


@dataclass(frozen=True)
class Edges:
    """What one check says about values: the columns it names, and the texts, numbers and dates."""

    columns: list[str]
    texts: list[str]
    numbers: list[Decimal]
    dates: list[str]

    @staticmethod
    def of(check: Check, columns: Sequence[str]) -> Edges:
        assert check.expectation is not None
        kwargs = check.expectation["kwargs"]
        query = kwargs.get("unexpected_rows_query", "")
        texts = [str(v) for v in kwargs.get("value_set", []) if v is not None]
        texts += [t for quoted in re.findall(r"'((?:[^']|'')*)'", query) for t in re.split(r"[|%()^$]+", quoted) if t]
        words = re.sub(r"'(?:[^']|'')*'", "''", query)
        bounds = [str(kwargs[k]) for k in ("min_value", "max_value", "value") if kwargs.get(k) is not None]
        dates = [d for b in bounds + texts for d in _DATE.findall(b)]
        numbers = [b for b in bounds if not _DATE.search(b)] + re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", words)
        named = {kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs}
        named |= {c for c in columns if re.search(_WORD.format(c), words, re.IGNORECASE)}
        return Edges(sorted(named), texts, sorted({Decimal(n) for n in numbers}), dates)


@dataclass
class Maker:
    """Makes rows of a table for its checks, from good rows if there are any.

    `extremes`: whether a number may also be the largest that its type holds, as in what others send.
    """

    columns: dict[str, str]
    checks: list[Check]
    good: list[dict[str, Any]]
    rng: random.Random
    extremes: bool = True
    edges: dict[str, Edges] = field(init=False)

    def __post_init__(self) -> None:
        self.edges = {c.id: Edges.of(c, list(self.columns)) for c in self.checks}

    @cached_property
    def naming(self) -> dict[str, list[Edges]]:
        """The checks that name a column."""
        return {c: [e for e in self.edges.values() if c in e.columns] for c in self.columns}

    def make(self, count: int) -> list[Row]:
        """Make rows, each bent at one check in turn."""
        return [self._bend(self._start(), self.edges[self.checks[n % len(self.checks)].id]) for n in range(count)]

    def _start(self) -> Row:
        if self.good and self.rng.random() < 0.8:
            known = self.rng.choice(self.good)
            return {c: as_text(known.get(c)) for c in self.columns}
        row: Row = dict.fromkeys(self.columns)
        for column in self.rng.sample(list(self.columns), len(self.columns)):
            row[column] = self._draw(column, self.rng.choice(self.naming[column] or [_NONE]), row)
        return row

    def _bend(self, row: Row, edges: Edges) -> Row:
        for column in self.rng.choices(edges.columns, k=self.rng.choice((1, 1, 2, 3, 4))):
            row[column] = self._draw(column, edges, row)
        if self.rng.random() < 0.1:
            column = self.rng.choice(list(self.columns))
            row[column] = self._draw(column, _NONE, row)
        return row

    def _draw(self, column: str, edges: Edges, row: Row) -> str | None:
        if self.rng.random() < 0.12:
            return None
        kind = self.columns[column].upper()
        if kind == "VARCHAR":
            return self._draw_text(column, edges, row)
        if kind == "BOOLEAN":
            return self.rng.choice(("true", "false"))
        if kind == "DATE" or kind.startswith("TIMESTAMP"):
            return self._draw_moment(column, edges, row)
        return self._draw_number(column, edges, row)

    def _draw_text(self, column: str, edges: Edges, row: Row) -> str:
        others = [t for name in edges.columns if (t := row.get(name)) is not None]
        pick = self.rng.random()
        if pick < 0.45 and edges.texts:
            return self.rng.choice(edges.texts)
        if pick < 0.6 and others:
            return self.rng.choice(others)
        if pick < 0.7:
            return self.rng.choice(NASTY)
        if pick < 0.75:
            return str(self.rng.choice((0, 12, 2020, "2025Q3", "13800000000", "0.025L", "<0.025", "0.5")))
        return self._spoil(row.get(column) or self.rng.choice([*edges.texts, *others, "x"]))

    def _spoil(self, text: str) -> str:
        """Change a text in a way that is easily overlooked."""
        at = self.rng.randrange(len(text) + 1)
        ways = (
            text[:at] + text[at + 1 :],
            text[:at] + self.rng.choice("0OIVX 9a牌'\n") + text[at:],
            text[:at] + self.rng.choice("0OIVX 9a牌'\n") + text[at + 1 :],
            text.translate(LOOKALIKES),
            text.replace("0", "O", 1),
            text.swapcase(),
            text + " ",
            text + "单位",
        )
        return self.rng.choice(ways)

    def _draw_number(self, column: str, edges: Edges, row: Row) -> str:
        kind = self.columns[column].upper()
        step = _smallest_step(kind)
        if kind in ("DOUBLE", "FLOAT") and self.rng.random() < 0.2:
            return self.rng.choice(("nan", "inf", "-inf", "-0.0"))
        if self.extremes and self.rng.random() < 0.02:
            return self.rng.choice(("", "-")) + _largest(kind)
        others = [Decimal(t) for n in edges.columns if (t := row.get(n)) and re.fullmatch(r"-?\d+(\.\d+)?", t)]
        years = [Decimal(t[:4]) for t in self._list_moments(row)]
        numbers = edges.numbers or [Decimal(0), Decimal(100)]
        pick = self.rng.random()
        if pick < 0.5 or not others:
            value = self.rng.choice(numbers)
        elif pick < 0.8:
            value = self.rng.choice(others) * self.rng.choice([Decimal(1), *numbers])
        elif pick < 0.9 or not years:
            value = sum(self.rng.sample(others, min(len(others), 2)), Decimal(0))
        else:
            value = self.rng.choice(years)
        value += self.rng.choice((0, 0, step, -step, 1, -1, value, -2 * value))
        return format(round(value / step) * step, "f")

    def _draw_moment(self, column: str, edges: Edges, row: Row) -> str:
        others = self._list_moments(row)
        start = self.rng.choice(others if others and self.rng.random() < 0.6 else [*DATES, *edges.dates])
        moment = dt.datetime.fromisoformat(start[:10])
        days = [0, 0, 1, 366, *(int(n) for n in edges.numbers if n < 2000)]
        moment += dt.timedelta(days=self.rng.choice((1, -1)) * (self.rng.choice(days) + self.rng.choice((0, 0, 1))))
        years = self.rng.choice([0, 0, 0, 1, *(int(n) for n in edges.numbers if n < 20)])
        moment = moment.replace(year=min(moment.year + years, 2200), day=min(moment.day, 28 if years else 31))
        if self.columns[column].upper() == "DATE":
            return moment.date().isoformat()
        moment += dt.timedelta(
            hours=self.rng.choice((0, 0, 3, 23)),
            minutes=self.rng.choice((0, 0, 0, 30)),
            microseconds=self.rng.choice((0, 0, 1)),
        )
        return moment.isoformat() + "+08:00"

    def _list_moments(self, row: Row) -> list[str]:
        return [t for c, t in row.items() if t and self.columns[c].upper().startswith(("DATE", "TIMESTAMP"))]


_NONE = Edges([], [], [], [])


def as_text(value: Any) -> str | None:
    """Return a value as DuckDB reads it back from a text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _smallest_step(kind: str) -> Decimal:
    if found := re.fullmatch(r"DECIMAL\(\d+, ?(\d+)\)", kind):
        return Decimal(1).scaleb(-int(found[1]))
    return Decimal("0.000001") if kind in ("DOUBLE", "FLOAT") else Decimal(1)


def _largest(kind: str) -> str:
    if found := re.fullmatch(r"DECIMAL\((\d+), ?(\d+)\)", kind):
        return "9" * (int(found[1]) - int(found[2])) + "." + "9" * int(found[2])
    return {"INTEGER": "2147483647", "BIGINT": "9223372036854775807"}.get(kind, "1e300")


def store_rows(con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, str], rows: list[Row]) -> None:
    """Create a table of rows, numbered by `row_id`."""
    texts = pa.table({c: pa.array([r[c] for r in rows], pa.string()) for c in columns})
    con.register("texts", texts.append_column("row_id", pa.array(range(len(rows)), pa.int64())))
    cast = ", ".join(f'try_cast("{c}" as {kind}) as "{c}"' for c, kind in columns.items())
    con.execute(f'create or replace table "{table}" as select row_id, {cast} from texts')
    con.unregister("texts")


def choose_rows(
    con: duckdb.DuckDBPyConnection, table: str, judged: str, failing: Sequence[str], limit: int, rng: random.Random
) -> None:
    """Keep at most `limit` rows of a table, so that every predicate is true for some and not for others, if it can.

    `judged` is a view of the table in which the predicates can be asked.
    """
    everything, chosen = find_ids(con, judged, "true"), set[int]()
    share = limit // (4 * max(1, len(failing))) + 1
    for predicate in failing:
        found = find_ids(con, judged, predicate)
        for rows in (sorted(found), sorted(everything - found)):
            chosen |= set(rng.sample(rows, min(len(rows), share)))
    kept = rng.sample(sorted(chosen), min(limit, len(chosen)))
    others = sorted(everything - set(kept))
    kept += rng.sample(others, min(len(others), limit - len(kept)))
    con.execute(f'delete from "{table}" where row_id not in (select unnest($1))', [kept])


def find_ids(con: duckdb.DuckDBPyConnection, judged: str, predicate: str) -> set[int]:
    """Return the numbers of the rows for which a predicate is true."""
    return {row[0] for row in con.execute(f'select row_id from "{judged}" where {predicate}').fetchall()}
