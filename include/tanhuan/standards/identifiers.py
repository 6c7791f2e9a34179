"""Identifiers of enterprises, permits, outlets and data loggers: structure and check characters.

Belongs here: what the coding standards say of a code as it is written. Does not belong here: which county a holder lies
in; that is the register's to say, never the code's (its digits 3-8 name the registering office). Nothing here mends a
code: what is wrong is named, and the text stays as it came.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

from stdnum.cn import uscc as _uscc

#: GB 32100-2015: letters without I, O, S, V, Z; digits 3-8 are those of the registering office.
_USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}")
#: HJ 608-2017: USCC (18), sequence of the site (3), class letter (1). The letter is no check digit.
_PERMIT_NO = re.compile(r"(.{18})([0-9O]{3})([A-Z])")
#: P, Q, R, U, V end permits, W to Z receipts of registration, as far as seen; the standard lists no letters.
_USUAL_LETTERS = frozenset("PQRUVWXYZ")
_ORGANISATION_CODE = re.compile(r"[0-9A-Z]{8}-?[0-9X]")
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_OUTLET_CODE = re.compile(r"D[AW][0-9]{3}")
_MN = re.compile(r"[0-9A-F]{24}")


class Finding(StrEnum):
    """What is to be said about a code as written; the gate refuses all but the first four."""

    VALID = "valid"
    CHECK_DIGIT_FAILED = "check_digit_failed"
    LETTER_O_FOR_ZERO = "letter_o_for_zero"
    UNUSUAL_LETTER = "unusual_letter"
    WRONG_LENGTH = "wrong_length"
    WRONG_ALPHABET = "wrong_alphabet"
    ORGANISATION_CODE = "organisation_code"
    REGISTRATION_NO = "registration_no"


def compact_code(text: str) -> str:
    """Return the code that a person meant: half-width, upper case, without blanks and hyphens. Never to be stored."""
    return str(_uscc.compact(re.sub(r"\s", "", unicodedata.normalize("NFKC", text))))


def complete_uscc(first_17: str) -> str:
    """Append the check character of GB 32100-2015 to the first 17 characters.

    Raises ValueError if a character is not in the code's alphabet (no I, O, S, V, Z) or the length is not 17.
    """
    if len(first_17) != 17:
        raise ValueError(f"a USCC has 17 characters before its check character, got {first_17!r}")
    return first_17 + _uscc.calc_check_digit(first_17)


def classify_uscc(code: str) -> Finding:
    """Tell what is to be said about a USCC as written (GB 32100-2015).

    Upper case and half-width count: another notation of a code is another key. A code with the letter O in place of
    any zeros is one finding, whatever its check character; old 9- and 15-character numbers are named, never padded.
    """
    if _ORGANISATION_CODE.fullmatch(code):
        return Finding.ORGANISATION_CODE
    if re.fullmatch(r"[0-9]{15}", code):
        return Finding.REGISTRATION_NO
    if len(code) != 18:
        return Finding.WRONG_LENGTH
    if not _USCC.fullmatch(code.replace("O", "0")):
        return Finding.WRONG_ALPHABET
    if "O" in code:
        return Finding.LETTER_O_FOR_ZERO
    return Finding.VALID if complete_uscc(code[:17]) == code else Finding.CHECK_DIGIT_FAILED


def is_valid_uscc(code: str) -> bool:
    """Tell whether `code` is a USCC as written: upper case, 18 characters, right check character."""
    return classify_uscc(code) is Finding.VALID


def is_valid_organisation_code(code: str) -> bool:
    """Tell whether `code` has the 9 characters of GB 11714 and its check character fits (MOD 11, 10 is X).

    It may be written with its hyphen (`71667162-7`). A USCC holds one in its characters 9-17.
    """
    if not _ORGANISATION_CODE.fullmatch(code):
        return False
    total = sum(int(character, 36) * weight for character, weight in zip(code, _ORGANISATION_WEIGHTS, strict=False))
    return code[-1] == "0123456789X"[-total % 11]


def compose_permit_no(uscc: str, site_no: int, letter: str = "P") -> str:
    """Return the permit number of a holder's site (HJ 608-2017); ValueError if the result is none."""
    permit_no = f"{uscc}{site_no:03d}{letter}"
    if not is_valid_permit_no(permit_no):
        raise ValueError(f"{permit_no!r} is no permit number of HJ 608-2017")
    return permit_no


def classify_permit_no(permit_no: str) -> tuple[Finding, ...]:
    """Tell what is to be said about a permit number as written (HJ 608-2017); `(VALID,)` if nothing."""
    if len(permit_no) != 22:
        return (Finding.WRONG_LENGTH,)
    match = _PERMIT_NO.fullmatch(permit_no)
    if match is None:
        return (Finding.WRONG_ALPHABET,)
    uscc, site_no, letter = match.groups()
    finding = classify_uscc(uscc)
    if finding in (Finding.VALID, Finding.CHECK_DIGIT_FAILED) and "O" in site_no:
        finding = Finding.LETTER_O_FOR_ZERO
    found = [] if finding is Finding.VALID else [finding]
    found += [] if letter in _USUAL_LETTERS else [Finding.UNUSUAL_LETTER]
    return tuple(found) or (Finding.VALID,)


def is_valid_permit_no(permit_no: str) -> bool:
    """Tell whether `permit_no` is well formed and the USCC inside it is valid, whatever its letter."""
    return set(classify_permit_no(permit_no)) <= {Finding.VALID, Finding.UNUSUAL_LETTER}


def is_outlet_code(code: str) -> bool:
    """Tell whether `code` names an outlet: D, A or W for air or water, three digits (HJ 608-2017), e.g. DA001."""
    return _OUTLET_CODE.fullmatch(code) is not None


def is_standard_mn(code: str) -> bool:
    """Tell whether `code` is a data logger's number of HJ 212-2017 and -2025; 14-digit ones of 2005 are still seen."""
    return _MN.fullmatch(code) is not None
