"""The arithmetic of HJ/T 212-2005, HJ 212-2017 and HJ 212-2025: check code, encryption, flag bits, codes, encoding.

Belongs here: what the three editions say about one packet. Does not belong here: finding packets in a stream of bytes
or turning them into rows (formats/hj212.py), nor whether a value makes sense (expectations/).

Clauses are those of HJ 212-2017 where no other edition is named.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from struct import unpack
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

EDITION_2005, EDITION_2017, EDITION_2025 = 2005, 2017, 2025

#: table 2: longest data segment, in bytes
SEGMENT_MAX = 1024
#: longest data area: HJ/T 212-2005 6.3.2, HJ 212-2017 table 3
AREA_MAX = {EDITION_2005: 960, EDITION_2017: 950, EDITION_2025: 950}
#: longest PNUM and PNO: HJ/T 212-2005 6.3.2; 9 and 8 characters in HJ 212-2017 table 3, which field parsers take for
#: the content although the table counts the name in
PART_DIGITS_MAX = {EDITION_2005: 4, EDITION_2017: 9, EDITION_2025: 9}

#: table 8, data flags of instruments
INSTRUMENT_FLAGS = frozenset("NFMSDCTB")
#: operating-condition marks of HJ 75-2017 and HJ 76-2017 that cannot be mistaken for a data flag
PROCESS_MARKS = frozenset({"St", "Sd", "Md"})
#: those that share a letter with a data flag of another meaning: only an extended flag (EFlag) can carry them
SHARED_PROCESS_MARKS = frozenset("FB")

_POLYNOMIAL = 0xA001
_BLOCK = 16


def _shift_byte(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


_TABLE = tuple(_shift_byte(byte) for byte in range(256))
#: Annex A drops the low byte of the register at every step, so the high byte is the whole state. Two steps in one
#: look-up: index is (state ^ first byte) | second byte << 8.
_STEP = bytes(entry >> 8 for entry in _TABLE)
_TWO_STEPS = bytes(_STEP[_STEP[low] ^ high] for high in range(256) for low in range(256))


def compute_crc(segment: bytes) -> int:
    """Return the check code of annex A over a data segment (1C80 for the standard's own example).

    It is not Modbus: the byte is combined with the register's high byte, moved down.
    """
    if not segment:
        return 0xFFFF
    state = 0xFF
    paired = (len(segment) - 1) // 2 * 2
    for pair in unpack(f"<{paired // 2}H", segment[:paired]):
        state = _TWO_STEPS[state ^ pair]
    for byte in segment[paired:-1]:
        state = _STEP[state ^ byte]
    return _TABLE[state ^ segment[-1]]


def compute_modbus_crc(segment: bytes) -> int:
    """Return CRC-16/MODBUS, which some loggers in the field send instead of the standard's code."""
    register = 0xFFFF
    for byte in segment:
        register = register >> 8 ^ _TABLE[(register ^ byte) & 0xFF]
    return register


def swap_bytes(code: int) -> int:
    """Return a 16-bit code with its low byte first."""
    return (code & 0xFF) << 8 | code >> 8


def find_edition(flag: int | None) -> int:
    """Return the edition that the version bits V5-V0 of Flag name (table 3); a packet without Flag is of 2005.

    Version 2 is HJ 212-2025; later versions are read like it.
    """
    version = 0 if flag is None else flag >> 2
    return (EDITION_2005, EDITION_2017, EDITION_2025)[min(version, 2)]


def is_encrypted_command(command: str) -> bool:
    """Tell whether HJ 212-2025 encrypts the data area of this command: data, key exchange, site information."""
    return (len(command) == 4 and command.startswith("2")) or command in ("1014", "3020")


def encrypt_area(area: bytes, key: bytes) -> bytes:
    """Encrypt a data area with SM4 in ECB mode; ValueError if the key is not 16 bytes.

    HJ 212-2025 annex A.2: groups of 16 characters, a shorter rest stays plain.
    """
    whole = len(area) // _BLOCK * _BLOCK
    return Cipher(algorithms.SM4(key), modes.ECB()).encryptor().update(area[:whole]) + area[whole:]  # noqa: S305


def decrypt_area(area: bytes, key: bytes) -> bytes:
    """Undo `encrypt_area`."""
    whole = len(area) // _BLOCK * _BLOCK
    return Cipher(algorithms.SM4(key), modes.ECB()).decryptor().update(area[:whole]) + area[whole:]  # noqa: S305


def encode_packet(
    head: Mapping[str, str], items: Iterable[Iterable[tuple[str, str]]], key: bytes | None = None
) -> bytes:
    """Build a packet, ready to send: head fields in their order, then the data area.

    `items`: the fields of one item together, e.g. `[[("DataTime", "…")], [("w01018-Avg", "18.4"), …]]`. With a `key`
    the data area is encrypted if Flag says 2025 and the command is one that the edition encrypts; check code and length
    are those of the plain segment (HJ 212-2025 annex A.2). ValueError if the segment needs more than 4 digits.
    """
    area = ";".join(",".join(f"{name}={value}" for name, value in fields) for fields in items).encode()
    start = "".join(f"{name}={value};" for name, value in head.items()).encode() + b"CP=&&"
    plain = start + area + b"&&"
    if len(plain) > 9999:
        raise ValueError(f"a data segment of {len(plain)} bytes does not fit into a packet, split it (PNUM, PNO)")
    edition = find_edition(int(head["Flag"]) if "Flag" in head else None)
    if key is not None and edition == EDITION_2025 and is_encrypted_command(head["CN"]):
        area = encrypt_area(area, key)
    return b"##%04d%s%s&&%04X\r\n" % (len(plain), start, area, compute_crc(plain))


def fits_type(text: str, kind: str) -> bool:
    """Tell whether a text fits a data type of 6.3.3.2.2: `C4` characters, `N5` digits, `N14.2` signed with decimals."""
    if kind.startswith("C"):
        return len(text) <= int(kind[1:])
    whole_max, _, decimals_max = kind[1:].partition(".")
    unsigned = text.removeprefix("-") if decimals_max else text
    whole, point, decimals = unsigned.partition(".")
    return (
        (whole + decimals).isascii()
        and (whole + decimals).isdigit()
        and len(whole) <= int(whole_max)
        and len(decimals) <= int(decimals_max or 0)
        and bool(decimals) == bool(point)
    )


class LegacyFactor(NamedTuple):
    """What a factor code of HJ/T 212-2005 is called since 2017, and the units if the default unit changed with it."""

    factor_code: str
    unit_2005: str
    unit_2017: str


@cache
def read_legacy_factors() -> dict[str, LegacyFactor]:
    """Return the factors of 2005 by their code (column 原编码 of tables B.1 and B.2)."""
    with (Path(__file__).parent / "data" / "hj212_legacy_factors.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["legacy_code"]: LegacyFactor(row["factor_code"], row["unit_2005"], row["unit_2017"])
            for row in csv.DictReader(file)
        }
