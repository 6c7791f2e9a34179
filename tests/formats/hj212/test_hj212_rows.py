"""Hourly packets as rows of `source_hour`: values, flags, legacy codes, binding by date, what becomes of the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import get_contract
from tanhuan.formats.hj212 import FAULTS, read_rows
from tanhuan.formats.rows import Payload
from tanhuan.standards.hj212 import compute_crc, encode_packet

CONTRACT = get_contract("source_hour")
PERMIT = "91430300MA4L0QXX1X001P"
AIR, WATER = "4303040000000A0B0C0D0E01", "81733553216204"
#: the packet of a stack, made by hand from the standard
STACK = (
    b"##0322QN=20261115010003000;ST=31;CN=2061;PW=123456;MN=4303040000000A0B0C0D0E01;Flag=5;CP=&&"
    b"DataTime=20261115000000;a00000-Avg=88.5,a00000-Cou=318600,a00000-Flag=N;a21002-Min=30.2,a21002-Avg=38.6,"
    b"a21002-Max=47.9,a21002-ZsMin=31.1,a21002-ZsAvg=40.1,a21002-ZsMax=49.6,a21002-Cou=12.298,a21002-Flag=N;"
    b"a19001-Avg=16.2,a19001-Flag=N&&6840\r\n"
)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create temp table binding (" + get_columns("device_binding") + ")")
        connection.executemany(
            "insert into binding by name select ? as mn_code, ? as permit_no, ? as outlet_code, "
            "?::date as valid_from_date, ?::date as valid_to_date",
            [
                [AIR, PERMIT, "DA001", "2025-01-01", "2026-06-30"],
                [AIR, PERMIT, "DA002", "2026-07-01", None],
                [WATER, PERMIT, "DW001", "2025-01-01", "2026-11-15"],
            ],
        )
        yield connection


def get_columns(table: str) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in get_contract(table).columns)


def make_packet(*items: str, head: str = "", time: str = "20261115000000", mn: str = AIR, flag: str = "5") -> bytes:
    fields = dict(pair.split("=") for pair in f"QN=20261115010003000;ST=31;CN=2061;MN={mn};Flag={flag}".split(";"))
    fields |= dict(pair.split("=") for pair in head.split(";") if pair)
    texts = [f"DataTime={time}", *items] if time else items
    return encode_packet(fields, [[split_field(part) for part in item.split(",")] for item in texts])


def split_field(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def read(con: duckdb.DuckDBPyConnection, folder: Path, *packets: bytes) -> tuple[list[dict[str, Any]], list[Any]]:
    archive = folder / "archive.hj212"
    archive.write_bytes(b"".join(packets))
    payload = Payload(archive, "archive.hj212", dt.datetime(2026, 11, 16, tzinfo=dt.UTC))
    read_rows(con, CONTRACT, [payload], "texts", "unreadable", {})
    found = con.execute("select * from texts order by rowid")
    names = [name for name, *_ in found.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    assert {flag for row in rows for flag in row["_flags"]} <= FAULTS.keys()
    return rows, con.execute("select * from unreadable").fetchall()


def test_an_hourly_packet_becomes_a_row_for_each_factor(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows, unreadable = read(con, tmp_path, STACK)
    assert unreadable == []
    assert [row["factor_code"] for row in rows] == ["a00000", "a21002", "a19001"]
    assert rows[1] == {
        **{"_source_file": "archive.hj212", "_source_row": 0, "_flags": []},
        "_raw": f"MN={AIR};CP=&&DataTime=20261115000000;a21002-Min=30.2,a21002-Avg=38.6,a21002-Max=47.9,"
        "a21002-ZsMin=31.1,a21002-ZsAvg=40.1,a21002-ZsMax=49.6,a21002-Cou=12.298,a21002-Flag=N&&",
        **{"mn_code": AIR, "permit_no": PERMIT, "outlet_code": "DA002", "factor_code": "a21002"},
        **{"hour_start": "2026-11-15T00:00:00+08:00", "avg_value": "38.6", "min_value": "30.2", "max_value": "47.9"},
        **{"corrected_avg_value": "40.1", "total_value": "12.298", "instrument_flag": "N", "process_flag": None},
        **{"data_status": "preliminary", "data_basis": "measured"},
    }


def test_the_rows_bring_every_column_of_the_contract(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    archive = tmp_path / "a.hj212"
    archive.write_bytes(STACK)
    payload = Payload(archive, "a.hj212", dt.datetime(2026, 11, 16, tzinfo=dt.UTC))
    assert read_rows(con, CONTRACT, [payload], "texts", "unreadable", {}) == set(CONTRACT.names)


@pytest.mark.parametrize(
    ("time", "outlet"), [("20260630230000", "DA001"), ("20260701000000", "DA002"), ("20990101000000", "DA002")]
)
def test_the_outlet_is_that_of_the_day_of_the_data(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, time: str, outlet: str
) -> None:
    [row], _ = read(con, tmp_path, make_packet("a19001-Avg=16.2,a19001-Flag=N", time=time))
    assert row["outlet_code"] == outlet


@pytest.mark.parametrize(
    ("mn", "time", "named"),
    [
        (AIR, "20241231230000", f"MN {AIR}, 2024-12-31"),
        (WATER, "20261116000000", f"MN {WATER}, 2026-11-16"),
        ("000101", "20261115000000", "MN 000101, 2026-11-15"),
    ],
)
def test_a_logger_without_an_outlet_on_that_day_goes_to_quarantine(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, mn: str, time: str, named: str
) -> None:
    rows, [unreadable] = read(con, tmp_path, make_packet("a19001-Avg=16.2,a19001-Flag=N", mn=mn, time=time))
    assert rows == []
    assert unreadable[3] == "READ-HJ212-UNBOUND"
    assert named in unreadable[4]
    assert "a19001-Avg=16.2" in unreadable[2]


def test_bad_packets_go_to_quarantine_with_their_byte_offset(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    damaged = STACK.replace(b"88.5", b"88.6")
    rows, [unreadable] = read(con, tmp_path, STACK, damaged, STACK)
    assert len(rows) == 6
    assert {row["_source_row"] for row in rows} == {0, 2 * len(STACK)}
    assert unreadable[:2] == ("archive.hj212", len(STACK))
    assert (unreadable[2], unreadable[3]) == (damaged.decode(), "READ-HJ212-CRC")
    assert unreadable[4].startswith(f"byte {len(STACK)}: sent 6840, computed ")


def test_whole_packets_that_are_no_hourly_data_of_sources_are_counted(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    heartbeat = encode_packet({"ST": "91", "CN": "9014", "MN": AIR, "Flag": "4"}, [])
    request = make_packet("BeginTime=20261115000000", "EndTime=20261115010000", time="")
    ambient = make_packet("a34004-Avg=14", head="ST=22")
    rows, unreadable = read(con, tmp_path, heartbeat, heartbeat, b"\0\0modbus", request, ambient)
    assert (rows, unreadable) == ([], [])
    assert con.execute("select kind, pieces from texts_other order by kind").fetchall() == [
        ("ST=22;CN=2061", 1),
        ("ST=31;CN=2061", 1),
        ("ST=91;CN=9014", 2),
        ("garbage", 1),
    ]


def test_legacy_factors_are_filed_under_their_code_of_2017(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    packet = make_packet("011-Avg=32.4", "B01-Avg=5.1", "S08-Avg=0.1", "831-Avg=1", "W01018-Avg=3", mn=WATER, flag="0")
    rows, _ = read(con, tmp_path, packet)
    assert [(row["factor_code"], row["_flags"]) for row in rows] == [
        ("w01018", ["READ-HJ212-LEGACY-FACTOR"]),
        ("w00000", ["READ-HJ212-LEGACY-FACTOR"]),
        ("a01013", ["READ-HJ212-LEGACY-FACTOR", "READ-HJ212-LEGACY-UNIT"]),
        ("831", ["READ-HJ212-FACTOR"]),
        ("W01018", ["READ-HJ212-FACTOR"]),
    ]
    assert "011-Avg=32.4" in rows[0]["_raw"]


@pytest.mark.parametrize(
    ("fields", "edition", "instrument", "process", "flags"),
    [
        ("a19001-Flag=T", "5", "T", None, []),
        ("a19001-Flag=F", "5", "F", None, []),
        # HJ/T 212-2005 6.3.3.2.3: F is the source, not the instrument; P (power failure) is not in table 8
        ("a19001-Flag=F", "1", "F", "F", []),
        ("a19001-Flag=P", "1", "P", None, ["READ-HJ212-DATA-FLAG"]),
        ("a19001-Flag=n", "5", "n", None, ["READ-HJ212-DATA-FLAG"]),
        ("a19001-Flag=St", "5", None, "St", []),
        ("a19001-Flag=N,a19001-EFlag=B", "5", "N", "B", []),
        ("a19001-Flag=N,a19001-EFlag=A01", "5", "N", None, []),
        ("a19001-Flag=", "5", None, None, []),
        ("a19001-Avg=1", "5", None, None, []),
    ],
)
def test_data_flags_and_operating_conditions_are_two_things(
    con: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    fields: str,
    edition: str,
    instrument: str | None,
    process: str | None,
    flags: list[str],
) -> None:
    [row], _ = read(con, tmp_path, make_packet(fields, flag=edition))
    assert (row["instrument_flag"], row["process_flag"], row["_flags"]) == (instrument, process, flags)


@pytest.mark.parametrize("value", ["-0.052", "1.", "+1", "1e3", "--", "%d", "NaN"])
def test_values_are_passed_on_as_they_came(con: duckdb.DuckDBPyConnection, tmp_path: Path, value: str) -> None:
    [row], _ = read(con, tmp_path, make_packet(f"a19001-Avg={value},a19001-Flag=N"))
    assert row["avg_value"] == value


def test_an_empty_value_is_missing_not_zero(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    [row], _ = read(con, tmp_path, make_packet("a19001-Avg=,a19001-Flag=D"))
    assert row["avg_value"] is None


@pytest.mark.parametrize(
    ("time", "hour_start", "flags"),
    [
        ("20261115010000000", "2026-11-15T01:00:00.000+08:00", ["READ-HJ212-TIME-MILLISECONDS"]),
        ("20261115010001", "2026-11-15T01:00:01+08:00", ["READ-HJ212-HOUR-NOT-FULL"]),
    ],
)
def test_odd_times_are_kept_and_flagged(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, time: str, hour_start: str, flags: list[str]
) -> None:
    [row], _ = read(con, tmp_path, make_packet("a19001-Avg=1,a19001-Flag=N", time=time))
    assert (row["hour_start"], row["_flags"]) == (hour_start, flags)


@pytest.mark.parametrize("time", ["", "2026111501", "20260231000000", "20261115250000"])
def test_hourly_data_of_no_readable_hour_go_to_quarantine(
    con: duckdb.DuckDBPyConnection, tmp_path: Path, time: str
) -> None:
    rows, [unreadable] = read(con, tmp_path, make_packet("a19001-Avg=1,a19001-Flag=N", time=time))
    assert rows == []
    assert unreadable[3] == "READ-HJ212-TIME"


def test_a_packet_of_two_hours_says_not_which_value_is_of_which(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows, [unreadable] = read(con, tmp_path, make_packet("a19001-Avg=1", "DataTime=20261115010000", "a21002-Avg=2"))
    assert (rows, unreadable[3]) == ([], "READ-HJ212-TIME")


def test_two_values_of_one_field_are_quarantined_and_equal_ones_are_not(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    packet = make_packet("a19001-Avg=1", "a21002-Avg=2", "a19001-Avg=3", "a21002-Avg=2,a21002-Flag=N")
    [row], [unreadable] = read(con, tmp_path, packet)
    assert (row["factor_code"], row["avg_value"]) == ("a21002", "2")
    assert unreadable[3] == "READ-HJ212-ITEM-TWICE"


def test_a_field_the_standard_does_not_know_is_flagged(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows, _ = read(con, tmp_path, make_packet("a19001-avg=1,a19001-Flag=N", "a21002-Avg=2,a21002-Flag=N"))
    assert [(row["avg_value"], row["_flags"]) for row in rows] == [(None, ["READ-HJ212-FIELD-NAME"]), ("2", [])]
    rows, _ = read(con, tmp_path, make_packet("a19001-Avg=1", "Flag=N"))
    assert [(row["instrument_flag"], row["_flags"]) for row in rows] == [(None, ["READ-HJ212-FIELD-NAME"])]


def test_a_field_without_equals_sign_is_quarantined_and_the_others_are_rows(
    con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    segment = f"ST=31;CN=2061;MN={AIR};CP=&&DataTime=20261115000000;a19001-Avg=1,a19001-Flag=N;a21002-Avg2&&".encode()
    rows, [unreadable] = read(con, tmp_path, b"##%04d%s%04X\r\n" % (len(segment), segment, compute_crc(segment)))
    assert [(row["factor_code"], row["_flags"]) for row in rows] == [("a19001", [])]
    assert unreadable[2:4] == ("a21002-Avg2", "READ-HJ212-FIELD")


def test_parts_of_a_split_packet_are_rows_of_one_hour(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    second = make_packet("a21002-Avg=2,a21002-Flag=N", head="PNUM=2;PNO=2;Flag=7", time="")
    first = make_packet("a19001-Avg=1,a19001-Flag=N", head="PNUM=2;PNO=1;Flag=7")
    rows, unreadable = read(con, tmp_path, second, first)
    assert unreadable == []
    assert [(row["factor_code"], row["hour_start"][:13], row["_flags"]) for row in rows] == [
        ("a19001", "2026-11-15T00", []),
        ("a21002", "2026-11-15T00", []),
    ]


def test_parts_that_stay_alone_are_rows_and_say_so(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    [row], _ = read(con, tmp_path, make_packet("a19001-Avg=1,a19001-Flag=N", head="PNUM=2;PNO=1;Flag=7"))
    assert row["_flags"] == ["READ-HJ212-PARTS-MISSING"]


def test_resent_data_follow_the_first_ones_in_file_order(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows, _ = read(
        con,
        tmp_path,
        make_packet("a19001-Avg=1,a19001-Flag=N"),
        make_packet("a19001-Avg=2,a19001-Flag=N", head="RF=1"),
    )
    assert [(row["avg_value"], row["_flags"]) for row in rows] == [("1", []), ("2", ["READ-HJ212-RESENT"])]


def test_oddities_of_the_packet_are_on_each_of_its_rows(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    rows, _ = read(con, tmp_path, STACK[:-2] + b"\r\r\n")
    assert [row["_flags"] for row in rows] == [["READ-HJ212-LINE-END"]] * 3


def test_every_fault_has_both_languages() -> None:
    assert all(text.zh and text.en for text in FAULTS.values())
    assert all(fault.startswith("READ-HJ212-") for fault in FAULTS)
