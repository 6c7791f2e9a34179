"""Workbooks as they are saved, by Excel and by those who mean harm."""

from __future__ import annotations

import datetime as dt
import io
import random
import struct
import zipfile
from typing import Any

import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from tanhuan.formats.table_file import Limits, TableFileRefused
from tests.formats.table_file.conftest import (
    FINE,
    PENALTY,
    Read,
    as_csv,
    as_workbook,
    part_of,
    repack,
)

SHEET = "xl/worksheets/sheet1.xml"


def fine(**changed: Any) -> list[Any]:
    """Return a row of the table with some cells changed, by position: c0, c1, …"""
    return [changed.get(f"c{place}", text) for place, text in enumerate(FINE)]


def test_a_workbook_is_known_by_its_content(read: Read) -> None:
    assert read(as_workbook(PENALTY, FINE), name="表.csv").of("case_no") == [FINE[0]]
    assert read(as_csv(PENALTY, FINE), name="表.xlsx").of("case_no") == [FINE[0]]


def test_cells_merged_downward_are_filled(read: Read) -> None:
    def merge(book: Any) -> None:
        book.active.merge_cells("B3:B5")
        book.active.merge_cells("E6:G6")

    lines = [["题"], PENALTY, fine(c0="1", c1="甲"), fine(c0="2", c1=None), fine(c0="3", c1=None), fine(c0="4")]
    answer = read(as_workbook(*lines, fine(c0="5", c1=None), prepare=merge))
    assert answer.of("uscc") == ["甲", "甲", "甲", FINE[1], None], "not one line further than the merge"
    assert answer.of("decided_date")[3] is None, "what is merged sideways says its value once"


def test_lines_left_empty_under_a_merged_cell_are_no_rows(read: Read) -> None:
    def merge(book: Any) -> None:
        book.active.merge_cells("B2:B9")

    answer = read(as_workbook(PENALTY, FINE, [], [], fine(c0="2", c1=None), prepare=merge))
    assert answer.of("_source_row") == [2, 5]
    assert answer.of("uscc") == [FINE[1], FINE[1]]


def test_numbers_of_codes_become_their_digits(read: Read) -> None:
    def show_zeros(book: Any) -> None:
        book.active["A4"].number_format = "000000"

    cells = [fine(c0=430302, c1=430302.0), fine(c0=1, c1=9.11302e17), fine(c0=1234), fine(c1=1.25)]
    data = as_workbook(PENALTY, *cells, prepare=show_zeros)
    # Other software than Excel may write all digits of a number.
    sheet = part_of(data, SHEET).replace(b"<v>1.25</v>", b"<v>430302198001011234</v>")
    answer = read(repack(data, {SHEET: sheet}))
    assert answer.of("case_no") == ["430302", "1", "001234", FINE[0]]
    assert answer.of("uscc") == ["430302", "9.11302E+17", FINE[1], "4.30302198001011234E+17"]
    assert answer.of("_flags") == [[], ["READ-TABLE-CODE-AS-NUMBER"], [], ["READ-TABLE-CODE-AS-NUMBER"]]


def test_numbers_have_the_digits_that_excel_keeps(read: Read) -> None:
    answer = read(as_workbook(PENALTY, fine(c3=0.1 + 0.2), fine(c0="2", c3=1e-7), fine(c0="3", c3=123456789.01)))
    assert answer.of("amount_cny") == ["0.3", "0.0000001", "123456789.01"]


def test_a_cell_in_percent_says_percent(read: Read) -> None:
    def show_percent(book: Any) -> None:
        book.active["D2"].number_format = "0.0%"
        book.active["D3"].number_format = '0.0"%"'

    answer = read(as_workbook(PENALTY, fine(c3=0.125), fine(c0="2", c3=12.5), prepare=show_percent))
    assert answer.of("amount_cny") == ["12.5%", "12.5"], "money in percent is for the contract to refuse"


