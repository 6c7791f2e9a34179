"""Row-level expectations as SQL predicates, so that one pass of DuckDB splits a batch with every reason.

Great Expectations counts failures but never hands out all failing rows; the split therefore is ours. That both mean
the same is promised by a test over random rows, and checked again on every accepted batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tanhuan.gates.suites import Check

_QUERY_PREFIX = "SELECT * FROM {batch} WHERE "


def compile_failing(check: Check) -> str:
    """Return the SQL predicate that is true for a row which fails the check (never NULL-sensitive by accident).

    Raises:
        KeyError: the expectation type has no row form here; the sentence names the check and the known types.
    """
    if check.failing is not None:
        return check.failing
    assert check.expectation is not None, f"{check.id} has neither a predicate nor an expectation"
    kind = check.expectation["type"]
    if kind not in _COMPILERS:
        raise KeyError(f"{check.id}: {kind} has no row form; use one of {', '.join(sorted(_COMPILERS))}")
    return _COMPILERS[kind](check.expectation["kwargs"])


def quote(value: Any) -> str:
    """Return a SQL literal for a JSON scalar."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _not_null(kwargs: dict[str, Any]) -> str:
    return f"{kwargs['column']} is null"


def _between(kwargs: dict[str, Any]) -> str:
    column, failing = kwargs["column"], []
    if (low := kwargs.get("min_value")) is not None:
        failing.append(f"{column} {'<=' if kwargs.get('strict_min') else '<'} {quote(low)}")
    if (high := kwargs.get("max_value")) is not None:
        failing.append(f"{column} {'>=' if kwargs.get('strict_max') else '>'} {quote(high)}")
    return " or ".join(failing)


def _in_set(kwargs: dict[str, Any]) -> str:
    values = ", ".join(quote(v) for v in kwargs["value_set"])
    return f"{kwargs['column']} not in ({values})"


def _match_regex(kwargs: dict[str, Any]) -> str:
    return f"not regexp_matches({kwargs['column']}, {quote(kwargs['regex'])})"


def _pair_greater(kwargs: dict[str, Any]) -> str:
    operator = "<" if kwargs.get("or_equal") else "<="
    return f"{kwargs['column_A']} {operator} {kwargs['column_B']}"


def _query(kwargs: dict[str, Any]) -> str:
    query = kwargs["unexpected_rows_query"]
    assert query.startswith(_QUERY_PREFIX), f"a row-level query starts with {_QUERY_PREFIX!r}, got {query!r}"
    return query.removeprefix(_QUERY_PREFIX)


_COMPILERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_match_regex": _match_regex,
    "expect_column_pair_values_a_to_be_greater_than_b": _pair_greater,
    "unexpected_rows_expectation": _query,
}
