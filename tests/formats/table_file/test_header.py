"""Where the header is, what its names and units mean, and which lines below it are rows."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tanhuan.contracts import get_contract, load_contracts
from tanhuan.formats.table_file import TableFileRefused
from tests.formats.table_file.conftest import FINE, PENALTY, Read, as_csv, as_workbook


def test_english_and_chinese_names_are_found_in_any_case_and_width(read: Read) -> None:
    basis = "数据性质：measured 实测 或 synthetic 合成"
    header = [
        "Case_No*",
        " USCC ",
        "处罚 种类",
        "罚款金额（元）",
        "处罚依据［必填］",
        "ＤＥＣＩＤＥＤ＿ＤＡＴＥ",
        basis,
    ]
    answer = read(as_csv(header, FINE))
    assert answer.columns == {
        *("case_no", "uscc", "penalty_type", "amount_cny", "law_basis", "decided_date", "data_basis"),
    }
    assert answer.of("amount_cny") == ["20000"]
    assert answer.of("data_basis") == ["synthetic"]


@pytest.mark.parametrize("table", load_contracts())
def test_every_column_of_a_contract_is_found_by_both_names(read: Read, table: str) -> None:
    columns = get_contract(table).columns
    for header in ([c.name.upper() for c in columns], [c.zh for c in columns]):
        assert read(as_csv(header, ["1"] * len(columns)), table).columns == {c.name for c in columns}


def test_header_may_lie_under_titles_and_right_of_empty_columns(read: Read) -> None:
    above: list[list[Any]] = [["2021年行政处罚汇总表"], [None, "填报单位：湘潭市某支队", None, "单位：万元"], []]
    answer = read(as_workbook(*above, [None, None, *PENALTY], [None, None, *FINE]))
    assert answer.of("_source_row") == [5]
    assert answer.of("case_no") == [FINE[0]]
    assert answer.of("amount_cny") == ["200000000"], "a unit stated for the whole table holds; an office is no unit"


def test_header_below_line_30_is_not_looked_for(read: Read) -> None:
    assert len(read(as_csv(*[["注"]] * 29, PENALTY, FINE)).rows) == 1
    with pytest.raises(TableFileRefused):
        read(as_csv(*[["注"]] * 30, PENALTY, FINE))


def test_header_of_two_lines_with_merged_groups(read: Read) -> None:
    group = ["处罚决定书文号", "统一社会信用代码", "处罚（万元）", None, "处罚依据", "决定", None]
    lower = [None, None, "处罚种类", "罚款金额", None, "日期", "文书"]

    def merge(book: Any) -> None:
        for cells in ("A1:A2", "B1:B2", "C1:D1", "E1:E2", "F1:G1"):
            book.active.merge_cells(cells)

    answer = read(as_workbook(group, lower, FINE, prepare=merge))
    assert answer.columns == {"case_no", "uscc", "penalty_type", "amount_cny", "law_basis", "decided_date"}
    assert answer.of("amount_cny") == ["200000000"], "the group's unit holds for its columns"
    assert answer.of("_source_row") == [3]


def test_header_of_two_lines_in_csv(read: Read) -> None:
    group = ["处罚决定书文号", "统一社会信用代码", "处罚", "", "处罚依据", "决定日期", "数据性质"]
    answer = read(as_csv(group, ["", "", "处罚种类", "罚款金额", "", "", ""], FINE))
    assert answer.of("_source_row") == [3]
    assert answer.of("amount_cny") == ["20000"]
    assert answer.of("decided_date") == ["2021-03-05"]


def test_line_of_units_or_of_the_other_language_belongs_to_the_header(read: Read) -> None:
    english = ["case_no", "uscc", "penalty_type", "amount_cny", "law_basis", "decided_date", "data_basis"]
    answer = read(as_csv(PENALTY, english, ["", "", "-", "（万元）", "", "", ""], FINE))
    assert answer.of("case_no") == [FINE[0]]
    assert answer.of("amount_cny") == ["200000000"]


def test_missing_header_is_refused_with_what_is_missing_and_what_was_found(read: Read) -> None:
    with pytest.raises(TableFileRefused) as refused:
        read(as_csv(["文书编号", *PENALTY[1:]], FINE), name="处罚.csv")
    for said in ("处罚.csv", "处罚决定书文号（case_no）", "文书编号", "统一社会信用代码"):
        assert said in refused.value.what
    assert "uscc" not in refused.value.what
    assert "case_no" in refused.value.next_step


def test_a_column_named_twice_is_refused(read: Read) -> None:
    with pytest.raises(TableFileRefused, match="twice: case_no"):
        read(as_csv([*PENALTY, "case_no"], [*FINE, "x"]))


def test_blank_lines_footers_and_repeated_headers_are_counted_and_no_rows(
    read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    footers = [
        ["合 计", *[""] * 2, "20000", *[""] * 3],
        ["备注：金额为元"],
        ["填表人：张三", "审核人：李四", *[""] * 5],
    ]
    answer = read(as_csv(PENALTY, FINE, [""], ["", " "], PENALTY, FINE, *footers))
    assert answer.of("_source_row") == [2, 6]
    assert answer.unreadable == []
    for said in ("2 rows", "'blank': 2", "'footer': 3", "'header repeated': 1"):
        assert said in caplog.text


def test_a_line_without_key_and_one_that_only_begins_like_a_footer_are_rows(read: Read) -> None:
    forgotten = ["", *FINE[1:]]
    total_with_key = [
        "合计",
        "27",
        "430300",
        "2021",
        "1",
        "1",
        "2",
        "万元",
        "统计局",
        "潭统〔2021〕1号",
        "2021-12-31",
        "2022-03-05",
        "synthetic",
    ]
    assert read(as_csv(PENALTY, forgotten)).of("case_no") == [None]
    columns = [c.name for c in get_contract("department_return").columns]
    assert read(as_csv(columns, total_with_key), "department_return").of("plan_id") == ["合计"]


def test_raw_shows_every_cell_as_received_under_its_header(read: Read) -> None:
    lines = [[*PENALTY, "承办人", "", "承办人"], [*FINE[:3], " ２，０００ ", *FINE[4:], "张三", "x", "李四"]]
    (row,) = read(as_workbook(*lines)).rows
    shown = json.loads(row["_raw"])
    assert shown == {**dict(zip(PENALTY, lines[1], strict=False)), "承办人": "张三", "I": "x", "J": "李四"}
    assert row["amount_cny"] == "2000"


@pytest.mark.parametrize(
    ("table", "header", "written", "expected"),
    [
        ("penalty", "罚款金额（万元）", "2.5", "25000"),
        ("penalty", "罚款金额 [人民币万元]", "0.00000123", "0.0123"),
        ("penalty", "罚款金额(必填)(千元)", "1,234.5", "1234500"),
        ("penalty", "罚款金额/万元", "3", "30000"),
        ("penalty", "罚款金额（元）", "3", "3"),
        ("emission_base", "基数（kg）", "1234.5678", "1.2345678"),
        ("emission_base", "基数（㎏）", "1", "0.001"),
        ("emission_base", "基数（万吨）", "0.00012345", "1.2345"),
    ],
)
def test_units_in_headers_are_converted_exactly(
    read: Read, table: str, header: str, written: str, expected: str
) -> None:
    contract = get_contract(table)
    measured = next(c for c in contract.columns if c.unit)
    names = [header if c is measured else c.name for c in contract.columns]
    cells = [f'"{written}"' if c is measured else "1" for c in contract.columns]
    assert read(as_csv(names, cells), table).of(measured.name) == [expected]


@pytest.mark.parametrize("unit", ["美元", "kg", "万", "2021年"])
def test_a_unit_that_does_not_fit_refuses_the_file(read: Read, unit: str) -> None:
    header = [f"罚款金额（{unit}）" if name == "罚款金额" else name for name in PENALTY]
    with pytest.raises(TableFileRefused, match=f"the unit '{unit}' of column amount_cny cannot be converted to CNY"):
        read(as_csv(header, FINE))


def test_contradictory_units_of_a_table_refuse_the_file(read: Read) -> None:
    with pytest.raises(TableFileRefused, match="amount_cny cannot be converted"):
        read(as_csv(["单位：万元"], ["单位：元"], PENALTY, FINE))
