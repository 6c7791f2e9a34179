"""Files that people drop, from the inbox to the lake: every received piece is counted, by hand and by the platform.

The national files are real bytes (data/PROVENANCE.md); penalties are synthetic.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
import tarfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tanhuan.admit import admit_loads
from tanhuan.contracts import get_contract
from tanhuan.inbox import land_inbox
from tanhuan.settings import Settings
from tests.conftest import Upstream, land_table
from tests.intake.installation import drop, lake_rows, quarantined_rows, read_days, read_files, take_dropped

#: long: run by make test-all
pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
PACKETS = Path(__file__).parents[1] / "formats" / "hj212" / "data"
WATER = DATA / "cnemc_surface_water_api_json_2020-05-08_2021-04-05.tar.gz"
AIR_DAYS = ["20190101", "20190424", "20190601", "20190823"]
NIGHT = dt.date(2021, 4, 6)


def counts(outcome: Any) -> tuple[int, int, int, int]:
    return outcome.received, outcome.admitted, outcome.quarantined, outcome.unchanged


def strip_html(cell: str | None) -> str:
    return re.sub("<[^>]*>", "", cell or "").strip()


def count_water() -> Counter[str]:
    """Count by hand: rows, rows without a time, rows that repeat what the answer before said of their key."""
    found: Counter[str] = Counter()
    said: dict[tuple[str, str, dt.datetime], list[str]] = {}
    with tarfile.open(WATER) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            stream = archive.extractfile(member)
            assert stream is not None
            answer = json.load(stream)
            day = dt.date.fromisoformat(Path(member.name).stem)
            for cells in answer["tbody"]:
                row = dict(zip(map(strip_html, answer["thead"]), cells, strict=True))
                time = strip_html(row["监测时间"])
                found["received"] += 1
                if time in ("", "-", "--", "*"):
                    found["without time"] += 1
                    continue
                key = (row["省份"], strip_html(row["断面名称"]), find_moment(time, day))
                found["repeated" if said.get(key) == cells else "new"] += 1
                said[key] = cells
    found["keys"] = len(said)
    return found


def find_moment(time: str, answered: dt.date) -> dt.datetime:
    """Return the last such time of a year up to the day of the answer."""
    years = (dt.datetime.strptime(f"{year}-{time}", "%Y-%m-%d %H:%M") for year in range(answered.year, 2015, -1))  # noqa: DTZ007
    return next(moment for moment in years if moment.date() <= answered)


@pytest.fixture(scope="module")
def water(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Any]:
    """An installation into which the 330 answers have been dropped, and what became of them."""
    home = Settings(home=tmp_path_factory.mktemp("water"), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    drop("water_section_4h", WATER.name, WATER, home)
    (outcome,) = take_dropped("water_section_4h", NIGHT, home)
    return home, outcome


def test_every_row_of_330_water_answers_is_explained(water: tuple[Settings, Any]) -> None:
    home, outcome = water
    by_hand = count_water()
    assert outcome.state == "admitted"
    assert counts(outcome) == (35_946, 26_585, 9_189, 172)
    assert by_hand["received"] == 35_946
    assert by_hand["without time"] == 9_189, "a stopped section has no time, so there is nothing to file"
    assert by_hand["repeated"] == 172, "a section that stopped says the same day after day"
    assert by_hand["new"] == 26_585
    rows = lake_rows("water_section_4h", home)
    assert len(rows) == 26_585
    # Three values were restated by a later answer; the lake keeps both.
    assert (
        len({(row["province"], row["section_name"], row["measured_at"]) for row in rows}) == by_hand["keys"] == 26_582
    )
    held = quarantined_rows("water_section_4h", home)
    assert Counter(reason for row in held for reason in row["reason_ids"]) == {"READ-CNEMC-WATER-NO-TIME": 9_189}


def test_each_answer_of_the_archive_is_kept_under_its_own_name(water: tuple[Settings, Any]) -> None:
    home, outcome = water
    receipt = json.loads((outcome.load.folder(home) / "receipt.json").read_bytes())
    names = [payload["name"] for payload in receipt["payloads"]]
    assert len(names) == 330
    assert (names[0], names[-1]) == ("2020-05-08.json", "2021-04-05.json")
    assert receipt["source"] == f"inbox/water_section_4h/{WATER.name}"
    assert list((home.inbox / "water_section_4h").iterdir()) == [], "what landing has is gone from the inbox"


def test_the_same_archive_again_says_nothing_new(water: tuple[Settings, Any]) -> None:
    home, _ = water
    before = read_files(home.lake)
    drop("water_section_4h", WATER.name, WATER, home)
    (again,) = take_dropped("water_section_4h", NIGHT, home)
    assert counts(again) == (35_946, 0, 9_189, 26_585 + 172)
    assert read_files(home.lake) == before


def count_air(day: str) -> Counter[str]:
    """Count by hand: station-hours with a value, lines that were cut, station-hours that no air can have."""
    rows = list(csv.reader(io.StringIO(gzip.decompress((DATA / f"china_sites_{day}.csv.gz").read_bytes()).decode())))
    values: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    found: Counter[str] = Counter()
    for cells in rows[1:]:
        if len(cells) != len(rows[0]):
            found["cut"] += 1
        elif cells[2] != "O3_24h":
            for station, text in zip(rows[0][3:], cells[3:], strict=True):
                if text:
                    values[station, cells[1]][cells[2]] = float(text)
    found["hours"] = len(values)
    found["impossible"] = sum(v.get("PM10", 0) > 2000 or v.get("PM2.5", 0) > 1000 for v in values.values())
    return found


@pytest.mark.parametrize(
    ("day", "received", "admitted", "quarantined"),
    [
        pytest.param("20190101", 32_872, 32_872, 0, marks=pytest.mark.slow),
        ("20190424", 34_422, 34_377, 45),
        pytest.param("20190601", 29_750, 29_750, 0, marks=pytest.mark.slow),
        ("20190823", 1_465, 1_465, 0),
    ],
)
def test_every_station_hour_of_a_national_air_day_is_explained(
    home: Settings, day: str, received: int, admitted: int, quarantined: int
) -> None:
    name = f"china_sites_{day}.csv.gz"
    drop("air_hour", name, DATA / name, home)
    (outcome,) = take_dropped("air_hour", NIGHT, home)
    by_hand = count_air(day)
    assert counts(outcome) == (received, admitted, quarantined, 0)
    assert received == by_hand["hours"] + by_hand["cut"]
    assert quarantined == by_hand["impossible"] + by_hand["cut"]
    assert len(lake_rows("air_hour", home)) == admitted


def test_a_national_air_day_again_says_nothing_new(home: Settings) -> None:
    name = "china_sites_20190823.csv.gz"
    states = []
    for _ in range(2):
        drop("air_hour", name, DATA / name, home)
        states += [(o.state, *counts(o)) for o in take_dropped("air_hour", NIGHT, home)]
    assert states == [("admitted", 1_465, 1_465, 0, 0), ("unchanged", 1_465, 0, 0, 1_465)]


HEAD = [
    "处罚决定书文号",
    "统一社会信用代码",
    "处罚种类",
    "罚款金额（万元）",
    "处罚依据",
    "决定日期",
    "公布机关层级",
    "数据性质",
]
#: a code of the standard's own form, GB 32100-2015
USCC = "91430300MA4L00000E"


def fine(number: int, amount: str | float = "2.5") -> list[Any]:
    return [
        f"潭环罚〔2021〕{number}号",
        USCC,
        "罚款",
        amount,
        "水污染防治法第八十三条",
        "2021年3月5日",
        "市级",
        "synthetic",
    ]


def make_workbook(*rows: list[Any]) -> bytes:
    book: Any = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def make_csv(*rows: list[Any], encoding: str = "utf-8") -> bytes:
    return "".join(",".join(map(str, row)) + "\r\n" for row in rows).encode(encoding)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("penalty.xlsx", make_workbook(["湘潭市行政处罚一览表"], HEAD, fine(1, 2.5), fine(2, 10))),
        ("罚款.csv", make_csv(HEAD, fine(1), fine(2, "10"), encoding="gb18030")),
        ("bom.csv", b"\xef\xbb\xbf" + make_csv(HEAD, fine(1), fine(2, "１０"))),
        ("packed.csv.gz", gzip.compress(make_csv(HEAD, fine(1), fine(2, "10")))),
    ],
)
def test_fines_in_wan_yuan_enter_in_yuan(home: Settings, name: str, data: bytes) -> None:
    drop("penalty", name, data, home)
    (outcome,) = take_dropped("penalty", NIGHT, home)
    assert (outcome.state, *counts(outcome)) == ("admitted", 2, 2, 0, 0), outcome.reason
    rows = {row["case_no"]: row for row in lake_rows("penalty", home)}
    assert [float(rows[f"潭环罚〔2021〕{n}号"]["amount_cny"]) for n in (1, 2)] == [25_000, 100_000]
    assert {row["decided_date"] for row in rows.values()} == {dt.date(2021, 3, 5)}


def test_a_refused_file_does_not_stop_the_night_and_leaves_everything_as_it_was(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    night = land_table("penalty", NIGHT, settings)
    admit_loads(night, settings)
    lake, days = read_files(settings.lake), read_days("penalty", settings)
    drop("penalty", "bad.csv", make_csv(["项目", "金额"], ["甲", "1"]), settings)
    drop("penalty", "good.csv", make_csv(HEAD, fine(1)), settings)
    outcomes = admit_loads(land_inbox(get_contract("penalty"), NIGHT, settings), settings)
    assert {outcome.state for outcome in outcomes} == {"refused", "admitted"}
    (refused,) = [outcome for outcome in outcomes if outcome.state == "refused"]
    assert "bad.csv" in str(refused.reason)
    assert "Next step" in str(refused.reason)
    assert str(refused.reason) in caplog.text
    assert {name: data for name, data in read_files(settings.lake).items() if name in lake} == lake
    state = read_days("penalty", settings)["snapshot"]
    assert state["snapshot"] == days["snapshot"]["snapshot"]
    assert len(state["dropped"]) == 1


def test_a_file_adds_to_a_snapshot_and_a_later_snapshot_does_not_lose_it(
    settings: Settings, upstream: Upstream
) -> None:
    admit_loads(land_table("penalty", NIGHT, settings), settings)
    snapshot = lake_rows("penalty", settings)
    drop("penalty", "good.csv", make_csv(HEAD, fine(1)), settings)
    take_dropped("penalty", NIGHT, settings)
    upstream.misbehave({"table": "penalty", "kind": "null_column", "column": "amount_text"})
    (later,) = admit_loads(land_table("penalty", NIGHT + dt.timedelta(days=1), settings), settings)
    assert later.admitted == len(snapshot), "the platform sent another state of all its rows"
    state = read_days("penalty", settings)["snapshot"]
    assert len(state["files"]) == 2, "the new snapshot, and what was dropped"
    assert state["dropped"][0] in state["files"]


def test_a_file_with_a_refused_row_dropped_again_holds_nothing_new(home: Settings) -> None:
    rows = [fine(number) for number in range(1, 30)] + [[*fine(30)[:1], "1234", *fine(30)[2:]]]
    states = []
    for _ in range(2):
        drop("penalty", "penalty.csv", make_csv(HEAD, *rows), home)
        states += [outcome.state for outcome in take_dropped("penalty", NIGHT, home)]
    assert states == ["admitted", "unchanged"]


def test_two_contradicting_rows_never_count_as_known(home: Settings) -> None:
    drop("penalty", "first.csv", make_csv(HEAD, *(fine(n) for n in range(1, 41))), home)
    take_dropped("penalty", NIGHT, home)
    # The first row of case 1 says 9 万元, which nobody has said before; the second says what the lake says.
    drop("penalty", "second.csv", make_csv(HEAD, fine(1, "9"), *(fine(n) for n in range(1, 41))), home)
    (outcome,) = take_dropped("penalty", NIGHT, home)
    found = {int(row["amount_cny"]) for row in lake_rows("penalty", home)}
    held = [row["row_json"] for row in quarantined_rows("penalty", home)]
    assert 90_000 in found or any('"9"' in row for row in held), f"9 万元 is in no place: {counts(outcome)}"


@pytest.mark.parametrize("name", ["tonyxia_rx_release_2020-09.log", "scair_dust_malformed_2025-02-21.csv"])
def test_a_recording_of_a_real_receiver_is_accounted_for(home: Settings, name: str) -> None:
    drop("source_hour", name, PACKETS / name, home)
    (outcome,) = take_dropped("source_hour", NIGHT, home)
    assert outcome.load.form == "hj212"
    assert outcome.received == outcome.quarantined == len(quarantined_rows("source_hour", home))
    assert outcome.admitted == 0, "neither recording holds hourly data of our outlets"
    sizes = [int(size) for note in outcome.notes for size in re.findall(r", (\d+) bytes", note)]
    held = sum(len(row["row_json"]) for row in quarantined_rows("source_hour", home))
    assert sum(sizes) + held >= 0.9 * (PACKETS / name).stat().st_size, "nearly every byte is in a note or held"
