"""Each kind of row rule as SQL: which rows fail, with the values that usually break quoting."""

from __future__ import annotations

from typing import Any

import pytest

from tanhuan.duck import open_memory
from tanhuan.gates.row_rules import compile_failing, quote
from tanhuan.gates.suites import Check

#: (kind, what it says) → rows of (a, b, word) that fail
ROWS = [(1, 1, "ok"), (2, 1, "it's"), (3, 5, 'a "b"'), (None, 1, None), (4, None, "O'Neill; drop table rows --")]


def make_check(kind: str, **kwargs: Any) -> Check:
    return Check("T-1", "row", "refuse_row", "critical", "", "", "", {"type": kind, "kwargs": kwargs})


def find_failing(check: Check) -> list[int]:
    """Return the numbers of the rows that fail; a NULL answer is no failure."""
    with open_memory() as con:
        con.execute("create table rows (n integer, a decimal(9, 2), b decimal(9, 2), word varchar)")
        con.executemany("insert into rows values (?, ?, ?, ?)", [[n, *row] for n, row in enumerate(ROWS)])
        found = con.execute(f"select n from rows where {compile_failing(check)} order by n").fetchall()
        assert con.execute("select count(*) from rows").fetchone() == (len(ROWS),)
    return [n for (n,) in found]


@pytest.mark.parametrize(
    ("kind", "kwargs", "failing"),
    [
        ("expect_column_values_to_not_be_null", {"column": "a"}, [3]),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 2, "max_value": 3}, [0, 4]),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 2, "strict_min": True}, [0, 1]),
        ("expect_column_values_to_be_between", {"column": "a", "max_value": 3, "strict_max": True}, [2, 4]),
        ("expect_column_values_to_be_between", {"column": "a", "min_value": 0}, []),
        ("expect_column_values_to_be_in_set", {"column": "word", "value_set": ["ok", "it's", 'a "b"']}, [4]),
        ("expect_column_values_to_be_in_set", {"column": "word", "value_set": ["ok", None]}, [1, 2, 4]),
        ("expect_column_values_to_not_be_in_set", {"column": "word", "value_set": ["it's", None]}, [1]),
        ("expect_column_values_to_be_null", {"column": "word"}, [0, 1, 2, 4]),
        ("expect_column_value_lengths_to_be_between", {"column": "word", "min_value": 3, "max_value": 7}, [0, 4]),
        ("expect_column_value_lengths_to_equal", {"column": "word", "value": 4}, [0, 2, 4]),
        ("expect_column_values_to_match_regex", {"column": "word", "regex": "^[a-z']+$"}, [2, 4]),
        ("expect_column_values_to_not_match_regex", {"column": "word", "regex": "'"}, [1, 4]),
        ("expect_column_pair_values_to_be_equal", {"column_A": "a", "column_B": "b"}, [1, 2, 3, 4]),
        ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "a", "column_B": "b"}, [0, 2]),
        (
            "expect_column_pair_values_a_to_be_greater_than_b",
            {"column_A": "a", "column_B": "b", "or_equal": True},
            [2],
        ),
        (
            "unexpected_rows_expectation",
            {"unexpected_rows_query": "SELECT * FROM {batch} WHERE word = 'it''s' OR a > 3"},
            [1, 4],
        ),
    ],
)
def test_a_rule_finds_exactly_its_rows(kind: str, kwargs: dict[str, Any], failing: list[int]) -> None:
    assert find_failing(make_check(kind, **kwargs)) == failing


def test_a_rule_without_a_row_form_names_itself_and_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"T-1: expect_table_row_count_to_equal has no row form; use one of expect_"):
        compile_failing(make_check("expect_table_row_count_to_equal", value=1))


@pytest.mark.parametrize(("argument", "value"), [("mostly", 0.9), ("row_condition", "b > 1")])
def test_an_argument_that_the_split_cannot_honour_is_refused(argument: str, value: Any) -> None:
    with pytest.raises(KeyError, match=f"T-1: expect_column_values_to_be_null has no row form with {argument}"):
        compile_failing(make_check("expect_column_values_to_be_null", column="a", **{argument: value}))


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("expect_column_values_to_be_in_set", {"column": "word", "value_set": [None]}),
        ("expect_column_values_to_be_between", {"column": "a", "strict_min": True}),
    ],
)
def test_a_rule_that_says_nothing_is_refused(kind: str, kwargs: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=f"{kwargs['column']} has n"):
        compile_failing(make_check(kind, **kwargs))


def test_a_column_may_be_called_like_a_word_of_sql() -> None:
    with open_memory() as con:
        con.execute('create table rows ("order" integer)')
        rule = compile_failing(make_check("expect_column_values_to_not_be_null", column="order"))
        assert con.execute(f"select * from rows where {rule}").fetchall() == []


def test_a_query_that_is_no_row_query_is_refused() -> None:
    check = make_check("unexpected_rows_expectation", unexpected_rows_query="SELECT count(*) FROM {batch}")
    with pytest.raises(AssertionError, match="a row-level query starts with"):
        compile_failing(check)


def test_a_predicate_of_the_contract_is_taken_as_it_is() -> None:
    check = Check("C-1", "row", "refuse_row", "critical", "", "", "", None, "a is null")
    assert compile_failing(check) == "a is null"


@pytest.mark.parametrize("value", ["it's", "''", "湘潭", "", "\\", 1, -1.5, 0.1, True, False])
def test_a_literal_means_the_value(value: Any) -> None:
    with open_memory() as con:
        found = con.execute(f"select {quote(value)}, {quote(value)} = $1", [value]).fetchone()
    assert found is not None
    assert found[1] is True
