"""Identifiers of enterprises and permits: the unified social credit code and the permit number.

Belongs here: structure and check digits. Does not belong here: which county a holder lies in; that is the register's
to say, never the code's (its digits 3-8 name the registering office).
"""

from __future__ import annotations

import re

from stdnum.cn import uscc as _uscc

#: HJ 608-2017: USCC (18), sequence of the site (3), class letter (1). The letter is no check digit.
_PERMIT_NO = re.compile(r"(?P<uscc>[0-9A-HJ-NPQRTUWXY]{18})(?P<site>[0-9]{3})(?P<letter>[A-Z])")


def complete_uscc(first_17: str) -> str:
    """Append the check character of GB 32100-2015 to the first 17 characters.

    Raises ValueError if a character is not in the code's alphabet (no I, O, S, V, Z) or the length is not 17.
    """
    if len(first_17) != 17:
        raise ValueError(f"a USCC has 17 characters before its check character, got {first_17!r}")
    return first_17 + _uscc.calc_check_digit(first_17)


def is_valid_uscc(code: str) -> bool:
    """Tell whether `code` is a USCC as written: upper case, 18 characters, right check character."""
    return _uscc.compact(code) == code and _uscc.is_valid(code)


def compose_permit_no(uscc: str, site_no: int, letter: str = "P") -> str:
    """Return the permit number of a holder's site (HJ 608-2017); ValueError if the result is none."""
    permit_no = f"{uscc}{site_no:03d}{letter}"
    if not is_valid_permit_no(permit_no):
        raise ValueError(f"{permit_no!r} is no permit number of HJ 608-2017")
    return permit_no


def is_valid_permit_no(permit_no: str) -> bool:
    """Tell whether `permit_no` is well formed and the USCC inside it is valid."""
    match = _PERMIT_NO.fullmatch(permit_no)
    return match is not None and is_valid_uscc(match["uscc"])
