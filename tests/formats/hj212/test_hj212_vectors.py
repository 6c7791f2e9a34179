"""Real packets of some 25 projects and the standards' own examples: every verdict as the vectors state it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tanhuan.formats.hj212_packets import Piece, decode_file, join_parts, parse_segment, read_pieces
from tanhuan.standards.hj212 import compute_crc, find_edition

DATA = Path(__file__).parent / "data"


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


RULES = load("hj212_rules.json")
EXAMPLES = load("hj212_standard_examples.json")
#: a packet without a fault, of which the mutations of the vectors are made
VALID = RULES["crc"][0]["segment"]


def read(data: bytes) -> list[Piece]:
    return list(read_pieces(io.BytesIO(data), {}))


def frame(segment: bytes | str) -> bytes:
    data = segment if isinstance(segment, bytes) else segment.encode()
    return b"##%04d%s%04X\r\n" % (len(data), data, compute_crc(data))


@pytest.mark.parametrize("vector", load("hj212_packets.json"), ids=lambda v: v["id"])
def test_real_packets_get_the_verdict_of_the_vector(vector: dict[str, Any], tmp_path: Path) -> None:
    archive = tmp_path / "packet.hj212"
    archive.write_bytes(vector["raw"].encode() + b"\r\n")
    [packet] = decode_file(archive, {})
    fits = (
        {"hj212": "good", "modbus_swapped": "flagged", "none": "bad"}[vector["crc_ok"]] if vector["len_ok"] else "bad"
    )
    assert packet["verdict"] == fits
    assert packet["head"] == vector["head"]
    assert packet["items"] == vector["cp_groups"]
    assert (packet["offset"], packet["length"]) == (0, len(vector["raw"]) + 2)
    assert json.loads(json.dumps(packet)) == packet


@pytest.mark.parametrize("vector", RULES["parse"], ids=lambda v: v["segment"][-40:])
def test_parse_vectors(vector: dict[str, Any]) -> None:
    parsed = parse_segment(vector["segment"].encode(), {})
    fields = [(*name.rpartition("-")[::2], value) for group in parsed.items for name, value in group if "-" in name]
    factors: dict[str, dict[str, str]] = {}
    for code, name, value in fields:
        factors.setdefault(code, {})[name] = value
    if "expect_items" in vector:
        assert [list(item) for item in fields] == vector["expect_items"]
        return
    flag = int(parsed.head.get("Flag", 0))
    data_time = next((group[0][1] for group in parsed.items if group[0][0] == "DataTime"), None)
    known: dict[str, Any] = {
        **parsed.head,
        **{name: int(parsed.head[name]) for name in ("PNUM", "PNO") if name in parsed.head},
        **{"DataTime": data_time, "factors": factors, "n_factors": len(factors)},
        **{"needs_ack": bool(flag & 1), "split": bool(flag & 2), "version_bits": flag >> 2},
        "encrypted_cp": parsed.cipher is not None,
        **{code: {n: v if n == "Flag" else float(v) for n, v in values.items()} for code, values in factors.items()},
    }
    expected = {name: value for name, value in vector["expect"].items() if name != "note"}
    assert {name: known[name] for name in expected} == expected


@pytest.mark.parametrize("vector", RULES["reject"], ids=lambda v: v["why"])
def test_reject_vectors(vector: dict[str, str]) -> None:
    assert [piece.verdict for piece in read(vector["raw"].encode())] == ["bad"]


MUTATIONS: dict[str, Callable[[bytes], bytes]] = {
    "length 0001": lambda p: p.replace(b"##0101", b"##0001"),
    "length 9999": lambda p: p.replace(b"##0101", b"##9999"),
    "length 0A01": lambda p: p.replace(b"##0101", b"##0A01"),
    "header !!": lambda p: p.replace(b"##", b"!!"),
    "header xx": lambda p: p.replace(b"##", b"xx"),
    "header 0#": lambda p: p.replace(b"##", b"0#"),
    "CRC 0000": lambda p: p.replace(b"1C80", b"0000"),
    "CRC ZZZZ": lambda p: p.replace(b"1C80", b"ZZZZ"),
    "CRC of Modbus, high byte first": lambda p: p.replace(b"1C80", b"0759"),
    "no =": lambda p: frame("ST=32;BROKEN;CN=2011;CP=&&&&"),
    "duplicate key": lambda p: frame("ST=32;ST=91;CN=2011;CP=&&&&"),
    "Flag 256": lambda p: frame("ST=32;CN=2011;Flag=256;CP=&&&&"),
    "no CN": lambda p: frame("ST=32;MN=1;CP=&&&&"),
    "key in lower case": lambda p: frame("ST=32;cn=2011;CP=&&&&"),
    "area open": lambda p: frame("ST=32;CN=2011;CP=&&DataTime=20240101000000"),
    "non ASCII in the head": lambda p: frame("ST=32;CN=2011;MN=湘潭;Flag=5;CP=&&&&"),
    "non ASCII in a value": lambda p: frame("ST=32;CN=2011;MN=1;Flag=5;CP=&&w01018-Rtd=一&&"),
    "GBK in a value": lambda p: frame("ST=32;CN=2011;MN=1;Flag=5;CP=&&i11001-Info=//清洗//&&".encode("gb18030")),
    "segment longer than stated": lambda p: p.replace(b"RtdInterval=30", b"RtdInterval=30;" + b"A=1;" * 300),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations_of_a_valid_packet_are_rejected_and_the_next_packet_is_found(name: str) -> None:
    valid = frame(VALID)
    assert [piece.verdict for piece in read(valid)] == ["good"]
    pieces = read(MUTATIONS[name](valid) + valid)
    assert {piece.verdict for piece in pieces[:-1]} == {"bad"}
    assert (pieces[-1].verdict, pieces[-1].raw) == ("good", valid)


ACCEPTED: dict[str, tuple[bytes, str]] = {
    # The vectors reject a footer of two carriage returns or none, and any segment over 1024 bytes. Receivers in the
    # field show both around packets whose length and check code fit (tonyxia_rx_release): accepted, never silently.
    "footer <CR><CR>": (frame(VALID)[:-2] + b"\r\r", "READ-HJ212-LINE-END"),
    "no footer": (frame(VALID)[:-2], "READ-HJ212-LINE-END"),
    "footer <CR><CR><LF>": (frame(VALID)[:-2] + b"\r\r\n", "READ-HJ212-LINE-END"),
    "segment over 1024": (frame("ST=32;CN=2011;CP=&&" + "SB1-RS=0;" * 120 + "&&"), "READ-HJ212-TOO-LONG"),
    "area over 960 in 2005": (frame("ST=32;CN=2011;CP=&&" + "A" * 959 + "=1&&"), "READ-HJ212-TOO-LONG"),
    "length of three digits": (frame(VALID).replace(b"##0101", b"##101"), "READ-HJ212-LENGTH-DIGITS"),
    "check code with its bytes swapped": (frame(VALID).replace(b"1C80", b"801C"), "READ-HJ212-CRC-LOW-BYTE-FIRST"),
    "Modbus, low byte first": (frame(VALID).replace(b"1C80", b"5907"), "READ-HJ212-CRC-LOW-BYTE-FIRST"),
    "QN with a character too many": (frame("QN=20180101123010123-;ST=32;CN=2011;CP=&&&&"), "READ-HJ212-HEAD-LIMIT"),
    "PNUM of five digits in 2005": (frame("ST=32;CN=2011;PNUM=12345;PNO=1;CP=&&&&"), "READ-HJ212-HEAD-LIMIT"),
    "field without =": (frame("ST=32;CN=2011;CP=&&DataTime=20240101000000;011&&"), "READ-HJ212-FIELD"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_oddities_of_the_field_are_accepted_and_flagged(name: str) -> None:
    data, flag = ACCEPTED[name]
    pieces = read(data + frame(VALID))
    assert [(piece.verdict, piece.flags) for piece in pieces] == [("flagged", [flag]), ("good", [])]


GOOD = {
    "check code in lower case": frame(VALID).replace(b"1C80", b"1c80"),
    "PNUM of five digits in 2017": frame("ST=32;CN=2011;Flag=6;PNUM=12345;PNO=1;CP=&&&&"),
    "Flag 255": frame("ST=32;CN=9014;Flag=255;CP=&&&&"),
    "area of 950": frame("ST=32;CN=2011;Flag=4;CP=&&" + "A" * 948 + "=1&&"),
    "no CP": frame("QN=20240101120000000;ST=91;CN=9014;MN=1;Flag=4"),
    "semicolon at the end of the area": frame("ST=91;CN=9014;CP=&&QN=20040516010101001;PNO=1;PNUM=1;&&"),
    "empty MN, PW and QN": frame("QN=;ST=91;CN=9013;PW=;MN=;Flag=8;CP=&&&&"),
    "Chinese information text": frame("ST=32;CN=3020;Flag=5;CP=&&PolId=w01018;i11001-Info=//清洗,管路;好//&&"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_standard_or_its_examples_allow_is_good(name: str) -> None:
    assert [(piece.error, piece.flags) for piece in read(GOOD[name])] == [(None, [])]


def test_separators_inside_an_information_text_separate_nothing() -> None:
    [piece] = read(GOOD["Chinese information text"])
    assert piece.segment.items == [[["PolId", "w01018"]], [["i11001-Info", "//清洗,管路;好//"]]]


@pytest.mark.parametrize("segment", load("hj212_command_segments.json")["segments"])
def test_command_segments_are_good(segment: str) -> None:
    [piece] = read(frame(segment))
    assert piece.verdict == "good"
    assert piece.segment.edition == find_edition(int(piece.segment.head["Flag"]))


@pytest.mark.parametrize("segment", [s for year in ("2005", "2017") for s in EXAMPLES[year]])
def test_examples_of_the_standards_are_good_but_for_their_misprints(segment: str) -> None:
    [piece] = read(frame(segment))
    if "Flag=5CP=" in segment:  # a misprint: no ';' before CP
        assert piece.error == "READ-HJ212-HEAD"
    elif "…" in segment:  # the standard's own "and so on", no character of a packet (6.3)
        assert piece.error == "READ-HJ212-NOT-ASCII"
        assert piece.segment.head["CN"] in segment
    else:
        assert piece.verdict == "good"


def test_the_receiver_log_gives_its_three_packets_between_modbus_frames() -> None:
    log = (DATA / "tonyxia_rx_release_2020-09.log").read_bytes()
    packets = [piece for piece in read(log) if piece.error is None]
    assert [(piece.offset, len(piece.segment.plain), piece.flags) for piece in packets] == [
        (24, 234, ["READ-HJ212-LINE-END"]),
        (295, 872, ["READ-HJ212-LINE-END"]),
        (12373, 1623, ["READ-HJ212-TOO-LONG", "READ-HJ212-CRC-LOW-BYTE-FIRST", "READ-HJ212-LINE-END"]),
    ]


def test_the_forwarder_log_shows_who_breaks_packets() -> None:
    with (DATA / "scair_dust_malformed_2025-02-21.csv").open(encoding="utf-8", newline="") as file:
        found = [(row["direction"], read(row["packet"].encode() + b"\r\n")) for row in csv.DictReader(file)]
    seen = {(direction, piece.verdict, piece.error, *piece.flags) for direction, pieces in found for piece in pieces}
    assert seen == {
        ("received", "good", None),
        ("forwarded", "bad", "READ-HJ212-LENGTH"),
        ("timesync", "flagged", None, "READ-HJ212-LENGTH-DIGITS"),
    }
    assert sum(len(pieces) for _, pieces in found) == 30


def test_parts_of_the_standards_own_example_are_joined_although_their_qn_differ() -> None:
    # Tables C.49 and C.50: QN is counted up from part to part.
    parts = [s.replace(";…", "") for s in EXAMPLES["2017"] if "PNUM=2" in s and "Flag=6" in s]
    [(joined, missing)] = join_parts(read(b"".join(frame(part) for part in reversed(parts))))
    assert ([piece.segment.head["PNO"] for piece in joined], missing) == (["1", "2"], 0)
