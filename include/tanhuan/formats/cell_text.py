"""What a cell of a table says, as text that DuckDB can cast: numbers, units, dates, names of columns.

Belongs here: pure functions from a person's way of writing to the plain one. A text that cannot be understood comes
back as it is, for the contract to judge. Does not belong here: files, rows, or whether a value makes sense.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from decimal import Context, Decimal, Inexact

from openpyxl.utils.datetime import from_excel

from tanhuan.contracts import Column
from tanhuan.formats.enterprise_text import parse_amount_cny

#: Any digit that a sum loses is an error, not a rounding.
_EXACT = Context(prec=100, traps=[Inexact])
_BRACKETS = str.maketrans("[]{}【】〔〕「」", "()()()()()")
_NOT_IN_NAMES = re.compile(r"[\s*_\u200b\ufeff]")
_NOTE = re.compile(r"(.+)\(([^()]*)\)")
#: `12`, `-1,234.5`, `9.1E+17`; a comma only where thousands end, so that a decimal comma is not one
_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,40})(?:\.\d{1,40})?(?:e[+-]?\d{1,2})?"
_QUANTITY = re.compile(rf"({_NUMBER})(.*)")
_PLAIN = re.compile(r"-?\d{1,40}(\.\d{1,40})?")
_CURRENCY_SIGN = re.compile(r"¥|rmb|cny|人民币")
#: what Excel leaves of a code of more than 15 digits
_CODE_AS_NUMBER = re.compile(r"\d(\.\d+)?[eE]\+\d+")

#: What is measured, and how many of the smallest unit listed: fixed by definition (GB 3100-1993). Concentrations in
#: gas and in water are different quantities.
_UNITS: dict[str, tuple[str, Decimal]] = {
    **dict.fromkeys(["元", "人民币元", "人民币", "cny", "rmb", "¥"], ("money", Decimal(1))),
    "千元": ("money", Decimal(1_000)),
    **dict.fromkeys(["万元", "人民币万元"], ("money", Decimal(10_000))),
    "百万元": ("money", Decimal(1_000_000)),
    "亿元": ("money", Decimal(100_000_000)),
    **dict.fromkeys(["g", "克"], ("mass", Decimal(1))),
    **dict.fromkeys(["kg", "千克", "公斤"], ("mass", Decimal(1_000))),
    **dict.fromkeys(["t", "吨"], ("mass", Decimal(1_000_000))),
    **dict.fromkeys(["万t", "万吨"], ("mass", Decimal(10_000_000_000))),
    **dict.fromkeys(["ug/m3", "μg/m3", "微克/立方米"], ("mass in gas", Decimal(1))),
    **dict.fromkeys(["mg/m3", "毫克/立方米"], ("mass in gas", Decimal(1_000))),
    **dict.fromkeys(["ug/l", "μg/l", "微克/升"], ("mass in water", Decimal(1))),
    **dict.fromkeys(["mg/l", "毫克/升"], ("mass in water", Decimal(1_000))),
    **dict.fromkeys(["l", "升"], ("volume", Decimal(1))),
    **dict.fromkeys(["m3", "立方米"], ("volume", Decimal(1_000))),
    **dict.fromkeys(["l/s", "升/秒"], ("flow", Decimal(1))),
    **dict.fromkeys(["m3/s", "立方米/秒"], ("flow", Decimal(1_000))),
    **dict.fromkeys(["%", "百分比"], ("share", Decimal(1))),
    **dict.fromkeys(["deg", "°", "度"], ("angle", Decimal(1))),
}

_DATE = re.compile(
    r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})(?!\d)|年(\d{1,2})月(\d{1,2})[日号])|(\d{4})(\d{2})(\d{2})(?!\d)"
)
_TIME = re.compile(r"(\d{1,2})(?::(\d{2})(?::(\d{2}))?|[时点](?:(\d{1,2})分(?:(\d{1,2})秒)?)?)")
_CHINESE_DATE = re.compile(
    r"([〇○零一二三四五六七八九]{4})年([一二三四五六七八九十]{1,3})月([一二三四五六七八九十廿卅]{1,3})([日号])"
)
_DIGITS = {"〇": 0, "○": 0, "零": 0, **{digit: n for n, digit in enumerate("一二三四五六七八九", start=1)}}
#: Excel's day numbers, without its smallest: `2021` in a date column is rather a year than a day of 1905
_SERIAL = re.compile(r"[1-9]\d{4,6}(\.\d+)?")


def fold_name(text: str) -> str:
    """Return a column's name as it is compared: half-width, lower case, without spaces, `*` and `_`."""
    return _NOT_IN_NAMES.sub("", unicodedata.normalize("NFKC", text)).translate(_BRACKETS).casefold()


def split_notes(folded: str) -> tuple[str, list[str]]:
    """Take bracketed notes off a folded name: `罚款金额(必填)(万元)` -> `罚款金额`, [`万元`, `必填`]."""
    notes = []
    while found := _NOTE.fullmatch(folded):
        folded = found[1]
        notes.append(found[2])
    return folded, notes


def is_unit(folded: str) -> bool:
    """Whether a folded text is a unit known here."""
    return folded in _UNITS


