"""One published table on both sides: which columns are compared, by which key, and the period of a row.

Belongs here: SQL that follows from a table's columns. Does not belong here: what a difference means (changes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tanhuan.errors import TanhuanError
from tanhuan.gates.suites import Suite

#: the name under which the last publication is attached to the warehouse
PUBLISHED = "published_before"

#: how a table's columns tell the period of a row; the first whose columns are all there
_PERIODS = (
    (("business_date",), "business_date", "business_date"),
    (("period_start_date", "period_end_date"), "period_start_date", "period_end_date"),
    (
        ("period_start_date", "period_kind"),
        "period_start_date",
        "last_day(period_start_date + if(period_kind = 'year', interval 11 months, interval 0 months))",
    ),
    (("month_start_date",), "month_start_date", "last_day(month_start_date)"),
    (("month_date",), "month_date", "last_day(month_date)"),
    (("half_start_date",), "half_start_date", "last_day(half_start_date + interval 5 months)"),
    (("start_date", "end_at"), "start_date", "end_at::date"),
    (("year", "due_date"), "make_date(year, 1, 1)", "greatest(make_date(year, 12, 31), due_date)"),
    (("year",), "make_date(year, 1, 1)", "make_date(year, 12, 31)"),
    (("eval_year",), "make_date(eval_year, 1, 1)", "make_date(eval_year, 12, 31)"),
)


@dataclass(frozen=True)
class TablePair:
    """One table on both sides; `old` and `new` are the types of its columns."""

    name: str
    grain: tuple[str, ...]
    old: dict[str, str]
    new: dict[str, str]

    @property
    def is_comparable(self) -> bool:
        """Whether both sides have the columns of the key."""
        return set(self.grain) <= self.old.keys() & self.new.keys()

    @cached_property
    def columns(self) -> list[str]:
        """The columns to compare: those of both sides, without what moves with the clock or repeats the others."""
        return [c for c in self.new if c in self.old and c != "as_of_date" and not c.endswith("_hash")]

    @property
    def quoted(self) -> str:
        """The same as a list for SQL."""
        return ", ".join(f'"{c}"' for c in self.columns)

    def select_differing(self) -> str:
        """Return the statement that makes `differing`: a row per key that differs, with its cells, and its period."""
        keys = " and ".join(f'o."{c}" is not distinct from n."{c}"' for c in self.grain)
        key = ", ".join(f'"{c}": coalesce(n."{c}", o."{c}")' for c in self.grain)
        values = [c for c in self.columns if c not in self.grain]
        differs = {c: self._compare(c) for c in values}
        cells = ", ".join(self._cell(c, differs[c]) for c in values)
        start, end = self._period("n"), self._period("o")
        return f"""
            create or replace temp table differing as
            with pair as (
                select
                    to_json({{{key}}})::varchar as row_key,
                    case when o._there is null then 'added' when n._there is null then 'removed' else 'changed' end
                        as change,
                    coalesce({start[0]}, {end[0]}) as period_start,
                    coalesce({start[1]}, {end[1]}) as period_end,
                    case
                        when o._there is null then [{self._row_cell("n", values)}]
                        when n._there is null then [{self._row_cell("o", values)}]
                        else list_filter([{cells}], lambda cell: cell.differs)
                    end as cells
                from (select *, true as _there from {PUBLISHED}.{self.name}) as o
                full join (select *, true as _there from main.{self.name}) as n on {keys}
                where o._there is null or n._there is null{"".join(f" or {d}" for d in differs.values())}
            )
            select *, len(cells) as value_count from pair
        """

    def _compare(self, column: str) -> str:
        old, new = f'o."{column}"', f'n."{column}"'
        if self.old[column] != self.new[column] and not self._is_number(column):
            old, new = f"{old}::varchar", f"{new}::varchar"
        return f"{old} is distinct from {new}"

    def _cell(self, column: str, differs: str) -> str:
        relative = "null"
        if self._is_number(column):
            old, new = f'o."{column}"::double', f'n."{column}"::double'
            relative = f"({new} - {old}) / nullif(abs({old}), 0)"
        return (
            f'{{column_name: \'{column}\', old_value: o."{column}"::varchar, new_value: n."{column}"::varchar, '
            f"relative_change: {relative}::double, differs: {differs}}}"
        )

    def _row_cell(self, side: str, values: list[str]) -> str:
        row = ", ".join(f'"{c}": {side}."{c}"' for c in values)
        text = f"to_json({{{row}}})::varchar" if values else "null::varchar"
        old, new = ("null::varchar", text) if side == "n" else (text, "null::varchar")
        return (
            f"{{column_name: null::varchar, old_value: {old}, new_value: {new}, relative_change: null::double, "
            "differs: true}"
        )

    def _is_number(self, column: str) -> bool:
        kinds = (self.old[column], self.new[column])
        return all(k in ("INTEGER", "BIGINT", "DOUBLE", "HUGEINT") or k.startswith("DECIMAL") for k in kinds)

    def _period(self, side: str) -> tuple[str, str]:
        for needed, start, end in _PERIODS:
            if set(needed) <= set(self.columns):
                for column in needed:
                    start, end = (text.replace(column, f"{side}.{column}") for text in (start, end))
                return start, end
        return "null::date", "null::date"


def find_grain(suite: Suite) -> tuple[str, ...]:
    """Return the columns of which gate 2 demands that they are unique: the key of a table's rows.

    Raises:
        TanhuanError: the suite demands it of none.
    """
    for check in suite.checks:
        expectation = check.expectation or {}
        if expectation.get("type") == "expect_column_values_to_be_unique":
            return (expectation["kwargs"]["column"],)
        if expectation.get("type") == "expect_compound_columns_to_be_unique":
            return tuple(expectation["kwargs"]["column_list"])
    raise TanhuanError(
        f"expectations/mart/{suite.table}.json does not say which columns are unique, so its rows cannot be compared.",
        "add expect_compound_columns_to_be_unique with the table's key.",
    )
