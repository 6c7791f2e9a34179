"""CSV as it is exported: encodings, delimiters, quotes, torn lines, and bytes that are no text."""

from __future__ import annotations

import datetime as dt
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tanhuan.contracts import get_contract
from tanhuan.formats.rows import Payload
from tanhuan.formats.table_file import FAULTS, Limits, TableFileRefused, read_rows
from tests.formats.table_file.conftest import FINE, PENALTY, Read, as_csv, fetch

ENCODINGS = ["utf-8", "utf-8-sig", "gb18030", "utf-16"]
DELIMITERS = [",", ";", "\t"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_every_encoding_and_delimiter_is_read(read: Read, encoding: str, delimiter: str) -> None:
    answer = read(as_csv(PENALTY, FINE, encoding=encoding, delimiter=delimiter))
    assert answer.of("case_no") == [FINE[0]]
    assert answer.of("law_basis") == [FINE[4]]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_needs_its_mark(read: Read, encoding: str) -> None:
    with pytest.raises(TableFileRefused, match="at byte"):
        read(as_csv(["case_no", "uscc"], ["1", "2"], encoding=encoding))


def test_a_quoted_cell_may_span_lines_and_its_first_line_counts(read: Read) -> None:
    quoted = [*FINE[:4], '"第一条，\r\n第""二""条"', *FINE[5:]]
    answer = read(as_csv(["标题"], PENALTY, quoted, FINE))
    assert answer.of("_source_row") == [3, 5]
    assert answer.of("law_basis")[0] == '第一条，\r\n第"二"条'


def test_semicolons_inside_cells_do_not_mislead(read: Read) -> None:
    lines = [[*FINE[:4], "第一条;第二条;第三条", *FINE[5:]]] * 3
    assert read(as_csv(PENALTY, *lines)).of("law_basis") == ["第一条;第二条;第三条"] * 3


def test_a_torn_line_is_unreadable_with_its_number_and_others_are_kept(read: Read) -> None:
    answer = read(as_csv(PENALTY, FINE, FINE[:-1], [*FINE, "多"], [*FINE, "", ""]))
    assert answer.of("_source_row") == [2, 5]
    assert [(piece["_source_row"], piece["reason_id"]) for piece in answer.unreadable] == [
        (3, "READ-TABLE-RAGGED"),
        (4, "READ-TABLE-RAGGED"),
    ]
    assert json.loads(answer.unreadable[1]["_raw"]) == [*FINE, "多"]
    assert "line 3: 6 cells, the header has 7" in answer.unreadable[0]["detail"]


def test_leading_zeros_and_letters_of_codes_are_kept(read: Read) -> None:
    answer = read(as_csv(PENALTY, ["0012", "9143O300MA4L000001", *FINE[2:]], ["007", "9.11302E+17", *FINE[2:]]))
    assert answer.of("case_no") == ["0012", "007"]
    assert answer.of("uscc") == ["9143O300MA4L000001", "9.11302E+17"]
    assert answer.of("_flags") == [[], ["READ-TABLE-CODE-AS-NUMBER"]]


def test_nul_and_undecodable_bytes_are_refused_with_their_place(read: Read) -> None:
    good = as_csv(PENALTY, FINE)
    for bad, at in ((b"\0", len(good)), (b"\xff\xff", len(good))):
        with pytest.raises(TableFileRefused, match=f"no utf-8 text at byte {at}"):
            read(good + bad)
    with pytest.raises(TableFileRefused, match="no gb18030 text at byte"):
        read(as_csv(PENALTY, FINE, encoding="gb18030") + b"\xff\xff")


def test_damaged_utf_8_is_not_taken_for_gb18030(read: Read) -> None:
    data = as_csv(["case_no", "uscc"], ["甲一", "乙"])
    cut = data[:-5] + data[-4:]
    assert cut.decode("gb18030"), "it would decode, to nonsense"
    with pytest.raises(TableFileRefused, match="no utf-8 text at byte"):
        read(cut)


def test_an_open_quote_is_refused_with_its_line(read: Read) -> None:
    with pytest.raises(TableFileRefused, match="line 3: unexpected end of data"):
        read(as_csv(PENALTY, FINE, ['"' + FINE[0], *FINE[1:]], FINE))


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n\r\n"])
def test_an_empty_file_is_refused(read: Read, data: bytes) -> None:
    with pytest.raises(TableFileRefused, match="is empty"):
        read(data)


def test_several_files_are_read_together_or_not_at_all(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    payloads = []
    for name, lines in (("a", [PENALTY, FINE]), ("b", [PENALTY[:4], FINE[:4], FINE[:3]]), ("c", [["空"]])):
        (tmp_path / name).write_bytes(as_csv(*lines))
        payloads.append(Payload(tmp_path / name, name, dt.datetime(2021, 3, 6, tzinfo=dt.UTC)))
    assert len(read_rows(con, get_contract("penalty"), payloads[:2], "texts", "unreadable")) == 7
    assert [row["decided_date"] for row in fetch(con, "texts")] == ["2021-03-05", None]
    assert [piece["_source_file"] for piece in fetch(con, "unreadable")] == ["b"]
    with pytest.raises(TableFileRefused, match=r"File c.*headers found: 空"):
        read_rows(con, get_contract("penalty"), payloads, "texts", "unreadable")
    assert len(fetch(con, "texts")) == 2, "a refusal leaves the tables as they were"


def test_a_header_without_rows_is_an_empty_table(read: Read) -> None:
    answer = read(as_csv(PENALTY))
    assert (answer.rows, answer.unreadable, len(answer.columns)) == ([], [], 7)


def test_the_bound_of_size_holds_after_unpacking_too(read: Read) -> None:
    limits = Limits(file_bytes=1000)
    data = as_csv(PENALTY, *[FINE] * 100)
    for sent, name in ((data, "a.csv"), (zstandard.compress(data), "a.csv.zst")):
        with pytest.raises(TableFileRefused, match="larger than 1000 bytes"):
            read(sent, limits=limits, name=name)
    assert len(read(zstandard.compress(data), name="a.csv.zst").rows) == 100


def test_rows_are_texts_with_their_place_and_flags(read: Read, con: duckdb.DuckDBPyConnection) -> None:
    read(as_csv(PENALTY, FINE))
    types = dict(con.execute("select column_name, column_type from (describe texts)").fetchall())
    assert types.pop("_flags") == "VARCHAR[]"
    assert types.pop("_source_row") == "BIGINT"
    assert set(types.values()) == {"VARCHAR"}


def test_every_id_has_its_sentence(read: Read) -> None:
    assert all(fault.zh and fault.en and name.startswith("READ-TABLE-") for name, fault in FAULTS.items())
    ragged = read(as_csv(PENALTY, FINE[:-1])).unreadable[0]
    assert ragged["reason_id"] in FAULTS


TEXT = st.text(st.characters(codec="gb18030", exclude_categories=["C", "Z"]), max_size=8).map(lambda t: f"甲{t}")
DAYS = st.dates().filter(lambda day: day.year >= 1000)
STYLES = ["{0:%Y-%m-%d}", "{0.year}/{0.month}/{0.day}", "{0.year}年{0.month}月{0.day}日", "{0:%Y%m%d}", "{0:%Y.%m.%d}"]
ROW = st.tuples(TEXT, TEXT, TEXT, st.decimals(0, 10**9, places=2), TEXT, DAYS, st.sampled_from([*STYLES, "torn"]))


@given(rows=st.lists(ROW, max_size=8), encoding=st.sampled_from(ENCODINGS), delimiter=st.sampled_from(DELIMITERS))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_comes_back_equal_and_every_line_is_in_one_place(
    read: Read, rows: list[tuple[Any, ...]], encoding: str, delimiter: str
) -> None:
    lines, expected, torn = [PENALTY], [], []
    for number, (case, uscc, kind, amount, basis, day, style) in enumerate(rows, start=2):
        if style == "torn":
            lines.append(['"x"'] * 3)
            torn.append(number)
            continue
        quoted = ['"' + text.replace('"', '""') + '"' for text in (case, uscc, kind, f"{amount:,}", basis)]
        lines.append([*quoted, style.format(day), "synthetic"])
        expected.append((number, case, uscc, kind, f"{amount}", basis, day.isoformat(), "synthetic"))
    answer = read(as_csv(*lines, encoding=encoding, delimiter=delimiter))
    names = ["case_no", "uscc", "penalty_type", "amount_cny", "law_basis", "decided_date", "data_basis"]
    found = [tuple(row[name] for name in ("_source_row", *names)) for row in answer.rows]
    assert [(*f[:4], float(f[4]), *f[5:]) for f in found] == [(*e[:4], float(e[4]), *e[5:]) for e in expected]
    assert [piece["_source_row"] for piece in answer.unreadable] == torn


def test_changed_bytes_never_raise_anything_else(read: Read) -> None:
    chance = random.Random(212)
    good = bytearray(as_csv(PENALTY, *[FINE] * 5))
    outcomes = set()
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            read(bytes(data))
            outcomes.add("read")
        except TableFileRefused:
            outcomes.add("refused")
    assert outcomes == {"refused", "read"}
