"""Decoding of HJ 212 packets, on one core."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections import Counter
from pathlib import Path

from tanhuan.bench.measures import Measure
from tanhuan.formats.hj212_packets import decode_file
from tanhuan.standards.hj212 import encode_packet

_FIRST_DAY = dt.date(2025, 1, 1)


def measure_packets(packets: int) -> Measure:
    """Measure the decoding of hourly HJ 212 packets on one core: framing, CRC, items."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packets.bin"
        file.write_bytes(b"".join(_make_packet(number) for number in range(packets)))
        started = time.monotonic()
        verdicts = Counter(packet["verdict"] for packet in decode_file(file, {}))
        seconds = time.monotonic() - started
    assert verdicts == {"good": packets}, f"of {packets} made packets were found: {dict(verdicts)}"
    return Measure("decoding HJ 212", packets, "packets", round(seconds, 3), None, {})


def _make_packet(number: int) -> bytes:
    """Return an hourly packet of a boiler: 13 fields of four factors, 300 bytes, as the field sends them."""
    hour = dt.datetime.combine(_FIRST_DAY, dt.time()) + dt.timedelta(hours=number)
    head = {"QN": f"{hour:%Y%m%d%H}0500000", "ST": "31", "CN": "2061", "PW": "123456", "MN": f"{number % 60:024X}"}
    nox = 30 + number % 500 / 10
    items = [
        [("DataTime", f"{hour:%Y%m%d%H}0000")],
        [("a00000-Avg", "88.5"), ("a00000-Cou", "318600"), ("a00000-Flag", "N")],
        [(f"a21002-{name}", f"{nox + more:.1f}") for name, more in (("Min", -8), ("Avg", 0), ("Max", 9), ("ZsAvg", 2))],
        [("a21002-Cou", f"{nox * 0.3186:.3f}"), ("a21002-Flag", "N")],
        [("a19001-Avg", "16.2"), ("a19001-Flag", "N")],
    ]
    return encode_packet({**head, "Flag": "5"}, items)
