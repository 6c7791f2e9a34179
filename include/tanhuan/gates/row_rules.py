"""Row-level expectations as SQL predicates, so that one pass of DuckDB splits a batch with every reason.

Great Expectations counts failures but never hands out all failing rows; the split therefore is ours. That both mean
the same is promised by a test over random rows, and checked again on every accepted batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tanhuan.duck import quote
from tanhuan.gates.suites import Check

#: how the query of a row check begins; what follows is true for a failing row
QUERY_PREFIX = "SELECT * FROM {batch} WHERE "


def compile_failing(check: Check) -> str:
    """Return the SQL predicate that is true for a row which fails the check (never NULL-sensitive by accident).

    Raises:
        KeyError: the expectation, or one of its arguments, has no row form here; the sentence names the known ones.
    """
    if check.failing is not None:
        return check.failing
    assert check.expectation is not None, f"{check.id} has neither a predicate nor an expectation"
    kind, kwargs = check.expectation["type"], check.expectation["kwargs"]
    if kind not in _COMPILERS:
        raise KeyError(f"{check.id}: {kind} has no row form; use one of {', '.join(sorted(_COMPILERS))}")
    known, compiled = _COMPILERS[kind]
    # An argument such as `mostly` or `row_condition` would change the answer of Great Expectations and not the split.
    if unknown := sorted(set(kwargs) - set(known)):
        raise KeyError(f"{check.id}: {kind} has no row form with {', '.join(unknown)}; use only {', '.join(known)}")
    return compiled(kwargs)


def _null(kwargs: dict[str, Any]) -> str:
    return f"{_name(kwargs)} is not null"


def _not_null(kwargs: dict[str, Any]) -> str:
    return f"{_name(kwargs)} is null"


def _between(kwargs: dict[str, Any]) -> str:
    return _outside(_name(kwargs), kwargs)


def _length_between(kwargs: dict[str, Any]) -> str:
    return _outside(f"length({_name(kwargs)})", kwargs)


def _length_equal(kwargs: dict[str, Any]) -> str:
    return f"length({_name(kwargs)}) <> {quote(kwargs['value'])}"


def _in_set(kwargs: dict[str, Any]) -> str:
    return f"{_name(kwargs)} not in ({_members(kwargs)})"


def _not_in_set(kwargs: dict[str, Any]) -> str:
    return f"{_name(kwargs)} in ({_members(kwargs)})"


def _match_regex(kwargs: dict[str, Any]) -> str:
    return f"not {_not_match_regex(kwargs)}"


def _not_match_regex(kwargs: dict[str, Any]) -> str:
    return f"regexp_matches({_name(kwargs)}, {quote(kwargs['regex'])})"


def _pair_greater(kwargs: dict[str, Any]) -> str:
    operator = "<" if kwargs.get("or_equal") else "<="
    return f"{_name(kwargs, 'column_A')} {operator} {_name(kwargs, 'column_B')}"


def _pair_equal(kwargs: dict[str, Any]) -> str:
    # Great Expectations leaves a pair out only if both are missing; one that is missing is not equal to the other.
    return f"{_name(kwargs, 'column_A')} is distinct from {_name(kwargs, 'column_B')}"


def _query(kwargs: dict[str, Any]) -> str:
    query = kwargs["unexpected_rows_query"]
    assert query.startswith(QUERY_PREFIX), f"a row-level query starts with {QUERY_PREFIX!r}, got {query!r}"
    return query.removeprefix(QUERY_PREFIX)


def _name(kwargs: dict[str, Any], argument: str = "column") -> str:
    return '"' + kwargs[argument].replace('"', '""') + '"'


def _members(kwargs: dict[str, Any]) -> str:
    # Great Expectations leaves NULL out of a set, too; in SQL it would make every comparison NULL.
    members = [quote(value) for value in kwargs["value_set"] if value is not None]
    assert members, f"the set of {kwargs['column']} has no members"
    return ", ".join(members)


def _outside(value: str, kwargs: dict[str, Any]) -> str:
    failing = []
    if (low := kwargs.get("min_value")) is not None:
        failing.append(f"{value} {'<=' if kwargs.get('strict_min') else '<'} {quote(low)}")
    if (high := kwargs.get("max_value")) is not None:
        failing.append(f"{value} {'>=' if kwargs.get('strict_max') else '>'} {quote(high)}")
    assert failing, f"{kwargs['column']} has neither a min_value nor a max_value"
    return " or ".join(failing)


_BOUNDS = ("min_value", "max_value", "strict_min", "strict_max")
#: expectation type -> the arguments it may have, and how it is compiled
_COMPILERS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], str]]] = {
    "expect_column_values_to_be_null": (("column",), _null),
    "expect_column_values_to_not_be_null": (("column",), _not_null),
    "expect_column_values_to_be_between": (("column", *_BOUNDS), _between),
    "expect_column_value_lengths_to_be_between": (("column", *_BOUNDS), _length_between),
    "expect_column_value_lengths_to_equal": (("column", "value"), _length_equal),
    "expect_column_values_to_be_in_set": (("column", "value_set"), _in_set),
    "expect_column_values_to_not_be_in_set": (("column", "value_set"), _not_in_set),
    "expect_column_values_to_match_regex": (("column", "regex"), _match_regex),
    "expect_column_values_to_not_match_regex": (("column", "regex"), _not_match_regex),
    "expect_column_pair_values_a_to_be_greater_than_b": (("column_A", "column_B", "or_equal"), _pair_greater),
    "expect_column_pair_values_to_be_equal": (("column_A", "column_B"), _pair_equal),
    "unexpected_rows_expectation": (("unexpected_rows_query",), _query),
}
