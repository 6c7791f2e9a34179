"""Hours of the outlets as raw HJ 212 packets: one stream a day, as data loggers of three editions of the standard send.

Belongs here: how a logger says what it measured, and the oddities of the field. A third of the loggers each speaks
HJ/T 212-2005 (numeric factor codes), HJ 212-2017 and HJ 212-2025 (data area encrypted with SM4). Does not belong here:
how a packet is framed, checked and encrypted (standards/hj212.py). Everything in these packets is invented.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from tanhuan.contracts import get_contract
from tanhuan.standards.hj212 import EDITION_2005, EDITION_2017, EDITION_2025, encode_packet, read_legacy_factors
from tanhuan.standin.draws import digest, uniform
from tanhuan.standin.platform import TIME_ZONE, Platform

#: Flag of a plain packet of each edition, and the bit that says that the packet is numbered
_FLAGS = {EDITION_2005: 0, EDITION_2017: 4, EDITION_2025: 8}
_NUMBERED = 2
_EDITIONS = tuple(_FLAGS)
#: factors that had no code in 2005, such as non-methane hydrocarbons, are sent under their newer one
_CODES_2005 = {factor.factor_code: code for code, factor in read_legacy_factors().items()}
_FIELDS = {
    "Min": "min_value",
    "Avg": "avg_value",
    "Max": "max_value",
    "ZsAvg": "corrected_avg_value",
    "Cou": "total_value",
    "Flag": "instrument_flag",
}
_LOW_BYTE_FIRST_SHARE = 0.08
#: a Modbus frame and half a packet, as they stand in real recordings
_GARBAGE = b"\x00\x00\x0e\x0f\x00\x00\x00\x06\x01\x04\x01\x00\x00\x00\x64##0231QN=2026;ST=3\r\r\n##\xff\xfe"

Row = dict[str, Any]
#: name and text of the fields of one item
Fields = list[tuple[str, str]]


@dataclass(frozen=True)
class Logger:
    """A data logger: its MN, what it speaks, and whether it writes its checksum the wrong way round."""

    mn: str
    edition: int
    key: bytes
    low_byte_first: bool


class _Hour(NamedTuple):
    """What one logger reports of one hour."""

    logger: Logger
    start: dt.datetime
    rows: list[Row]


def list_keys(platform: Platform) -> dict[str, str]:
    """Return the SM4 key of each logger that encrypts, as hexadecimal digits, by MN."""
    today = platform.now().date()
    names = get_contract("device_binding").names
    bound = platform.rows(platform.ask("device_binding", today, today))
    loggers = [make_logger(platform.seed, row[names.index("mn_code")]) for row in bound]
    return {logger.mn: logger.key.hex() for logger in loggers if logger.edition == EDITION_2025}


def make_logger(seed: int, mn: str) -> Logger:
    """Return the logger of an MN, always the same one."""
    edition = _EDITIONS[int(uniform(seed, "edition", mn) * len(_EDITIONS))]
    key = bytes.fromhex(digest(seed, "sm4", mn))
    return Logger(mn, edition, key, uniform(seed, "low byte first", mn) < _LOW_BYTE_FIRST_SHARE)


def make_packet_day(platform: Platform, day: dt.date, days_before: int = 0) -> bytes | None:
    """Return the packets of the hours that start on a day, None if there are none.

    With heartbeats, one packet in two numbered parts, one sent again (RF=1) and a run of garbage. With `days_before`
    the packets of earlier days come first, marked as sent again.
    """
    hours = list(_list_hours(platform, day - dt.timedelta(days=days_before), day))
    if not hours:
        return None
    fresh = [hour for hour in hours if hour.start.date() == day]
    split = next((h for h in fresh if h.logger.edition != EDITION_2005 and len(h.rows) > 1), None)
    stream: list[bytes] = []
    for hour in hours:
        if hour.start.hour == 0:
            stream.append(_encode_heartbeat(hour))
        stream += _encode_parts(hour) if hour is split else [_encode_hour(hour, resent=hour.start.date() < day)]
    stream.extend(_encode_hour(hour, resent=True) for hour in fresh[:1])
    stream.insert(len(stream) // 2, _GARBAGE)
    return b"".join(stream)


def _encode_hour(hour: _Hour, resent: bool = False) -> bytes:
    """Return the packet of one hour (CN 2061)."""
    return _encode(hour, "2061", [_time_of(hour), *_items_of(hour)], {"RF": "1"} if resent else {})


def _encode_heartbeat(hour: _Hour) -> bytes:
    return _encode(hour, "9015", [], {})


def _encode_parts(hour: _Hour) -> list[bytes]:
    """Return one hour in two packets, numbered PNO 1 and 2, each of which says its time."""
    middle = len(hour.rows) // 2
    parts = (_items_of(hour)[:middle], _items_of(hour)[middle:])
    return [
        _encode(hour, "2061", [_time_of(hour), *items], {"PNUM": "2", "PNO": str(number)})
        for number, items in enumerate(parts, start=1)
    ]


def _list_hours(platform: Platform, first: dt.date, last: dt.date) -> Iterator[_Hour]:
    names = get_contract("source_hour").names
    rows = [dict(zip(names, values, strict=True)) for values in platform.rows(platform.ask("source_hour", first, last))]
    rows.sort(key=lambda row: (row["hour_start"], row["mn_code"], row["factor_code"]))
    for (start, mn), reported in groupby(rows, key=lambda row: (row["hour_start"], row["mn_code"])):
        yield _Hour(make_logger(platform.seed, mn), start.astimezone(TIME_ZONE), list(reported))


def _encode(hour: _Hour, command: str, items: list[Fields], more: dict[str, str]) -> bytes:
    """Return a packet; QN is a few minutes after the hour has ended."""
    logger = hour.logger
    sent = hour.start + dt.timedelta(hours=1, seconds=60 + int(logger.mn[:2], 16))
    head = {
        "QN": f"{sent:%Y%m%d%H%M%S}000",
        # System types of HJ 212: 31 air, 32 water pollution sources.
        "ST": "32" if hour.rows[0]["factor_code"].startswith("w") else "31",
        "CN": command,
        "PW": "123456",
        "MN": logger.mn,
        "Flag": str(_FLAGS[logger.edition] | (_NUMBERED if "PNUM" in more else 0)),
    }
    packet = encode_packet(head | more, items, logger.key)
    if logger.low_byte_first:
        packet = packet[:-6] + packet[-4:-2] + packet[-6:-4] + packet[-2:]
    return packet


def _time_of(hour: _Hour) -> Fields:
    return [("DataTime", f"{hour.start:%Y%m%d%H%M%S}")]


def _items_of(hour: _Hour) -> list[Fields]:
    is_old = hour.logger.edition == EDITION_2005
    items = []
    for row in hour.rows:
        code = _CODES_2005.get(row["factor_code"], row["factor_code"]) if is_old else row["factor_code"]
        items.append([(f"{code}-{field}", str(row[name])) for field, name in _FIELDS.items() if row[name] is not None])
    return items
