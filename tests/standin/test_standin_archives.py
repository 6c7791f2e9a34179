"""The files that the stand-in makes of its rows, read back by the platform's own readers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import get_contract
from tanhuan.formats import cnemc_air, cnemc_water, hj212, table_file
from tanhuan.formats.rows import Payload
from tanhuan.standin import archive, packets
from tanhuan.standin.platform import Platform
from tests.standin.conftest import NOW

DAY = dt.date(2025, 12, 31)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'Asia/Shanghai'")
        yield con


def keep(folder: Path, name: str, body: bytes | None) -> Payload:
    assert body is not None
    (folder / name).write_bytes(body)
    return Payload(folder / name, name, NOW)


def served(platform: Platform, table: str, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
    names = get_contract(table).names
    return [dict(zip(names, row, strict=True)) for row in platform.rows(platform.ask(table, first, last))]


def test_the_air_archive_is_as_wide_as_the_real_one(platform: Platform) -> None:
    for day, columns, twice in ((dt.date(2019, 1, 1), 1608, 0), (dt.date(2019, 6, 1), 1644, 2)):
        body = archive.make_air_day(platform, day)
        assert body
        assert body.endswith(b"\r\n")
        assert b"\n" not in body.replace(b"\r\n", b"")
        header = body.split(b"\r\n")[0].split(b",")
        assert (len(header), header.count(b"3207A")) == (columns, twice)


def test_the_air_archive_lacks_what_the_real_one_lacks(platform: Platform) -> None:
    assert archive.make_air_day(platform, dt.date(2019, 4, 8)) is None
    body = archive.make_air_day(platform, dt.date(2019, 8, 23))
    assert body
    assert {line.split(b",")[1] for line in body.splitlines()[1:]} == {b"8"}


def test_the_air_archive_is_read_back_whole(platform: Platform, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    payload = keep(tmp_path, "china_sites_20190424.csv", archive.make_air_day(platform, dt.date(2019, 4, 24)))
    cnemc_air.read_rows(con, get_contract("air_hour"), [payload], "texts", "unreadable")
    read = con.execute(
        "select station_code, hour_end::timestamptz, pm25_ug_m3::decimal(9,2), aqi::integer from texts order by all"
    ).fetchall()
    # The label 00:00 of a file ends the day before, and the last hour of its own day is in the next file.
    expected = [
        (row["station_code"], row["hour_end"], row["pm25_ug_m3"], row["aqi"])
        for row in served(platform, "air_hour", dt.date(2019, 4, 23), dt.date(2019, 4, 24))
        if row["hour_end"].date() == dt.date(2019, 4, 24)
    ]
    by_place = lambda row: (row[0], row[1])  # noqa: E731
    assert sorted(read, key=by_place) == sorted(expected, key=by_place)
    assert con.execute("from unreadable").fetchall() == []


def test_the_water_answer_is_read_back_whole(
    platform: Platform, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    day = dt.date(2020, 12, 31)
    payload = keep(tmp_path, f"{day}.json", archive.make_water_day(platform, day))
    cnemc_water.read_rows(con, get_contract("water_section_4h"), [payload], "texts", "unreadable")
    rows = served(platform, "water_section_4h", day, day)
    assert con.execute("select count(*) from texts").fetchall() == [(len(rows) + 1,)], "one row is sent twice"
    read = con.execute("select distinct section_name, ph::decimal(18,8) from texts where ph is not null").fetchall()
    expected = {(row["section_name"], row["ph"]) for row in rows if row["ph"] is not None}
    assert set(read) == expected


@pytest.fixture
def packet_rows(platform: Platform, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection with `texts` and `unreadable` of one day's packets."""
    bound = served(platform, "device_binding", DAY, DAY)
    con.execute(
        "create table binding (mn_code varchar, permit_no varchar, outlet_code varchar, valid_from_date date, "
        "valid_to_date date, data_basis varchar)"
    )
    con.executemany("insert into binding values (?, ?, ?, ?, ?, ?)", [list(row.values()) for row in bound])
    payload = keep(tmp_path, "hj212_20251231.bin", packets.make_packet_day(platform, DAY))
    keys = {mn: bytes.fromhex(key) for mn, key in packets.list_keys(platform).items()}
    hj212.read_rows(con, get_contract("source_hour"), [payload], "texts", "unreadable", keys)
    return con


def test_packets_are_read_back_whole(platform: Platform, packet_rows: duckdb.DuckDBPyConnection) -> None:
    names = "mn_code, outlet_code, factor_code, hour_start::timestamptz, avg_value::decimal(18,4), instrument_flag"
    read = set(packet_rows.execute(f"select {names} from texts").fetchall())
    expected = {
        tuple(row[name.partition("::")[0]] for name in names.split(", "))
        for row in served(platform, "source_hour", DAY, DAY)
    }
    assert read == expected


def test_packets_have_the_oddities_of_the_field(platform: Platform, packet_rows: duckdb.DuckDBPyConnection) -> None:
    flags = {flag for (flag,) in packet_rows.execute("select distinct unnest(_flags) from texts").fetchall()}
    assert {"READ-HJ212-CRC-LOW-BYTE-FIRST", "READ-HJ212-RESENT", "READ-HJ212-LEGACY-FACTOR"} <= flags
    others = dict(packet_rows.execute("select kind, sum(pieces) from texts_other group by kind").fetchall())
    assert len(others) >= 2, "heartbeats and garbage"
    body = packets.make_packet_day(platform, DAY)
    assert body
    assert body.count(b"PNUM=2;PNO=1;") == body.count(b"PNUM=2;PNO=2;") == 1
    editions = {
        packets.make_logger(platform.seed, row["mn_code"]).edition for row in served(platform, "source_hour", DAY, DAY)
    }
    assert editions == {2005, 2017, 2025}


def test_old_packets_come_again_marked_as_such(platform: Platform) -> None:
    body = packets.make_packet_day(platform, DAY, days_before=1)
    assert body
    old = [packet for packet in body.split(b"\r\n") if b"QN=20251230" in packet and b"CN=2061" in packet]
    assert old
    assert all(b"RF=1;" in packet for packet in old)


def test_a_workbook_is_read_back_whole(platform: Platform, con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    contract = get_contract("penalty")
    today = NOW.date()
    expected = sorted((row["case_no"], row["amount_cny"]) for row in served(platform, "penalty", today, today))
    for name, body in (
        ("penalty.xlsx", archive.make_workbook(platform, contract)),
        ("penalty.csv", archive.make_csv(platform, contract)),
    ):
        table_file.read_rows(con, contract, [keep(tmp_path, name, body)], "texts", "unreadable")
        read = con.execute("select case_no, amount_cny::decimal(18,2) from texts order by case_no").fetchall()
        assert read == expected, name
        assert con.execute("from unreadable").fetchall() == []
