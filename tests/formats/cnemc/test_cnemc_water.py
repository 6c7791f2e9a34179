"""The surface-water publication: every row of an answer is one row or one unreadable piece, unrounded and dated."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import get_contract
from tanhuan.formats.cnemc_water import COLUMNS, FAULTS
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import load_suite
from tanhuan.settings import get_settings
from tests.formats.cnemc.conftest import DATA, Read

WHOLE, SHORT = DATA / "2020-06-11.json", DATA / "2021-01-12.json"
NATIONAL, SILT = DATA / "2020-05-08.json", DATA / "2020-07-06.json"
ZHAOSHAN, LIUMENZHA, WANZI = DATA / "昭山.csv", DATA / "六门闸.csv", DATA / "万子湖.csv"
CHINA = dt.timezone(dt.timedelta(hours=8))
VALUES = [c.name for c in get_contract("water_section_4h").columns if c.type.startswith("DECIMAL")]


def read_body(path: Path) -> list[list[str | None]]:
    return json.loads(path.read_text("utf-8"))["tbody"]


def write_answer(path: Path, source: Path, **changes: Any) -> Path:
    """Copy a real answer with some of its members replaced."""
    path.write_text(json.dumps(json.loads(source.read_text("utf-8")) | changes, ensure_ascii=False), "utf-8")
    return path


def change_time(row: list[str | None], time: str) -> list[str | None]:
    return [*row[:3], time, *row[4:]]


@pytest.mark.parametrize("path", [WHOLE, SHORT], ids=lambda p: p.stem)
def test_every_row_of_an_answer_is_a_row_or_has_no_time(path: Path, read_water: Read) -> None:
    reading = read_water(path)
    body = read_body(path)
    timed = [number for number, cells in enumerate(body, start=1) if cells[3] is not None]
    assert [r["_source_row"] for r in reading.rows] == timed
    assert len(reading.rows) + len(reading.unreadable) == len(body) == 98
    assert {reason for _, reason in reading.reasons} == {"READ-CNEMC-WATER-NO-TIME"}
    assert not any(r["_unfit"] for r in reading.rows)


def test_a_section_without_a_time_keeps_its_cells_as_they_came(read_water: Read) -> None:
    piece = read_water(WHOLE).unreadable[0]
    cells = json.loads(piece["_raw"])
    assert cells == read_body(WHOLE)[piece["_source_row"] - 1]
    assert cells[2].endswith(f">{piece['detail']}</span>")
    assert cells[-1] in ("停站", "维护")


def test_values_are_the_unrounded_ones_and_the_published_class_follows_them(read_water: Read) -> None:
    """GB 3838-2002, table 1: dissolved oxygen below 5 mg/L is class Ⅳ; the value shown is 5.00."""
    cells = next(cells for cells in read_body(WHOLE) if "老口" in str(cells[2]))
    row = read_water(WHOLE).row(section_name="老口")
    assert str(cells[7]).endswith(">5.00</span>")
    assert (row["do_mg_l"], row["water_class"]) == (Decimal("4.99533"), "Ⅳ")
    assert (row["value_form"], row["data_status"], row["data_basis"]) == ("original", "preliminary", "measured")


def test_unrounded_values_lose_no_digit_whichever_way_they_are_written(read_water: Read) -> None:
    rows = read_water(NATIONAL).rows
    assert {r["section_name"]: r["nh3n_mg_l"] for r in rows}["大陈闸"] == Decimal("0.00004")  # sent as 4E-05
    assert {r["section_name"]: r["ph"] for r in rows}["坝草"] == Decimal("9.001")  # shown as 9.00


def test_city_and_river_come_from_the_title_of_the_section(read_water: Read) -> None:
    row = read_water(WHOLE).row(section_name="老口")
    assert (row["province"], row["basin"], row["city"], row["river"]) == (
        "广西壮族自治区",
        "珠江流域",
        "南宁市",
        "邕江",
    )
    assert {(r["city"], r["river"]) for r in read_water(NATIONAL).rows} == {(None, None)}


def test_missing_is_missing_however_it_is_written(read_water: Read) -> None:
    reading = read_water(SHORT)
    body = read_body(SHORT)
    names = [name for name in COLUMNS.values() if name in VALUES or name == "water_class"]
    for row in reading.rows:
        cells = body[row["_source_row"] - 1]
        shown = dict(zip(COLUMNS.values(), cells, strict=True))
        assert {n for n in names if row[n] is None} == {
            n for n in names if shown[n] in ("", "-", "--", "*") or str(shown[n]).endswith(">--</span>")
        }
    assert {cell for cells in body for cell in cells} >= {"--", "*"}


def test_a_value_withheld_as_extreme_is_missing_and_says_so(read_water: Read) -> None:
    body = read_body(SHORT)
    rows = read_water(SHORT).rows
    withheld = [r for r in rows if "READ-CNEMC-WATER-EXTREME" in r["_flags"]]
    assert withheld
    assert [r["_source_row"] for r in withheld] == [
        number for number, cells in enumerate(body, start=1) if any("极值过滤" in str(cell) for cell in cells)
    ]


def test_an_answer_that_states_more_records_than_it_holds_says_so_on_every_row(read_water: Read) -> None:
    assert {"READ-CNEMC-WATER-SHORT" in r["_flags"] for r in read_water(SHORT).rows} == {True}
    assert {"READ-CNEMC-WATER-SHORT" in r["_flags"] for r in read_water(WHOLE).rows} == {False}


# ---------------------------------------------------------------- times without a year


@pytest.mark.parametrize(
    ("section", "measured_at", "is_stale"),
    [
        ("鼓楼外大街", dt.datetime(2020, 5, 8, 15, tzinfo=CHINA), False),
        ("昭山", dt.datetime(2020, 3, 19, 15, tzinfo=CHINA), True),
        ("新港", dt.datetime(2019, 9, 9, 8, tzinfo=CHINA), True),
    ],
)
def test_a_time_belongs_to_the_last_such_day_up_to_the_answers(
    section: str, measured_at: dt.datetime, is_stale: bool, read_water: Read
) -> None:
    row = read_water(NATIONAL).row(section_name=section)
    assert (row["measured_at"], row["business_date"]) == (measured_at, measured_at.date())
    assert ("READ-CNEMC-WATER-STALE" in row["_flags"]) is is_stale


@pytest.mark.parametrize(
    ("answered", "time", "expected"),
    [
        ("2021-02-28", "02-29 08:00", dt.datetime(2020, 2, 29, 8, tzinfo=CHINA)),
        ("2020-02-29", "02-29 08:00", dt.datetime(2020, 2, 29, 8, tzinfo=CHINA)),
        ("2020-02-28", "02-29 08:00", dt.datetime(2016, 2, 29, 8, tzinfo=CHINA)),
        ("2021-01-01", "12-31 20:00", dt.datetime(2020, 12, 31, 20, tzinfo=CHINA)),
        ("2021-01-01", "01-01 23:59", dt.datetime(2021, 1, 1, 23, 59, tzinfo=CHINA)),
    ],
)
def test_years_turn_and_leap(answered: str, time: str, expected: dt.datetime, read_water: Read, tmp_path: Path) -> None:
    body = [change_time(read_body(SILT)[0], time)]
    row = read_water(write_answer(tmp_path / f"{answered}.json", SILT, tbody=body)).row()
    assert row["measured_at"] == expected


@pytest.mark.parametrize("time", ["02-30 08:00", "05-08 24:00", "昨日"])
def test_a_time_that_cannot_be_understood_stays_as_it_came(
    time: str, read_water: Read, con: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    body = [change_time(read_body(SILT)[0], time)]
    row = read_water(write_answer(tmp_path / "2020-07-06.json", SILT, tbody=body)).row()
    assert (row["measured_at"], row["_unfit"]) == (None, ["measured_at"])
    assert con.execute("select measured_at from texts").fetchall() == [(time,)]


# ---------------------------------------------------------------- files by section


def test_a_file_by_section_is_rounded_and_dated_by_its_day_of_receipt_which_it_says(read_water: Read) -> None:
    reading = read_water(ZHAOSHAN)
    assert [r["_source_row"] for r in reading.rows] == list(range(2, 30))
    assert {(r["value_form"], *r["_flags"]) for r in reading.rows} == {("rounded", "READ-CNEMC-WATER-YEAR")}
    first = reading.rows[0]
    assert first["measured_at"] == dt.datetime(2021, 4, 1, 8, tzinfo=CHINA)
    assert (first["tn_mg_l"], first["chla_mg_l"], first["city"]) == (Decimal("2.77"), None, None)


def test_a_date_in_the_name_dates_a_file_by_section(read_water: Read, tmp_path: Path) -> None:
    named = tmp_path / "昭山_2019-04-05.csv"
    named.write_bytes(ZHAOSHAN.read_bytes())
    rows = read_water(named).rows
    assert {(r["measured_at"].year, *r["_flags"]) for r in rows} == {(2019,)}


def test_stars_for_time_and_class_and_every_state_of_a_station_are_understood(read_water: Read) -> None:
    reading = read_water(LIUMENZHA)
    assert {reason for _, reason in reading.reasons} == {"READ-CNEMC-WATER-NO-TIME"}
    assert {json.loads(piece["_raw"])[-1] for piece in reading.unreadable} == {"维护", "不具备运行条件"}
    assert len(reading.rows) + len(reading.unreadable) == 28


# ---------------------------------------------------------------- repeated and contradicting rows


def test_repeated_rows_are_all_passed_on_with_one_hash(read_water: Read) -> None:
    hashes = Counter(r["_row_hash"] for r in read_water(ZHAOSHAN).rows)
    lines = Counter(ZHAOSHAN.read_text("utf-8").splitlines()[1:])
    assert sorted(hashes.values()) == sorted(lines.values())
    assert max(hashes.values()) > 1


def test_rows_of_one_key_that_contradict_each_other_are_all_passed_on(read_water: Read) -> None:
    rows = read_water(WANZI).rows
    at = dt.datetime(2021, 4, 2, 0, tzinfo=CHINA)
    assert [r["tp_mg_l"] for r in rows if r["measured_at"] == at] == [Decimal("0.064"), Decimal("0.079")]


def test_sections_of_one_name_are_told_apart_by_their_province(read_water: Read) -> None:
    key = get_contract("water_section_4h").key
    rows = [r for r in read_water(NATIONAL).rows if r["section_name"] == "江桥"]
    assert {r["province"] for r in rows} == {"辽宁省", "黑龙江省"}
    assert len({tuple(r[name] for name in key) for r in rows}) == 2


# ---------------------------------------------------------------- what is no answer, or no longer the same


def test_a_changed_unit_is_not_taken_for_the_old_one(read_water: Read, tmp_path: Path) -> None:
    head = json.loads(WHOLE.read_text("utf-8"))["thead"]
    changed = [name.replace("mg/L", "μg/L") if name.startswith("叶绿素") else name for name in head]
    reading = read_water(write_answer(tmp_path / WHOLE.name, WHOLE, thead=changed))
    assert reading.rows == []
    assert {reason for _, reason in reading.reasons} == {"READ-CNEMC-WATER-HEADER"}
    assert len(reading.unreadable) == 98
    assert "叶绿素α(μg/L)" in reading.unreadable[0]["detail"]


def test_columns_may_change_places(read_water: Read, tmp_path: Path) -> None:
    answer = json.loads(WHOLE.read_text("utf-8"))
    turned = {"thead": answer["thead"][::-1], "tbody": [cells[::-1] for cells in answer["tbody"]]}
    moved = read_water(write_answer(tmp_path / WHOLE.name, WHOLE, **turned))
    assert [r["_row_hash"] for r in moved.rows] == [r["_row_hash"] for r in read_water(WHOLE).rows]


@pytest.mark.parametrize("row", [["湖南省", "长江流域"], None, {"province": "湖南省"}, "维护中"])
def test_a_row_of_another_shape_is_kept_apart(row: Any, read_water: Read, tmp_path: Path) -> None:
    good = read_body(SILT)[0]
    reading = read_water(write_answer(tmp_path / SILT.name, SILT, tbody=[good, row, good]))
    assert [r["_source_row"] for r in reading.rows] == [1, 3]
    assert reading.reasons == [(2, "READ-CNEMC-WATER-CELLS")]


@pytest.mark.parametrize(
    "text",
    ["", "<html>502 Bad Gateway</html>", '{"records": 98, "thead"', '{"records": 98, "thead": [], "tbody": []}', "[1]"],
    ids=["empty", "html", "cut", "nothing-of-98", "no-answer"],
)
def test_what_is_no_answer_is_one_unreadable_piece_and_does_not_stop_the_others(
    text: str, read_water: Read, tmp_path: Path
) -> None:
    (tmp_path / "2020-07-07.json").write_text(text, "utf-8")
    reading = read_water(SILT, tmp_path / "2020-07-07.json")
    assert len(reading.rows) == 1
    assert reading.reasons == [(1, "READ-CNEMC-WATER-ANSWER")]


def test_an_answer_that_rightly_holds_nothing_is_nothing(read_water: Read, tmp_path: Path) -> None:
    reading = read_water(write_answer(tmp_path / "2020-07-06.json", SILT, records=0, tbody=[]))
    assert (reading.rows, reading.unreadable) == ([], [])


# ---------------------------------------------------------------- what the suite says of real values


@pytest.mark.parametrize(
    ("path", "section", "expected"),
    [
        (SILT, "海勃湾", {"SRC-WS-060"}),  # turbidity 4988.952 in the Yellow River
        (NATIONAL, "李家堡二", {"SRC-WS-050"}),  # conductivity 79634.7
        (WHOLE, "老口", set()),
    ],
)
def test_odd_real_values_are_flagged_and_never_refused(
    path: Path, section: str, expected: set[str], read_water: Read, con: duckdb.DuckDBPyConnection
) -> None:
    read_water(path)
    checks = load_suite(get_settings().expectations / "source" / "water_section_4h.json").at("row")
    failing = {c.id: c for c in checks if con.execute(_count(compile_failing(c)), [section]).fetchall() != [(0,)]}
    assert set(failing) == expected
    assert {c.action for c in failing.values()} <= {"flag"}


@pytest.mark.parametrize(
    "column", ["do_mg_l", "ec_us_cm", "turbidity_ntu", "codmn_mg_l", "nh3n_mg_l", "tp_mg_l", "tn_mg_l"]
)
@pytest.mark.parametrize("by", [1000, 1, 0.001])
def test_a_slip_of_unit_in_a_real_answer_refuses_the_batch(
    column: str, by: float, read_water: Read, con: duckdb.DuckDBPyConnection
) -> None:
    read_water(SHORT)
    suite = load_suite(get_settings().expectations / "source" / "water_section_4h.json")
    check = next(c for c in suite.at("batch") if c.id == "SRC-WS-150")
    assert check.expectation is not None
    batch = f"(select * replace ({column} * {by} as {column}) from staged) as batch"
    unexpected = con.execute(check.expectation["kwargs"]["unexpected_rows_query"].format(batch=batch)).fetchall()
    assert [item for item, *_ in unexpected] == ([] if by == 1 else [column])


def _count(predicate: str) -> str:
    return f"select count(*) from staged where section_name = ? and ({predicate})"


def test_every_reason_and_flag_is_explained() -> None:
    source = Path(__file__).read_text("utf-8")
    assert all(text.zh and text.en for text in FAULTS.values())
    assert not [fault for fault in FAULTS if f'"{fault}"' not in source], "a fault without a test"