@pytest.mark.parametrize("system", ["1900", "1904"])
def test_dates_of_both_systems(read: Read, system: str) -> None:
    def prepare(book: Any) -> None:
        if system == "1904":
            book.epoch = CALENDAR_MAC_1904
        book.active["F4"].number_format = "General"

    bare = 44260 if system == "1900" else 42798
    days = [dt.date(2021, 3, 5), dt.datetime(2021, 3, 5, 8, 30), bare, "2021年3月5日", 20210305]  # noqa: DTZ001
    answer = read(as_workbook(PENALTY, *[fine(c0=str(n), c5=day) for n, day in enumerate(days)], prepare=prepare))
    seen = ["2021-03-05", "2021-03-05 08:30:00", "2021-03-05", "2021-03-05", "2021-03-05"]
    assert answer.of("decided_date") == seen, "a day with an hour is for the contract to judge"


def test_formulas_count_by_their_saved_value_only(read: Read) -> None:
    data = as_workbook(PENALTY, fine(c3="=1+1"), fine(c0="2", c3="=2+2"), fine(c0="3", c4='=""'))
    sheet = part_of(data, SHEET).replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
    sheet = sheet.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
    sheet = sheet.replace(b'<c r="E4"', b'<c r="E4" t="str"')
    answer = read(repack(data, {SHEET: sheet}))
    assert answer.of("amount_cny") == ["2", None, FINE[3]]
    assert answer.of("_flags") == [[], ["READ-TABLE-FORMULA-WITHOUT-VALUE"], []]


def test_macros_are_not_run_but_flagged(read: Read) -> None:
    data = repack(as_workbook(PENALTY, FINE), {"xl/vbaProject.bin": b"Sub Auto_Open()"})
    assert read(data, name="表.xlsm").of("_flags") == [["READ-TABLE-MACRO"]]


def test_links_to_other_files_are_not_followed(read: Read) -> None:
    data = as_workbook(PENALTY, fine(c3="=[1]Sheet1!A1"))
    rels = part_of(data, "xl/_rels/workbook.xml.rels").replace(
        b"</Relationships>",
        b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLink"'
        b' Target="http://127.0.0.1:9/never.xlsx" TargetMode="External"/></Relationships>',
    )
    answer = read(repack(data, {"xl/_rels/workbook.xml.rels": rels}))
    assert answer.of("amount_cny") == [None]
    assert answer.of("_flags") == [["READ-TABLE-FORMULA-WITHOUT-VALUE"]]


def test_hidden_sheets_are_not_read_and_that_is_said(read: Read) -> None:
    def hide(book: Any) -> None:
        hidden = book.create_sheet("旧")
        hidden.append(PENALTY)
        hidden.append(fine(c0="旧"))
        hidden.sheet_state = "hidden"

    answer = read(as_workbook(PENALTY, FINE, prepare=hide))
    assert answer.of("case_no") == [FINE[0]]
    assert answer.of("_flags") == [["READ-TABLE-HIDDEN-SHEET"]]


def test_the_sheet_that_fits_is_read_wherever_it_is(read: Read) -> None:
    def add(book: Any) -> None:
        book.create_sheet("空表").append(PENALTY)
        filled = book.create_sheet("填报")
        filled.append(PENALTY)
        filled.append(FINE)

    assert read(as_workbook(["填表说明"], prepare=add)).of("case_no") == [FINE[0]]


def test_two_filled_sheets_are_refused_by_name(read: Read) -> None:
    def add(book: Any) -> None:
        second = book.create_sheet("二")
        second.append(PENALTY)
        second.append(FINE)

    with pytest.raises(TableFileRefused, match="Sheet、二"):
        read(as_workbook(PENALTY, FINE, prepare=add))


def test_rows_outside_the_stated_dimension_are_read(read: Read) -> None:
    data = as_workbook(PENALTY, FINE, fine(c0="2"))
    sheet = part_of(data, SHEET)
    assert b'<dimension ref="A1:G3"' in sheet
    data = repack(data, {SHEET: sheet.replace(b'<dimension ref="A1:G3"', b'<dimension ref="A1:A1"')})
    assert read(data).of("case_no") == [FINE[0], "2"]


