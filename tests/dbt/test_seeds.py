"""The rules are what their documents say: the plan's tables cell by cell, and every rule dated and cited."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tanhuan.duck import open_warehouse
from tanhuan.settings import Settings, get_settings
from tests.dbt.conftest import DATA

SEEDS = sorted((get_settings().dbt_project / "seeds").glob("*.csv"))
CONFIDENCES = {"verified", "memory", "unsure", "design"}
#: facts of one document rather than rules that hold for a while; their date is the document's or the point's own
UNDATED = {
    "assessment_cause",
    "plan",
    "plan_assessment_point",
    "plan_baseline",
    "plan_commitment",
    "plan_guard",
    "plan_indicator",
    "plan_indicator_formula",
    "plan_indicator_region",
    "plan_note",
    "plan_path",
    "plan_verdict_rule",
    "pollutant",
}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def fetch(settings: Settings, sql: str) -> list[dict[str, Any]]:
    with open_warehouse(settings, read_only=True) as con:
        answer = con.execute(sql)
        names = [c[0] for c in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def read_plan(settings: Settings, plan_id: str) -> list[dict[str, Any]]:
    return fetch(settings, f"select * from rules.plan_indicator where plan_id = '{plan_id}' order by indicator_no")


def cells(rows: list[dict[str, Any]], columns: dict[str, str]) -> list[dict[str, str]]:
    """Return rows under other names of their columns; an empty cell is an empty text."""
    return [{theirs: str(row[ours] or "") for theirs, ours in columns.items()} for row in rows]


def test_the_14th_plan_is_its_table_2_word_for_word(two_nights: Settings) -> None:
    printed = read_csv(DATA / "plan_table_2.csv")
    verbatim = ("category", "indicator", "baseline_raw", "target_raw", "attribute")
    ours = cells(read_plan(two_nights, "14"), {"t2_no": "indicator_no"} | {n: n for n in verbatim})
    assert ours == [{name: row[name] for name in ("t2_no", *verbatim)} for row in printed]
    assert Counter(r["attribute"] for r in printed) == {"约束性": 15, "指导性": 13}


def test_the_14th_plan_is_read_as_the_rules_of_the_field_read_it(two_nights: Settings) -> None:
    printed = read_csv(DATA / "plan_table_2.csv")
    ours = read_plan(two_nights, "14")
    assert [(r["kind"], r["direction"], r["op"] or "") for r in ours] == [
        (r["kind"], r["dir"], r["op"]) for r in printed
    ]
    numeric = [(r["indicator_no"], r["target_num"]) for r in ours if r["kind"] == "N"]
    assert numeric == [(int(r["t2_no"]), Decimal(r["target_num"])) for r in printed if r["kind"] == "N"]
    assert Counter(r["kind"] for r in ours) == {"N": 12, "P": 11, "Q": 5}
    assert not [r["indicator_no"] for r in ours if r["kind"] == "P" and r["target_num"] is not None], (
        "what only the province can name is not known from the plan"
    )


def test_the_13th_plan_is_its_table_1_word_for_word(two_nights: Settings) -> None:
    printed = read_csv(DATA / "plan_table_1.csv")
    verbatim = ("category", "indicator", "target_raw", "actual_raw", "attribute")
    ours = cells(read_plan(two_nights, "13"), {"t1_no": "indicator_no"} | {n: n for n in verbatim})
    assert ours == printed
    assert Counter(r["attribute"] for r in printed) == {"约束性": 9, "指导性": 18}


def test_both_baselines_of_air_are_kept(two_nights: Settings) -> None:
    rows = fetch(
        two_nights,
        "select indicator_no, year, value from rules.plan_baseline "
        "where plan_id = '14' and indicator_no in (1, 2) order by indicator_no, year",
    )
    assert [(r["indicator_no"], r["year"], r["value"]) for r in rows] == [
        (1, 2019, Decimal("74.2")),
        (1, 2020, Decimal("86.1")),
        (2, 2019, Decimal(48)),
        (2, 2020, Decimal(39)),
    ]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda p: p.stem)
def test_every_rule_names_its_source_and_how_far_it_was_checked(seed: Path) -> None:
    rows = read_csv(seed)
    assert rows
    for row in rows:
        assert row["source_doc"].strip(), row
        assert row["confidence"] in CONFIDENCES, row


@pytest.mark.parametrize("seed", [p for p in SEEDS if p.stem not in UNDATED], ids=lambda p: p.stem)
def test_every_rule_is_dated(seed: Path) -> None:
    for row in read_csv(seed):
        first = dt.date.fromisoformat(row["valid_from"])
        assert not row["valid_to"] or first <= dt.date.fromisoformat(row["valid_to"]), row


def test_one_edition_at_a_time(two_nights: Settings) -> None:
    overlapping = fetch(
        two_nights,
        """
        select a.domain, a.standard_code, b.standard_code as other
        from rules.standard_version as a
        inner join rules.standard_version as b
            on a.domain = b.domain and a.standard_code < b.standard_code
            and a.valid_from <= coalesce(b.valid_to, date '9999-12-31')
            and b.valid_from <= coalesce(a.valid_to, date '9999-12-31')
        where a.domain in ('aqi', 'ambient_limit', 'ambient_evaluation')
        """,
    )
    assert overlapping == []


def test_the_old_limits_end_on_the_day_before_the_new_ones_begin(two_nights: Settings) -> None:
    rows = fetch(
        two_nights,
        "select distinct standard_code, valid_from, valid_to from rules.aqi_breakpoint order by valid_from",
    )
    assert [(r["standard_code"], r["valid_to"]) for r in rows] == [
        ("HJ 633-2012", dt.date(2026, 2, 28)),
        ("HJ 633-2026", None),
    ]
    assert rows[1]["valid_from"] == dt.date(2026, 3, 1)
