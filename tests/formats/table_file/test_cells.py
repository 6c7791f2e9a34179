"""Numbers, dates and codes as people and spreadsheets write them."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

from tanhuan.contracts import Column
from tanhuan.formats.cell_text import make_converter


def convert(text: str, kind: str, unit: str | None = None, factor: int = 1, epoch: object = None) -> str | None:
    column = Column(name="c", type=kind, required=False, zh="列", en="column", unit=unit)
    return make_converter(column, Decimal(factor), epoch)(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("１２．５", "12.5"),
        ("－１，２３４．５", "-1234.5"),
        ("\u22123", "-3"),
        (" 1,234,567.50 ", "1234567.5"),
        ("1.2E+05", "120000"),
        ("0.0000001", "0.0000001"),
        ("1E-07", "0.0000001"),
        ("", None),
        ("\u3000", None),
        # not understood, or not certain: passed as it came
        ("1,5", "1,5"),
        ("12,34", "12,34"),
        ("12.5%", "12.5%"),
        ("约3", "约3"),
        ("1E+999", "1E+999"),
        ("—", "—"),
        ("3吨", "3吨"),
    ],
)
def test_numbers(text: str, expected: str | None) -> None:
    assert convert(text, "DECIMAL(18,4)") == expected


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        ("2.5万元", 1, "25000"),
        ("30000元", 1, "30000"),
        ("30000元", 10_000, "30000"),
        ("￥30,000", 1, "30000"),
        ("¥3", 10_000, "30000"),
        ("人民币2.5万元", 1, "25000"),
        ("2.5美元", 1, "2.5美元"),
        ("2.5t", 1, "2.5t"),
    ],
)
def test_money_with_its_own_unit(text: str, factor: int, expected: str) -> None:
    assert convert(text, "DECIMAL(18,2)", "CNY", factor) == expected


def test_percent_only_where_the_unit_is_percent() -> None:
    assert convert("９８．５％", "DECIMAL(9,2)", "%") == "98.5"
    assert convert("98.5%", "DECIMAL(9,2)", "t") == "98.5%"


def test_codes_are_left_alone() -> None:
    for code in ("0012", "９１４３", "9143O300", "1,234", "9.11302E+17"):
        assert convert(code, "VARCHAR") == code


@pytest.mark.parametrize(
    "text",
    [
        "2021年3月5日", "2021/3/5", "2021.03.05", "20210305", "二〇二一年三月五日", "二○二一年三月五号", "2021-3-5",
        "２０２１－０３－０５", "2021 年 3 月 5 日".replace(" ", ""), "2021-03-05 00:00:00", "2021-03-04 24:00",
    ],
)  # fmt: skip
def test_dates(text: str) -> None:
    assert convert(text, "DATE") == "2021-03-05"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("二〇二〇年十二月三十一日", "2020-12-31"),
        ("二〇二〇年十月二十日", "2020-10-20"),
        ("二〇一九年十一月廿一日", "2019-11-21"),
    ],
)
def test_chinese_numerals(text: str, expected: str) -> None:
    assert convert(text, "DATE") == expected


@pytest.mark.parametrize(
    "text",
    [
        "03/05/2021", "3-5-2021", "21-3-5", "2021-3", "2021-3.5", "2021-02-30", "2021-13-01", "2021", "44260",
        "202103051", "2021-03-05 08:30", "2021年3月", "去年", "二〇二一年一二月五日", "2021-3-5 8",
    ],
)  # fmt: skip
def test_uncertain_dates_are_passed_as_they_came(text: str) -> None:
    assert convert(text, "DATE") == text


@pytest.mark.parametrize("text", ["03/05/2021", "2021-02-30", "44260", "2021"])
def test_uncertain_dates_do_not_cast(text: str) -> None:
    assert duckdb.execute("select try_cast($text as date)", {"text": text}).fetchone() == (None,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021年3月5日8时", "2021-03-05 08:00:00+08:00"),
        ("2021年3月5日 8时30分", "2021-03-05 08:30:00+08:00"),
        ("2021-03-05 24:00", "2021-03-06 00:00:00+08:00"),
        ("2021-12-31 24时", "2022-01-01 00:00:00+08:00"),
        ("2021/3/5 8:05:09", "2021-03-05 08:05:09+08:00"),
        ("2021-03-05T08:30:00+08:00", "2021-03-05T08:30:00+08:00"),
        ("2021-03-05 25:00", "2021-03-05 25:00"),
        ("2021-03-05 24:01", "2021-03-05 24:01"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    assert convert(text, "TIMESTAMPTZ") == expected


def test_day_numbers_of_both_systems_where_a_workbook_says_which() -> None:
    assert convert("44260", "DATE", epoch=WINDOWS_EPOCH) == "2021-03-05"
    assert convert("42798", "DATE", epoch=MAC_EPOCH) == "2021-03-05"
    assert convert("44260.5", "TIMESTAMPTZ", epoch=WINDOWS_EPOCH) == "2021-03-05 12:00:00+08:00"
    assert convert("2021", "DATE", epoch=WINDOWS_EPOCH) == "2021", "rather a year than a day of 1905"
    assert convert("9999999", "DATE", epoch=WINDOWS_EPOCH) == "9999999", "beyond the year 9999"