def find_factor(written: str, column: Column) -> Decimal | None:
    """Return what a number in a written unit (folded) is multiplied by to be in the column's; None if it does not fit.

    A column whose unit differs by row (`mg/m3, mg/L or %`) takes each of them as it is.
    """
    own = [fold_name(unit) for unit in re.split(r", | or ", column.unit or "")]
    if written in own:
        return Decimal(1)
    if len(own) > 1 or written not in _UNITS or own[0] not in _UNITS:
        return None
    (quantity, size), (own_quantity, own_size) = _UNITS[written], _UNITS[own[0]]
    return size / own_size if quantity == own_quantity else None


def is_code_as_number(text: str) -> bool:
    """Whether a text is what a spreadsheet leaves of a long code, such as `9.11302E+17`."""
    return _CODE_AS_NUMBER.fullmatch(text) is not None


def make_converter(column: Column, factor: Decimal, epoch: dt.datetime | None) -> Callable[[str], str | None]:
    """Return the function from a column's cell text to what its type can be cast from; blank becomes NULL.

    `factor` is that of the unit in the header. `epoch` is the first day of a workbook's day numbers; without one (CSV
    does not say which) a bare number is no date.
    """
    if column.type == "VARCHAR":
        return lambda text: text.strip() or None
    if column.type == "DATE":
        return lambda text: _convert_date(text.strip(), epoch) or None
    if column.type.startswith("TIMESTAMP"):
        return lambda text: _convert_moment(text.strip(), epoch) or None
    return lambda text: _convert_number(text.strip(), column, factor) or None


def _convert_number(text: str, column: Column, factor: Decimal) -> str:
    if factor == 1 and _PLAIN.fullmatch(text):
        return text
    half_width = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).replace("\u2212", "-").casefold()
    if column.unit == "CNY":
        half_width = _CURRENCY_SIGN.sub("", half_width, count=1)
    found = _QUANTITY.fullmatch(half_width)
    if not found:
        # A decision writes its fine in words: 叁万元整（￥30000）.
        spelled = parse_amount_cny(text) if column.unit == "CNY" and factor == 1 else None
        return text if spelled is None else str(spelled)
    if unit := found[2]:
        own = find_factor(unit, column) if column.unit else None
        if own is None:
            return text
        factor = own
    number = _EXACT.multiply(Decimal(found[1].replace(",", "")), factor)
    return f"{number.normalize(_EXACT):f}"


def _convert_date(text: str, epoch: dt.datetime | None) -> str:
    moment = _read_moment(text, epoch)
    return text if moment is None or moment.time() != dt.time() else moment.date().isoformat()


def _convert_moment(text: str, epoch: dt.datetime | None) -> str:
    moment = _read_moment(text, epoch)
    return text if moment is None else f"{moment.isoformat(sep=' ')}+08:00"


def _read_moment(text: str, epoch: dt.datetime | None) -> dt.datetime | None:
    """Return the moment a text names, whichever way a person in China writes it; None if that is not certain."""
    half_width = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip()
    if epoch is not None and _SERIAL.fullmatch(half_width):
        return _read_serial(float(half_width), epoch)
    half_width = _CHINESE_DATE.sub(_to_digits, half_width)
    found = _DATE.match(half_width)
    if not found:
        return None
    rest = half_width[found.end() :].lstrip(" T")
    time = _TIME.fullmatch(rest)
    if rest and not time:
        return None
    year, month, day = (int(part) for part in found.groups() if part and part.isdigit())
    hour, minute, second = (int(a or b or 0) for a, b in _pair(time)) if time else (0, 0, 0)
    # 24:00 is the end of the day named, as GB/T 7408 and monitoring tables write it.
    end_of_day = (hour, minute, second) == (24, 0, 0)
    try:
        moment = dt.datetime(year, month, day, 0 if end_of_day else hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None  # 30 February: no such day, the text stays for the contract to refuse
    return moment + dt.timedelta(days=1) if end_of_day else moment


def _pair(time: re.Match[str]) -> list[tuple[str | None, str | None]]:
    hour, minute, second, minute_zh, second_zh = time.groups()
    return [(hour, None), (minute, minute_zh), (second, second_zh)]


def _read_serial(serial: float, epoch: dt.datetime) -> dt.datetime | None:
    try:
        moment = from_excel(serial, epoch)
    except OverflowError:
        return None  # a day after 9999
    return moment if isinstance(moment, dt.datetime) else None


def _to_digits(found: re.Match[str]) -> str:
    year, month, day, end = found.groups()
    return f"{''.join(str(_DIGITS[d]) for d in year)}年{_count_to_31(month)}月{_count_to_31(day)}{end}"


def _count_to_31(text: str) -> int:
    """Return the number that 五, 十五, 二十五, 廿五 or 三十一 is."""
    tens, ten, ones = text.replace("廿", "二十").replace("卅", "三十").rpartition("十")
    if len(tens) > 1 or len(ones) > 1:
        return 0  # 一二 is no number; 0 is no month and no day
    return (_DIGITS[tens] if tens else 1) * 10 + (_DIGITS[ones] if ones else 0) if ten else _DIGITS[ones]
