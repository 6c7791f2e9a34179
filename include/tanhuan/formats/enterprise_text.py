"""Texts of enterprise records that say an amount of money.

Belongs here: reading what a Chinese document says beyond doubt. Does not belong here: any guess; what is doubtful stays
a text for a person. Staging model `stg_credit__amount_text` reads the same in SQL, and a test holds the two together.
"""

from __future__ import annotations

import re
from decimal import Decimal

_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,12})(?:\.[0-9]{1,6})?"
_NUMERALS = "零壹贰叁肆伍陆柒捌玖"
_DIGIT = f"[{_NUMERALS[1:]}]"
_SECTION = f"(?:零?{_DIGIT}仟)?(?:零?{_DIGIT}佰)?(?:零?{_DIGIT}?拾)?(?:零?{_DIGIT})?"
_SPELLED = f"(?:{_SECTION}亿)?(?:{_SECTION}万)?{_SECTION}元(?:零?{_DIGIT}角)?(?:零?{_DIGIT}分)?"
_AMOUNT = f"(?:¥{_NUMBER}[万亿]?元?|{_NUMBER}(?:[万亿]元?|元)|{_SPELLED})[整正]?"

#: full-width characters and the numerals of everyday writing, as documents of finance write them
_PLAIN = str.maketrans(
    "０１２３４５６７８９．，￥圆〇一二两三四五六七八九十百千", "0123456789.,¥元零壹贰贰叁肆伍陆柒捌玖拾佰仟"
)
_AROUND = re.compile(r"人民币|大写|小写|(处以|处)?罚款|[\s()（）:：]")
_UNITS = {"元": 1, "万元": 10_000}
_PLACES = {"亿": 100_000_000, "万": 10_000, "仟": 1000, "佰": 100, "拾": 10}
_FEN = Decimal("0.01")
#: what a DECIMAL(18,2) holds
_BOUND = Decimal(10) ** 16


def parse_amount_cny(text: str, unit: str | None = None) -> Decimal | None:
    """Return the amount in CNY that a text says without doubt, else None.

    Args:
        text: digits with 元, 万元, 亿元 or ¥, numerals spelled out with 元, or several of these if they agree, as in
            叁万元整（￥30000）.
        unit: 元 or 万元 if a bare number is declared to be in it; without one a bare number is doubtful.
    """
    plain = _AROUND.sub("", text.translate(_PLAIN))
    said: set[Decimal | None] = set()
    if re.fullmatch(_NUMBER, plain):
        said = {_to_decimal(plain) * _UNITS[unit]} if unit in _UNITS else set()
    elif re.fullmatch(f"(?:{_AMOUNT})+", plain):
        said = {_read_amount(amount) for amount in re.findall(_AMOUNT, plain)}
    amount = said.pop() if len(said) == 1 else None
    return amount.quantize(_FEN) if amount is not None and amount < _BOUND and not amount % _FEN else None


def _read_amount(amount: str) -> Decimal | None:
    number = re.search(_NUMBER, amount)
    if number:
        return _to_decimal(number[0]) * (_PLACES["亿"] if "亿" in amount else _PLACES["万"] if "万" in amount else 1)
    return _read_spelled(amount) if re.search(_DIGIT, amount) else None


def _read_spelled(amount: str) -> Decimal:
    yuan, _, cents = amount.rstrip("整正").partition("元")
    total, section = Decimal(0), ""
    for character in yuan:
        if character in "亿万":
            total, section = total + _read_section(section) * _PLACES[character], ""
        else:
            section += character
    total += _read_section(section)
    for place, value in (("角", Decimal("0.1")), ("分", _FEN)):
        if place in cents:
            total += _NUMERALS.index(cents[cents.index(place) - 1]) * value
    return total


def _read_section(section: str) -> int:
    """Return the number below ten thousand that a section says; 拾 without a numeral before it is ten."""
    total, digit = 0, 0
    for character in section:
        if character in _NUMERALS:
            digit = _NUMERALS.index(character)
        else:
            total, digit = total + (digit or 1) * _PLACES[character], 0
    return total + digit


def _to_decimal(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))
