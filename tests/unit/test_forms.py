"""The register of forms: each is found by its name, and a dropped file by its first bytes."""

from __future__ import annotations

import pytest

from tanhuan.contracts import load_contracts
from tanhuan.errors import TanhuanError
from tanhuan.forms import DAILY_FILES, NDJSON, PAGES, PARQUET, TABLE_FILE, check_form, get_form, recognise_form
from tanhuan.settings import Settings

FORMS = [PAGES, NDJSON, PARQUET, TABLE_FILE, *DAILY_FILES]


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_found_by_its_name(home: Settings, name: str) -> None:
    assert get_form(name, home).name == name


def test_an_unknown_form_names_the_known_ones(home: Settings) -> None:
    with pytest.raises(KeyError, match=f"no form 'xml'; known forms: {', '.join(sorted(FORMS))}"):
        get_form("xml", home)


def test_every_fault_of_a_form_has_one_meaning_in_both_languages(home: Settings) -> None:
    texts: dict[str, object] = {}
    for form in (get_form(name, home) for name in FORMS):
        for id_, text in form.faults.items():
            assert id_.startswith("READ-")
            assert text.zh
            assert text.en
            assert texts.setdefault(id_, text) == text


def test_a_daily_file_belongs_to_a_table_of_days() -> None:
    assert {load_contracts()[table].mode for table in DAILY_FILES.values()} == {"window"}


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"date,hour,type,1001A,1002A\r\n", "cnemc_air"),
        (b"\xef\xbb\xbfdate,hour,type,1001A", "cnemc_air"),
        (b"timepoint,stationcode,longitude\n", "cnemc_air"),
        (b'{"result": 1, "thead": ["x"]', "cnemc_water"),
        ("省份,流域,断面名称,监测时间\n".encode(), "cnemc_water"),
        ("\ufeff省份,流域,断面名称,监测时间\n".encode(), "cnemc_water"),
        (b"##0136ST=32;CN=2011;", "hj212"),
        (b"\x00\x00\x06\x01garbage##0136ST=32;", "hj212"),
    ],
)
def test_a_dropped_file_is_recognised_by_its_first_bytes(head: bytes, form: str) -> None:
    assert recognise_form(DAILY_FILES[form], "any name", head) == form


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"PK\x03\x04",
        "站号,日期,备注\n".encode(),
        "项目\n断面名称在第二行\n".encode(),
        b"note ## 1 of 2\n",
        "处罚决定书文号,处罚依据".encode("gb18030"),
    ],
)
@pytest.mark.parametrize("table", ["penalty", "air_hour"])
def test_anything_else_is_a_table(table: str, head: bytes) -> None:
    assert recognise_form(table, "file", head) == TABLE_FILE


def test_a_file_of_another_table_says_where_it_belongs() -> None:
    with pytest.raises(
        TanhuanError, match=r"day\.csv looks like cnemc_air.*inbox/penalty/.*move it to inbox/air_hour/"
    ):
        recognise_form("penalty", "day.csv", b"date,hour,type,1001A")


@pytest.mark.parametrize("form", ["hj212", TABLE_FILE, "xml"])
def test_a_table_cannot_be_pulled_in_a_form_that_does_not_bring_it(form: str) -> None:
    with pytest.raises(TanhuanError, match=f"Table air_hour cannot be pulled as '{form}'.*cnemc_air"):
        check_form("air_hour", form)
