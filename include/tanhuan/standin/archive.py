"""Rows as the files that the field keeps of them: the national air archive, the surface-water answers, workbooks.

Belongs here: what these files look like, with the oddities that the real ones have. Does not belong here: the rows
themselves (`platform.py`), HJ 212 packets (`packets.py`).
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

from tanhuan.contracts import Column, Contract, get_contract
from tanhuan.formats.cnemc_air import NOT_KEPT, TYPES
from tanhuan.formats.cnemc_water import COLUMNS
from tanhuan.standin.city import DATA
from tanhuan.standin.platform import TIME_ZONE, Platform

#: the order of types within an hour of the air archive
_AIR_TYPES = (
    *("AQI", "PM2.5", "PM2.5_24h", "PM10", "PM10_24h", "SO2", "SO2_24h", "NO2", "NO2_24h"),
    *("O3", NOT_KEPT, "O3_8h", "O3_8h_24h", "CO", "CO_24h"),
)
#: from this day on the archive's header has 36 stations more and names 3207A twice
_WIDER_FROM = dt.date(2019, 6, 1)
#: what forms write instead of the contract's unit: its name, and how many of the contract's make one
_FORM_UNITS = {"CNY": ("万元", Decimal(10_000)), "t": ("吨", Decimal(1))}
_WATER_MISSING = "--"

Cell = str | int | float | Decimal | dt.date | dt.datetime | None


def make_air_day(platform: Platform, day: dt.date, days_before: int = 0) -> bytes | None:
    """Return the archive's wide CSV of a day (hour labels 0 to 23), None if not one hour of it is known.

    Only the stations that the platform knows have values. With `days_before` lines of earlier days come first.
    """
    first = day - dt.timedelta(days=days_before)
    # The label 00:00 ends the day before.
    answer = platform.ask("air_hour", first - dt.timedelta(days=1), day)
    names = get_contract("air_hour").names
    hours: dict[dt.datetime, dict[str, dict[str, Cell]]] = defaultdict(dict)
    for values in platform.rows(answer):
        row = dict(zip(names, values, strict=True))
        label = row["hour_end"].astimezone(TIME_ZONE)
        if first <= label.date() <= day:
            hours[label][row["station_code"]] = row
    if not hours:
        return None
    header = _read_air_header(day)
    lines = [header]
    for label, stations in sorted(hours.items()):
        for type_ in _AIR_TYPES:
            cells = [_write_number(stations.get(code, {}).get(TYPES.get(type_, ""))) for code in header[3:]]
            # An hour that was cut short lacks the lines of its last types.
            if any(cells):
                lines.append([f"{label:%Y%m%d}", str(label.hour), type_, *cells])
    return _write_csv(lines).encode()


def make_water_day(platform: Platform, day: dt.date, days_before: int = 0) -> bytes | None:
    """Return the national surface-water answer of a day: HTML in its cells, times without a year, a row sent twice."""
    answer = platform.ask("water_section_4h", day - dt.timedelta(days=days_before), day)
    names = get_contract("water_section_4h").names
    rows = [dict(zip(names, values, strict=True)) for values in platform.rows(answer)]
    if not rows:
        return None
    body = [[_write_water_cell(row, column) for column in COLUMNS.values()] for row in rows]
    body.append(body[-1])
    answered = {
        "result": 1,
        "total": 1,
        "records": len(body),
        "thead": [_write_unit(n) for n in COLUMNS],
        "tbody": body,
    }
    return json.dumps(answered, ensure_ascii=False).encode()


def make_workbook(platform: Platform, contract: Contract) -> bytes:
    """Return a snapshot table as its department publishes it: a merged title, the issuer, then Chinese headers."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    lines = list(_write_form(platform, contract))
    sheet.append([contract.title.zh])
    sheet.append([f"填报单位：{contract.owner.zh}"])
    for line in lines:
        sheet.append(line)
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(lines[0]))
    sheet["A1"].font = Font(bold=True, size=14)
    sheet["A1"].alignment = Alignment(horizontal="center")
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def make_csv(platform: Platform, contract: Contract) -> bytes:
    """Return a snapshot table as a CSV out of a Chinese Excel: GB 18030, CRLF, the same headers as the workbook."""
    lines = [["" if cell is None else str(cell) for cell in line] for line in _write_form(platform, contract)]
    return _write_csv(lines).encode("gb18030")


def _write_form(platform: Platform, contract: Contract) -> Iterable[list[Cell]]:
    """Yield the header and the rows of a form, in the units that forms use."""
    today = platform.now().date()
    yield [_write_header(column) for column in contract.columns]
    for values in platform.rows(platform.ask(contract.table, today, today)):
        yield [_write_cell(value, column) for value, column in zip(values, contract.columns, strict=True)]


def _write_header(column: Column) -> str:
    name = column.zh.partition("：")[0]
    return f"{name}（{_FORM_UNITS[column.unit][0]}）" if column.unit in _FORM_UNITS else name


def _write_cell(value: Cell, column: Column) -> Cell:
    if isinstance(value, Decimal):
        return value / _FORM_UNITS[column.unit][1] if column.unit in _FORM_UNITS else value
    # A workbook's moments have no zone.
    return value.astimezone(TIME_ZONE).replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def _read_air_header(day: dt.date) -> list[str]:
    narrow, wide = (DATA / "cnemc_air_header.csv").read_text("utf-8").splitlines()
    return (wide if day >= _WIDER_FROM else narrow).split(",")


def _write_number(value: Cell) -> str:
    return "" if value is None else f"{Decimal(str(value)).normalize():f}"


def _write_csv(lines: list[list[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue()


def _write_unit(name: str) -> str:
    """Return a column's name as the answer shows it: the unit in a span of its own line."""
    return re.sub(r"^(.+)(\(.+\))$", r"\1<br/><span class='unit'>\2</span>", name)


def _write_water_cell(row: dict[str, Cell], column: str) -> str:
    value = row[column]
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(TIME_ZONE):%m-%d %H:%M}"
    if not isinstance(value, Decimal):
        return str(value or ("" if column == "water_class" else _WATER_MISSING))
    original = _write_number(value)
    return f"<span title='原始值：{original}'>{float(value):.3g}</span>"
