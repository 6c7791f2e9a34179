"""An XLSX or XLSM workbook as sheets of texts: values only, and only from a package that is safe to open.

The package is checked whole before anything reads it: sizes from its directory, then every part unpacked once in small
pieces, which also proves the stated sizes and checksums. Macros are never run, links never followed, formulas never
computed: what counts is the value that was saved. Does not belong here: what a sheet's columns mean.

openpyxl streams rows, so memory stays flat; merged cells and formulas, which it only shows in its other mode at ten
times the memory, are noted during the check.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any
from xml.parsers import expat

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.cell_range import CellRange
from openpyxl.xml.constants import SHEET_MAIN_NS

from tanhuan.formats.sheet import Limits, Line, Sheet, TableFileRefused, refuse

ZIP_MAGIC, OLE2_MAGIC = b"PK\x03\x04", bytes.fromhex("D0CF11E0A1B11AE1")
MACRO, HIDDEN_SHEET = "READ-TABLE-MACRO", "READ-TABLE-HIDDEN-SHEET"
FORMULA_WITHOUT_VALUE = "READ-TABLE-FORMULA-WITHOUT-VALUE"

#: the last row Excel knows; columns further right than this are not read, no contract has as many
_LAST_ROW, _LAST_COLUMN = 1_048_576, 256
_PIECE = 1024**2
#: digits that Excel keeps of a number; what a file says beyond them is rounding of the computer
_DIGITS = 15
_LITERAL = re.compile(r'"[^"]*"|\\.')


@dataclass
class _Marks:
    """What openpyxl does not say while it streams: merged ranges, and cells whose value a formula should give."""

    merged: list[str] = field(default_factory=list)
    formulas: set[str] = field(default_factory=set)


def refuse_ole2(name: str, data: bytes) -> TableFileRefused:
    """Return the refusal of an OLE2 container: an encrypted workbook or one of Excel 97."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        return refuse(
            f"文件 {name} 有打开密码，无法读取。",
            f"File {name} is encrypted with a password and cannot be read.",
            "去掉密码后另存为 .xlsx 再报送。",
            "remove the password, save as .xlsx and drop it again.",
        )
    return _refuse_format(name, ".xls")


def _refuse_format(name: str, suffix: str) -> TableFileRefused:
    return refuse(
        f"文件 {name} 是 {suffix} 格式，不读取。",
        f"File {name} is in the {suffix} format, which is not read.",
        "在 Excel 中另存为 .xlsx 再报送。",
        "open it in Excel, save as .xlsx and drop it again.",
    )


def read_workbook(name: str, data: bytes, limits: Limits) -> list[Sheet]:
    """Return the visible sheets of a workbook; their lines are read when they are gone through.

    Raises:
        TableFileRefused: the package is too large, unsafe, damaged or no workbook; also while lines are read.
    """
    with _refuse_damage(name):
        marks, has_macro = _check_package(name, data, limits)
        # Read-only streams rows; without links nothing outside this file is looked at; values are those saved.
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        worksheets: list[Any] = book.worksheets
        visible = [sheet for sheet in worksheets if sheet.sheet_state == "visible"]
        flags = ((MACRO,) if has_macro else ()) + ((HIDDEN_SHEET,) if len(visible) < len(worksheets) else ())
        return [_open_sheet(name, sheet, marks[sheet._worksheet_path], book.epoch, flags) for sheet in visible]


def _open_sheet(name: str, sheet: Any, marks: _Marks, epoch: dt.datetime, flags: tuple[str, ...]) -> Sheet:
    # The stated dimension is often wrong, and rows outside it would be lost.
    sheet.reset_dimensions()
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    downward: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for merged in map(CellRange, marks.merged):
        if merged.min_col > _LAST_COLUMN:
            continue
        if merged.max_col > merged.min_col:
            spans[merged.min_row].append((merged.min_col - 1, min(merged.max_col, _LAST_COLUMN) - 1))
        if merged.max_row > merged.min_row:
            downward[merged.min_row].append((merged.min_col - 1, merged.max_row))
    return Sheet(sheet.title, _read_lines(name, sheet, marks.formulas, downward), spans, epoch, flags)


def _read_lines(
    name: str, sheet: Any, formulas: set[str], downward: dict[int, list[tuple[int, int]]]
) -> Iterator[Line]:
    merged: dict[int, tuple[int, str]] = {}
    with _refuse_damage(name):
        for number, cells in enumerate(sheet.iter_rows(max_row=_LAST_ROW), start=1):
            texts = [_text_of(cell) for cell in cells[:_LAST_COLUMN]]
            for position, last in downward.get(number, ()):
                merged[position] = (last, texts[position] if position < len(texts) else "")
            flags = _find_unsaved(number, texts, formulas) if formulas else ()
            if merged and any(texts):
                merged = {position: (last, text) for position, (last, text) in merged.items() if number <= last}
                texts = _fill(texts, merged)
            yield Line(number, texts, flags)


def _fill(texts: list[str], merged: dict[int, tuple[int, str]]) -> list[str]:
    """Return a row with the values of cells merged downward over it."""
    filled = texts + [""] * (max(merged, default=-1) + 1 - len(texts))
    for position, (_, text) in merged.items():
        filled[position] = filled[position] or text
    return filled


def _find_unsaved(number: int, texts: list[str], formulas: set[str]) -> tuple[str, ...]:
    empty = (position for position, text in enumerate(texts, start=1) if not text)
    unsaved = any(f"{get_column_letter(position)}{number}" in formulas for position in empty)
    return (FORMULA_WITHOUT_VALUE,) if unsaved else ()


