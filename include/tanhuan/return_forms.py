"""The workbooks that departments fill in: one form a table of the feed returns, made from its contract.

Belongs here: which columns and rows a form has, and writing it. Columns, types and ranges are the contract's, lists are
those of the table's suite, what numerator and denominator mean is the seed `plan_return_item`. Does not belong here:
reading a filled form (`formats/table_file.py`); a line in which nothing but keys stands is left out there.

What is the same for the whole form (issuer, document, dates) is entered once above the table; formulas carry it into
each row that somebody has filled, and compute the ratio, which is shown and never read.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from tanhuan.contracts import Column, Contract, get_contract, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.files import read_json
from tanhuan.settings import Settings

FEED = "returns"
INDICATORS = "department_return"
GUIDE = "填表说明"
#: columns that one document says once for all its rows
_ONCE = ("issuer", "issued_by", "approved_by", "doc_no", "as_of_date", "issued_date", "data_basis")
#: lines to fill where no rows are known beforehand
_BLANK_LINES = 200
_FIRST_ROW = 12
#: what stands for a range's open end
_LEAST = -(10**15)
#: a list in a cell's validation may not be longer (a limit of the file format)
_LIST_CHARACTERS = 255


@dataclass(frozen=True)
class Wish:
    """What a form is for: None leaves it open."""

    indicator_no: int | None = None
    plan_id: str = "14"
    region_code: str | None = None
    year: int | None = None


@dataclass
class _Form:
    contract: Contract
    wish: Wish
    lists: dict[str, list[str]]
    rows: list[dict[str, Any]]
    more: list[str] = field(default_factory=list)

    @property
    def heads(self) -> list[Column]:
        return [c for c in self.contract.columns if c.name in _ONCE]

    @property
    def known(self) -> set[str]:
        """Columns that stand in the form already."""
        return {name for row in self.rows for name in row} & set(self.contract.names)

    @property
    def typed(self) -> list[Column]:
        return [c for c in self.contract.columns if c.name not in self.known and c.name not in _ONCE]


def read_items(settings: Settings, plan_id: str, on: dt.date) -> list[dict[str, str]]:
    """Return the indicators of a plan that departments report, from the seed file; those in force on a day."""
    path = settings.dbt_project / "seeds" / "plan_return_item.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["plan_id"] == plan_id and row["valid_from"] <= on.isoformat() <= (row["valid_to"] or "9999-12-31")
        ]


def write_forms(table: str | None, wish: Wish, folder: Path, settings: Settings) -> list[Path]:
    """Write the form of a table, or of every table of the feed, into a folder; return the files.

    Raises:
        TanhuanError: there is no such table or indicator.
    """
    if table is not None and table not in tables_of(FEED):
        raise TanhuanError(f"{table!r} is no table of returns.", f"choose one of {', '.join(tables_of(FEED))}.")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [table] if table else [INDICATORS] if wish.indicator_no is not None else tables_of(FEED)
    return [_write_form(_plan_form(get_contract(name), wish, settings), folder) for name in chosen]


def _plan_form(contract: Contract, wish: Wish, settings: Settings) -> _Form:
    suite = read_json(settings.expectations / "source" / f"{contract.table}.json")
    kwargs = [e["kwargs"] for e in suite["expectations"] if e["type"] == "expect_column_values_to_be_in_set"]
    lists = {k["column"]: [str(v) for v in k["value_set"]] for k in kwargs}
    if contract.table == INDICATORS:
        return _Form(contract, wish, lists, _list_indicator_rows(wish, settings), _INDICATOR_COLUMNS)
    known = {"plan_id": wish.plan_id, "region_code": wish.region_code, "year": wish.year}
    keys = {name: value for name, value in known.items() if name in contract.key and value is not None}
    return _Form(contract, wish, lists, [keys] * _BLANK_LINES)


#: a column for the eye: the ratio is never read
_RATIO = "比值"
#: what a form of indicators says beside the contract's columns; none of these titles is a column's
_INDICATOR_COLUMNS = ["指标名称", "分子含义", "分母含义"]


def _list_indicator_rows(wish: Wish, settings: Settings) -> list[dict[str, Any]]:
    year = wish.year or dt.datetime.now(dt.UTC).year - 1
    with (settings.dbt_project / "seeds" / "plan_indicator.csv").open(encoding="utf-8", newline="") as file:
        names = {(r["plan_id"], r["indicator_no"]): r["indicator"] for r in csv.DictReader(file)}
    items = [
        i
        for i in read_items(settings, wish.plan_id, dt.date(year, 12, 31))
        if wish.indicator_no in (None, int(i["indicator_no"]))
    ]
    if not items:
        number = "" if wish.indicator_no is None else f" {wish.indicator_no}"
        raise TanhuanError(
            f"Departments report no indicator{number} of plan {wish.plan_id} for {year}.",
            "see dbt_project/seeds/plan_return_item.csv for those that they do.",
        )
    return [
        {
            "plan_id": i["plan_id"],
            "indicator_no": int(i["indicator_no"]),
            "region_code": wish.region_code or "430300",
            "year": year,
            "part": i["part"],
            "quantity_unit": _join_units(i),
            "指标名称": names.get((i["plan_id"], i["indicator_no"]), ""),
            "分子含义": f"{i['numerator_zh']}，{i['numerator_unit']}",
            "分母含义": f"{i['denominator_zh']}，{i['denominator_unit']}",
        }
        for i in items
    ]


def _join_units(item: dict[str, str]) -> str:
    units = dict.fromkeys((item["numerator_unit"], item["denominator_unit"]))
    return "/".join(units)


def _write_form(form: _Form, folder: Path) -> Path:
    parts: list[str | int | None] = [
        form.contract.table,
        form.wish.plan_id if "plan_id" in form.contract.names else None,
    ]
    if form.contract.table == INDICATORS:
        parts += [form.wish.indicator_no, form.wish.region_code, form.wish.year]
    path = folder / ("_".join(str(part) for part in parts if part is not None) + ".xlsx")
    book = Workbook()
    book.remove(book.worksheets[0])
    _Writer(book, form).write()
    book.save(path)
    return path


_HEADER, _FIXED, _TYPED = (PatternFill("solid", fgColor=colour) for colour in ("D9E2EF", "EFEFEF", "FFF9DB"))
_THIN = Side("thin", color="BFBFBF")
_EDGE = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_FORMATS = {"VARCHAR": "@", "TIMESTAMPTZ": "@", "DATE": "yyyy-mm-dd"}


class _Writer:
    """Lays one form out. Lines and columns count from one."""

    def __init__(self, book: Workbook, form: _Form) -> None:
        self.form = form
        self.sheet: Worksheet = book.create_sheet(form.contract.title.zh[:31])
        self.guide: Worksheet = book.create_sheet(GUIDE)
        self.labels = self._lay_out()
        self.places = {name: n for n, name in enumerate(self.labels, start=1)}
        self.heads: dict[str, str] = {}

    def _lay_out(self) -> dict[str, str]:
        """Name → heading, from left to right: what the row is, what it means, what is to be entered."""
        form = self.form
        keys = [c for c in form.contract.columns if c.name in form.known and c.name in form.contract.key]
        others = [c for c in form.contract.columns if c not in keys]
        return {
            **{c.name: _head(c) for c in keys},
            **{name: name for name in form.more},
            **{c.name: _head(c) for c in others},
            **({_RATIO: _RATIO} if {"numerator", "denominator"} <= set(form.contract.names) else {}),
        }

    def write(self) -> None:
        title = self.form.contract.title
        self.sheet.cell(1, 1, f"{title.zh} {title.en}").font = Font(bold=True, size=14)
        self.sheet.row_dimensions[1].height = 24
        self.sheet.cell(2, 1, "黄色格填写，灰色格不填；未填的行不会读取。说明见第二张表。")
        self._write_heads()
        self._write_header()
        for number, row in enumerate(self.form.rows, start=_FIRST_ROW):
            self._write_row(number, row)
        last = _FIRST_ROW + len(self.form.rows) - 1
        for column in self.form.typed:
            letter = get_column_letter(self.places[column.name])
            self._validate(column, f"{letter}{_FIRST_ROW}:{letter}{last}")
        self.sheet.freeze_panes = f"A{_FIRST_ROW}"
        # Without a password: it keeps a hand from slipping, no more.
        self.sheet.protection.sheet = True
        for freedom in ("formatColumns", "insertRows", "deleteRows"):
            setattr(self.sheet.protection, freedom, False)
        self._write_guide()
        for sheet in (self.sheet, self.guide):
            sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
            sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
            sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        self.sheet.print_title_rows = f"{_FIRST_ROW - 1}:{_FIRST_ROW - 1}"

    def _write_heads(self) -> None:
        for row, column in enumerate(self.form.heads, start=3):
            _style(self.sheet.cell(row, 1, _short(column.zh)), _HEADER, bold=True)
            cell = self.sheet.cell(row, 2, "measured" if column.name == "data_basis" else None)
            _style(cell, _TYPED, _FORMATS.get(column.type), locked=False)
            self._validate(column, f"B{row}")
            self.heads[column.name] = f"$B${row}"

    def _write_header(self) -> None:
        for name, place in self.places.items():
            _style(self.sheet.cell(_FIRST_ROW - 1, place, self.labels[name]), _HEADER, bold=True)
            self.sheet.column_dimensions[get_column_letter(place)].width = 30 if name in self.form.more else 14

    def _address(self, name: str, number: int) -> str:
        return f"{get_column_letter(self.places[name])}{number}"

    def _write_row(self, number: int, row: dict[str, Any]) -> None:
        empty = f"COUNTA({','.join(self._address(c.name, number) for c in self.form.typed)})=0"
        for column in self.form.contract.columns:
            cell = self.sheet.cell(number, self.places[column.name])
            number_format = _FORMATS.get(column.type)
            if column.name in self.heads:
                head = self.heads[column.name]
                # Formulas are no text, or a program would show them instead of what they give.
                cell.value = f'=IF(OR({empty},{head}=""),"",{head})'
                _style(cell, _TYPED, number_format if column.type == "DATE" else None, locked=False)
            elif column.name not in row:
                _style(cell, _TYPED, number_format, locked=False)
            elif column.name in self.form.contract.key:
                cell.value = row[column.name]
                _style(cell, _FIXED, number_format)
            else:
                cell.value = f'=IF({empty},"","{row[column.name]}")'
                _style(cell, _FIXED)
        for name in self.form.more:
            _style(self.sheet.cell(number, self.places[name], str(row[name])), _FIXED)
        if _RATIO in self.places:
            up, down = self._address("numerator", number), self._address("denominator", number)
            cell = self.sheet.cell(number, self.places[_RATIO])
            cell.value = f'=IF(OR({up}="",N({down})=0),"",{up}/{down})'
            _style(cell, _FIXED, "0.0000")

    def _validate(self, column: Column, cells: str) -> None:
        rule = _find_rule(column, self.form.lists.get(column.name))
        if rule:
            told = "不在允许的范围内 not among what is allowed"
            validation = DataValidation(**rule, allow_blank=True, showErrorMessage=True, error=told)
            validation.add(cells)
            self.sheet.add_data_validation(validation)

    def _write_guide(self) -> None:
        header = ["列 column", "必填 required", "类型 type", "单位 unit", "取值 values", "含义", "meaning"]
        for place, text in enumerate(header, start=1):
            _style(self.guide.cell(1, place, text), _HEADER, bold=True)
            self.guide.column_dimensions[get_column_letter(place)].width = 48 if place > 5 else 22
        for row, column in enumerate(self.form.contract.columns, start=2):
            low, high = column.range or (None, None)
            span = "" if column.range is None else f"{'' if low is None else low} – {'' if high is None else high}"
            values = "、".join(self.form.lists.get(column.name, [])) or span
            need = "是 yes" if column.required else "否 no"
            # Title and name in one cell: a line of this sheet must not be taken for the header of the table.
            name = f"{_short(column.zh)} | {column.name}"
            texts = [name, need, column.type, column.unit or "", values, f"{column.zh.rstrip('。')}。", column.en]
            for place, text in enumerate(texts, start=1):
                _style(self.guide.cell(row, place, text), _FIXED)
        for row, text in enumerate(_GUIDANCE, start=len(self.form.contract.columns) + 4):
            self.guide.cell(row, 1, text)


def _style(
    cell: Cell | Any, fill: PatternFill, number_format: str | None = None, *, bold: bool = False, locked: bool = True
) -> None:
    cell.fill, cell.border, cell.font = fill, _EDGE, Font(bold=bold)
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    cell.protection = Protection(locked=locked)
    if number_format:
        cell.number_format = number_format


_GUIDANCE = (
    "1. 报送单位、文号、日期填在表格上方，一份表一份文件；没有文号、数据截至日期的不收。",
    "   Issuer, document number and dates are entered once above the table, one form a document; all are demanded.",
    "2. 只填分子和分母，比值由系统计算，表中比值仅供核对，不读取。",
    "   Enter numerator and denominator only; the ratio is computed by the platform, the one shown here is not read.",
    "3. 不报的行留空即可。填好在 Excel 或 WPS 中保存，放入 inbox/<表名>/。",
    "   Leave rows empty that you do not report. Save in Excel or WPS and drop the file into inbox/<table>/.",
)


def _head(column: Column) -> str:
    return _short(column.zh) + (f"（{column.unit}）" if column.unit and column.unit != "see unit" else "")


def _short(label: str) -> str:
    """Return what stands before the colon: the rest explains."""
    return re.split("[:：]", label)[0]


def _find_rule(column: Column, values: list[str] | None) -> dict[str, Any] | None:
    """Return the validation of a column's cells, None if any text will do."""
    if column.type == "BOOLEAN" or values:
        listed = ",".join(values or ["TRUE", "FALSE"])
        return {"type": "list", "formula1": f'"{listed}"'} if len(listed) <= _LIST_CHARACTERS else None
    if column.type == "DATE":
        return {"type": "date", "operator": "between", "formula1": "DATE(2010,1,1)", "formula2": "DATE(2045,12,31)"}
    if column.type == "INTEGER" or column.type.startswith("DECIMAL"):
        low, high = column.range or (None, None)
        bounds = {"formula1": str(_LEAST if low is None else low), "formula2": str(-_LEAST if high is None else high)}
        return {"type": "whole" if column.type == "INTEGER" else "decimal", "operator": "between", **bounds}
    return None
