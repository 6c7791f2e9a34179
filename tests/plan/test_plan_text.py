"""The seeds are what the plan says: both tables cell by cell, every promise and every quotation word for word."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest

from tanhuan.settings import get_settings
from tests.plan.plan_text import read_table, says, squeeze

SEEDS = get_settings().dbt_project / "seeds"
TABLES = {
    "13": ("指标完成情况表", ("indicator_no", "category", "indicator", "target_raw", "actual_raw", "attribute")),
    "14": (
        "生态环境保护规划指标体系",
        ("indicator_no", "category", "indicator", "unit", "baseline_raw", "target_raw", "attribute"),
    ),
}


def read_seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize(("plan_id", "rows", "binding"), [("13", 27, 9), ("14", 28, 15)])
def test_a_plans_table_is_in_the_seed_cell_by_cell(plan_id: str, rows: int, binding: int) -> None:
    title, columns = TABLES[plan_id]
    printed = read_table(title, len(columns))
    assert len(printed) == rows
    assert Counter(row[-1] for row in printed) == {"约束性": binding, "指导性": rows - binding}
    ours = [[row[c] for c in columns] for row in read_seed("plan_indicator") if row["plan_id"] == plan_id]
    # A unit of “-” is no unit; the text breaks 污染控制 and 达到省级指标要求 over two lines.
    unit = columns.index("unit") if "unit" in columns else -1
    for row in printed:
        if unit > 0 and row[unit] == "-":
            row[unit] = ""
    assert [[squeeze(cell) for cell in row] for row in ours] == [[squeeze(cell) for cell in row] for row in printed]


def test_every_promise_is_the_plans_own_phrase_in_the_section_named() -> None:
    promises = read_seed("plan_commitment")
    assert {int(re.findall(r"\d+", row["commitment_id"])[0]) for row in promises} == set(range(1, 21))
    for row in promises:
        assert says(row["commitment_zh"]), row
        assert says(row["due_text"]), row
    assert not says("到2025年，规模养殖场粪污处理设施装备配套率达到99%")


def test_a_number_of_a_promise_stands_in_its_phrase() -> None:
    for row in read_seed("plan_commitment"):
        if row["target_value"]:
            phrase = row["commitment_zh"].replace("％", "%")
            number = row["target_value"] + ("%" if row["unit"] == "%" else "")
            assert number in phrase, row


def test_every_quotation_of_a_note_stands_in_the_plan() -> None:
    for row in read_seed("plan_note"):
        quotations = re.findall("「(.+?)」", row["note_zh"])
        assert quotations, row
        for quotation in quotations:
            assert says(quotation), (row["note_id"], quotation)


def test_the_contradictions_of_the_plan_are_noted() -> None:
    notes = {(row["plan_id"], row["indicator_no"]): row["note_zh"] for row in read_seed("plan_note")}
    assert "84.6%" in " ".join(r["note_zh"] for r in read_seed("plan_note") if r["indicator_no"] == "12")
    assert "68.7%" in " ".join(r["note_zh"] for r in read_seed("plan_note") if r["indicator_no"] == "13")
    assert "96.3%" in notes["14", "17"]