def test_a_row_number_far_below_does_not_stall(read: Read) -> None:
    data = as_workbook(PENALTY, FINE, fine(c0="2"))
    sheet = part_of(data, SHEET).replace(b'<row r="3"', b'<row r="1999999999"')
    assert read(repack(data, {SHEET: sheet})).of("case_no") == [FINE[0]], "Excel has no row beyond 1048576"


def test_old_and_encrypted_workbooks_are_refused_with_what_to_do(read: Read) -> None:
    ole2 = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(504)
    with pytest.raises(TableFileRefused, match=r"old\.xls is in the \.xls format.*save as \.xlsx"):
        read(ole2 + "Workbook".encode("utf-16-le"), name="old.xls")
    with pytest.raises(TableFileRefused, match=r"encrypted with a password.*save as \.xlsx"):
        read(ole2 + "EncryptedPackage".encode("utf-16-le"))


def test_other_packages_are_refused(read: Read) -> None:
    data = as_workbook(PENALTY, FINE)
    with pytest.raises(TableFileRefused, match=r"\.xlsb format"):
        read(repack(data, {"xl/workbook.bin": b""}))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as package:
        package.writestr("a.csv", as_csv(PENALTY, FINE))
    with pytest.raises(TableFileRefused, match="zip archive, not a workbook"):
        read(stream.getvalue())


def test_zip_bombs_are_refused_by_what_they_state(read: Read) -> None:
    bomb = repack(as_workbook(PENALTY, FINE), {"xl/media/a.png": bytes(3 * 1024**2)})
    with pytest.raises(TableFileRefused, match=r"zip bomb.*grows more than 200 times"):
        read(bomb)
    with pytest.raises(TableFileRefused, match=r"zip bomb.*limit 1000"):
        read(as_workbook(PENALTY, FINE), limits=Limits(unpacked_bytes=1000))


def test_zip_bombs_that_lie_about_their_size_are_refused_while_they_are_read(read: Read) -> None:
    size = 3 * 1024**2
    bomb = repack(as_workbook(PENALTY, FINE), {"xl/media/a.png": bytes(size)})
    lying = bomb.replace(struct.pack("<I", size), struct.pack("<I", 1000))
    assert lying != bomb
    with pytest.raises(TableFileRefused, match=r"damaged.*Bad CRC-32"):
        read(lying)


def test_odd_compression_is_refused(read: Read) -> None:
    stream = io.BytesIO(as_workbook(PENALTY, FINE))
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_BZIP2) as package:
        package.writestr("xl/media/a.png", bytes(1000))
    with pytest.raises(TableFileRefused, match="compression is odd"):
        read(stream.getvalue())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/_rels/workbook.xml.rels"])
def test_expanding_entities_are_refused_in_every_part(read: Read, part: str, encoding: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><x>&l9;</x>'
    with pytest.raises(TableFileRefused, match="DOCTYPE"):
        read(repack(as_workbook(PENALTY, FINE), {part: bomb.encode(encoding)}))


def test_external_entities_are_refused(read: Read) -> None:
    stolen = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY s SYSTEM "file:///etc/hostname">]><x>&s;</x>'
    with pytest.raises(TableFileRefused, match="DOCTYPE"):
        read(repack(as_workbook(PENALTY, FINE), {SHEET: stolen}))


def test_a_cut_or_changed_workbook_is_refused_or_read_but_raises_nothing_else(read: Read) -> None:
    good = as_workbook(PENALTY, *[fine(c0=str(n)) for n in range(5)])
    chance = random.Random(1904)
    outcomes = set()
    for _ in range(150):
        data = bytearray(good[: chance.randint(100, len(good))] if chance.random() < 0.3 else good)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(4, len(data))] = chance.randrange(256)
        try:
            read(bytes(data))
            outcomes.add("read")
        except TableFileRefused:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
