"""The national air stations' files: every station-hour received is one row or one unreadable piece."""

from __future__ import annotations

import csv
import datetime as dt
import math
from decimal import Decimal
from pathlib import Path

import pytest
import zstandard

from tanhuan.formats.cnemc_air import FAULTS, LIVE_COLUMNS, NOT_KEPT, TYPES
from tests.formats.cnemc.conftest import DATA, Read, Reading

ONE_HOUR, CUT_DAY = DATA / "china_sites_20190823.csv", DATA / "china_sites_20190424.csv"
LIVE = DATA / "cnemc_2022-01-04T16.csv"
CHINA = dt.timezone(dt.timedelta(hours=8))


def expected_values(path: Path) -> dict[tuple[str, dt.datetime], dict[str, Decimal]]:
    """Every value of an archive file's whole lines, cell by cell, by station and end of the hour."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file)
    values: dict[tuple[str, dt.datetime], dict[str, Decimal]] = {}
    for line in lines:
        if len(line) < len(head) or line[2] == NOT_KEPT:
            continue
        moment = dt.datetime.strptime(f"{line[0]} {line[1]}", "%Y%m%d %H").replace(tzinfo=CHINA)
        for station, text in zip(head[3:], line[3:], strict=True):
            if text:
                values.setdefault((station, moment), {})[TYPES[line[2]]] = Decimal(text)
    return values


def values_of(reading: Reading) -> dict[tuple[str, dt.datetime], dict[str, Decimal]]:
    return {
        (r["station_code"], r["hour_end"]): {c: r[c] for c in TYPES.values() if r[c] is not None} for r in reading.rows
    }


def rewrite(path: Path, to: Path, line: int, old: str, new: str) -> Path:
    """Copy a file with one line changed (lines count from 1)."""
    lines = path.read_text("utf-8").split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    to.write_text("\n".join(lines), "utf-8")
    return to


@pytest.mark.parametrize("path", [ONE_HOUR, CUT_DAY], ids=lambda p: p.stem)
def test_every_value_of_the_archive_is_in_the_row_of_its_station_and_hour(path: Path, read_air: Read) -> None:
    reading = read_air(path)
    assert values_of(reading) == expected_values(path)
    assert len(reading.rows) == len(expected_values(path))  # each station-hour once
    assert {(r["data_status"], r["data_basis"], *r["_unfit"]) for r in reading.rows} == {("final", "measured")}


def test_hour_0_belongs_to_the_day_before(read_air: Read) -> None:
    midnight = dt.datetime(2019, 4, 24, 0, tzinfo=CHINA)
    row = read_air(CUT_DAY).row(station_code="1508A", hour_end=midnight)
    assert row["business_date"] == dt.date(2019, 4, 23)


def test_an_hour_cut_short_has_the_types_that_came_and_the_torn_line_is_kept_apart(read_air: Read) -> None:
    reading = read_air(CUT_DAY)
    last = [r for r in reading.rows if r["hour_end"].hour == 23]
    assert {c for r in last for c in TYPES.values() if r[c] is not None} == {"aqi", "pm25_ug_m3", "pm25_24h_ug_m3"}
    (torn,) = reading.unreadable
    assert torn["reason_id"] == "READ-CNEMC-AIR-CELLS"
    assert torn["_raw"].startswith("20190424,23,PM10,")
    assert torn["detail"].endswith("of 1608 cells")


def test_a_day_of_one_hour_gives_that_hour(read_air: Read) -> None:
    reading = read_air(ONE_HOUR)
    assert {r["hour_end"] for r in reading.rows} == {dt.datetime(2019, 8, 23, 8, tzinfo=CHINA)}
    assert reading.unreadable == []


def test_a_station_with_two_equal_columns_is_one_row(read_air: Read) -> None:
    assert ONE_HOUR.read_text("utf-8").split("\n")[0].count("3207A") == 2
    assert read_air(ONE_HOUR).row(station_code="3207A")["aqi"] == 53


def test_an_empty_second_column_changes_nothing(read_air: Read, tmp_path: Path) -> None:
    changed = rewrite(ONE_HOUR, tmp_path / "a.csv", 2, ",53,53,", ",53,,")
    assert values_of(read_air(changed)) == values_of(read_air(ONE_HOUR))


def test_a_station_whose_columns_contradict_each_other_is_unreadable_and_no_other(
    read_air: Read, tmp_path: Path
) -> None:
    reading = read_air(rewrite(ONE_HOUR, tmp_path / "a.csv", 2, ",53,53,", ",53,54,"))
    whole = values_of(read_air(ONE_HOUR))
    del whole["3207A", dt.datetime(2019, 8, 23, 8, tzinfo=CHINA)]
    assert values_of(reading) == whole
    (piece,) = reading.unreadable
    assert (piece["reason_id"], piece["detail"]) == ("READ-CNEMC-AIR-STATION", "3207A 2019-08-23T08:00:00+08:00")
    assert all(f'"aqi":"{value}"' in piece["_raw"] for value in (53, 54))


@pytest.mark.parametrize(
    ("old", "new", "reason", "lost"),
    [
        ("20190823,8,PM10,", "20190823,8,PM1,", "READ-CNEMC-AIR-TYPE", "pm10_ug_m3"),
        ("20190823,8,PM10,", "20190823,8,PM2.5,", "READ-CNEMC-AIR-TWICE", "pm10_ug_m3"),
        ("20190823,8,PM10,", "20190823,24,PM10,", "READ-CNEMC-AIR-MOMENT", "pm10_ug_m3"),
        ("20190823,8,PM10,", "2019-08-23,8,PM10,", "READ-CNEMC-AIR-MOMENT", "pm10_ug_m3"),
        ("20190823,8,PM10,", "20190823,8,PM10,,", "READ-CNEMC-AIR-CELLS", "pm10_ug_m3"),
    ],
    ids=["unknown-type", "said-twice", "hour-24", "other-date", "shifted"],
)
def test_a_line_that_cannot_be_used_is_kept_whole_and_only_its_values_are_missing(
    old: str, new: str, reason: str, lost: str, read_air: Read, tmp_path: Path
) -> None:
    reading = read_air(rewrite(ONE_HOUR, tmp_path / "a.csv", 5, old, new))
    assert reading.reasons == [(5, reason)]
    assert reading.unreadable[0]["_raw"].startswith(new)
    rest = {k: {c: v for c, v in row.items() if c != lost} for k, row in expected_values(ONE_HOUR).items()}
    assert values_of(reading) == {k: row for k, row in rest.items() if row}


def test_a_line_sent_twice_changes_nothing(read_air: Read, tmp_path: Path) -> None:
    lines = ONE_HOUR.read_text("utf-8").split("\n")
    (tmp_path / "a.csv").write_text("\n".join([*lines, lines[4]]), "utf-8")
    reading = read_air(tmp_path / "a.csv")
    assert (values_of(reading), reading.unreadable) == (expected_values(ONE_HOUR), [])


def test_a_compressed_file_reads_as_the_plain_one(read_air: Read, tmp_path: Path) -> None:
    packed = tmp_path / "payload-00001.csv.zst"
    packed.write_bytes(zstandard.ZstdCompressor().compress(ONE_HOUR.read_bytes()))
    reading = read_air(packed)
    assert values_of(reading) == expected_values(ONE_HOUR)
    assert {r["_source_file"] for r in reading.rows} == {packed.name}


def test_files_of_both_widths_are_read_together(read_air: Read) -> None:
    assert values_of(read_air(ONE_HOUR, CUT_DAY)) == expected_values(ONE_HOUR) | expected_values(CUT_DAY)


@pytest.mark.parametrize("text", ["", "<html>502 Bad Gateway</html>", "时间,站点\n1,2\n"])
def test_another_file_is_one_unreadable_piece(text: str, read_air: Read, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text, "utf-8")
    reading = read_air(tmp_path / "a.csv")
    assert (reading.rows, reading.reasons) == ([], [(1, "READ-CNEMC-AIR-HEADER")])


# ---------------------------------------------------------------- the live publication


def test_every_line_of_the_live_publication_is_a_row_and_says_that_ozone_was_swapped(read_air: Read) -> None:
    reading = read_air(LIVE)
    assert [r["_source_row"] for r in reading.rows] == list(range(2, 32))
    assert reading.unreadable == []
    assert {(*r["_flags"], r["data_status"]) for r in reading.rows} == {("READ-CNEMC-AIR-SWAPPED", "preliminary")}
    row = reading.row(station_code="1508A")
    assert row["hour_end"] == dt.datetime(2022, 1, 4, 16, tzinfo=CHINA)
    assert (row["pm25_ug_m3"], row["pm10_24h_ug_m3"], row["co_mg_m3"], row["aqi"]) == (182, 147, Decimal("0.8"), 232)


def test_the_live_values_of_ozone_are_filed_under_what_they_are(read_air: Read) -> None:
    """No hour is above the highest hour of its day, nor an 8-hour value above its maximum; read by header many are."""
    with LIVE.open(encoding="utf-8", newline="") as file:
        highest = {line["stationcode"]: line["o3"] for line in csv.DictReader(file)}
    rows = read_air(LIVE).rows
    pairs = [(r["o3_ug_m3"], Decimal(highest[r["station_code"]])) for r in rows if highest[r["station_code"]]]
    pairs += [(r["o3_8h_ug_m3"], r["o3_8h_24h_ug_m3"]) for r in rows if r["o3_8h_ug_m3"] is not None]
    compared = [(now, most) for now, most in pairs if now is not None]
    assert all(now <= most for now, most in compared)
    assert sum(now < most for now, most in compared) > 10


def test_the_published_aqi_follows_from_the_hour_of_ozone_and_not_from_its_header(read_air: Read) -> None:
    """HJ 633-2012, table 1: O3 over 1 hour, 160 µg/m³ is IAQI 50 and 200 is 100; the index is rounded up."""
    (row,) = [r for r in read_air(LIVE).rows if r["aqi"] == 62]
    assert row["o3_ug_m3"] == 169
    assert math.ceil(50 + (row["o3_ug_m3"] - 160) * 50 / 40) == row["aqi"]
    assert LIVE_COLUMNS["o3_24h"] == "o3_ug_m3"


def test_a_torn_live_line_is_kept_apart(read_air: Read, tmp_path: Path) -> None:
    whole = LIVE.read_text("utf-8").rstrip("\n")
    (tmp_path / "a.csv").write_text(whole[:-20] + '"', "utf-8")
    reading = read_air(tmp_path / "a.csv")
    assert len(reading.rows) == 29
    assert reading.reasons == [(31, "READ-CNEMC-AIR-CELLS")]


def test_every_reason_and_flag_is_explained() -> None:
    source = Path(__file__).read_text("utf-8")
    assert all(text.zh and text.en for text in FAULTS.values())
    assert not [fault for fault in FAULTS if f'"{fault}"' not in source], "a fault without a test"