def _text_of(cell: Any) -> str:
    """Return what a person sees in a cell, as far as it matters: 12.5%, 001234, 2021-03-05, 430302."""
    value = cell.value
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).upper()
        case int() | float():
            return _text_of_number(value, cell.number_format)
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
        case dt.datetime():
            return value.isoformat(sep=" ")
    return str(value)


def _text_of_number(value: float, number_format: str) -> str:
    # A whole number of more digits keeps them all, but in the form that says it was no text.
    long = isinstance(value, int) and abs(value) >= 10**_DIGITS
    text = f"{Decimal(value):E}" if long else f"{value:.{_DIGITS}G}"
    in_percent, places = _read_format(number_format)
    if in_percent:
        return f"{(Decimal(text) * 100).normalize():f}%"
    return text.zfill(places)


@lru_cache(maxsize=1024)
def _read_format(number_format: str) -> tuple[bool, int]:
    """Return whether a number format shows percent, and how many leading zeros (`000000`) it shows."""
    shown = _LITERAL.sub("", number_format or "")
    return "%" in shown, len(shown) if set(shown) == {"0"} else 0


def _check_package(name: str, data: bytes, limits: Limits) -> tuple[dict[str, _Marks], bool]:
    """Check every part of a package; return the marks of its XML parts and whether there are macros."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = package.infolist()
        _check_directory(name, parts, limits)
        if "[Content_Types].xml" not in package.namelist():
            raise refuse(
                f"文件 {name} 是压缩包，不是工作簿。",
                f"File {name} is a zip archive, not a workbook.",
                "解压后报送其中的 .xlsx 或 .csv。",
                "unpack it and drop the .xlsx or .csv inside.",
            )
        if any(part.filename.endswith("workbook.bin") for part in parts):
            raise _refuse_format(name, ".xlsb")
        marks = {part.filename: _check_part(name, package, part) for part in parts}
        return marks, any(part.filename.endswith("vbaProject.bin") for part in parts)


def _check_directory(name: str, parts: list[zipfile.ZipInfo], limits: Limits) -> None:
    unpacked = sum(part.file_size for part in parts)
    swelling = [p for p in parts if p.file_size > _PIECE and p.file_size > limits.ratio * p.compress_size]
    # Other methods than these two do not belong in a package (ECMA-376-2), and cannot be unpacked piece by piece.
    odd = [p for p in parts if p.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
    if unpacked > limits.unpacked_bytes or swelling or odd:
        raise refuse(
            f"文件 {name} 按压缩炸弹拒收：解压后 {unpacked} 字节（上限 {limits.unpacked_bytes}），"
            f"或单个部件膨胀超过 {limits.ratio} 倍，或压缩方法不合规定。",
            f"File {name} is refused as a zip bomb: it unpacks to {unpacked} bytes (limit {limits.unpacked_bytes}), "
            f"or a part of it grows more than {limits.ratio} times, or its compression is odd.",
            "新建工作簿，只粘贴数据区的值，另存后再报送。",
            "paste only the cells with data, as values, into a new workbook and drop that.",
        )


def _check_part(name: str, package: zipfile.ZipFile, part: zipfile.ZipInfo) -> _Marks:
    """Unpack a part once in pieces, so that zipfile proves its size and checksum; look through it if it is XML."""
    marks = _Marks()
    parser = _make_parser(name, marks) if part.filename.endswith((".xml", ".rels")) else None
    with package.open(part) as stream:
        while piece := stream.read(_PIECE):
            if parser:
                parser.Parse(piece, False)
    if parser:
        parser.Parse(b"", True)
    return marks


def _make_parser(name: str, marks: _Marks) -> expat.XMLParserType:
    cell: str | None = None

    def refuse_doctype(*_: object) -> None:
        # No part may declare a document type (ECMA-376-2); entities that expand without end live there. In parts that
        # go by another suffix, expat's own bound on expansion holds.
        raise refuse(
            f"文件 {name} 内含 DOCTYPE 声明，可能是实体膨胀攻击，拒收。",
            f"File {name} declares a DOCTYPE inside, which no workbook may: refused as possible entity expansion.",
            "查明文件来源；用 Excel 重新另存为 .xlsx 再报送。",
            "find out where it came from; save it anew in Excel as .xlsx and drop it again.",
        )

    def note(tag: str, attributes: dict[str, str]) -> None:
        nonlocal cell
        if tag == f"{SHEET_MAIN_NS} c":
            # A formula may well give an empty text, and then says that its value is a text.
            cell = None if attributes.get("t") == "str" else attributes.get("r")
        elif tag == f"{SHEET_MAIN_NS} f" and cell:
            marks.formulas.add(cell)
        elif tag == f"{SHEET_MAIN_NS} mergeCell":
            marks.merged.append(attributes["ref"])

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = note
    return parser


@contextmanager
def _refuse_damage(name: str) -> Iterator[None]:
    """Turn whatever the libraries say about a damaged workbook into a sentence."""
    try:
        yield
    except (TableFileRefused, MemoryError):
        raise
    except Exception as error:
        raise refuse(
            f"文件 {name} 已损坏或不是 Excel 工作簿。",
            f"File {name} is damaged or no Excel workbook ({type(error).__name__}: {error}).",
            "在 Excel 中打开并另存为 .xlsx，再报送一次。",
            "open it in Excel, save as .xlsx and drop it again.",
        ) from error
