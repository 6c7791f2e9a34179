"""Late and restated data: what changed is a new load of its days, and the last word stands."""

from __future__ import annotations

import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tanhuan import ledger
from tanhuan.admit import admit_load, admit_loads
from tanhuan.batch import Outcome
from tanhuan.contracts import get_contract
from tanhuan.landing import Arrival, new_load, read_receipt
from tanhuan.ledger import SNAPSHOT
from tanhuan.pull import plan_loads
from tanhuan.settings import Settings
from tanhuan.standin.platform import TIME_ZONE, Platform
from tanhuan.standin.server import make_app, make_server
from tests.conftest import Upstream, change_settings, land_table, settings_for
from tests.intake.installation import drop, lake_rows, read_days, read_files, take_dropped

USER, PASSWORD = "tester", "only-here"


@dataclass
class Calendar:
    """What day a stand-in believes it is."""

    today: dt.date

    def now(self) -> dt.datetime:
        return dt.datetime.combine(self.today, dt.time(2), TIME_ZONE)


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Upstream, Calendar]]:
    """A stand-in that plays whatever day the calendar says."""
    calendar = Calendar(dt.date(2025, 6, 2))
    platform = Platform(2021, calendar.now)
    server = make_server(make_app(platform, USER, PASSWORD), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Upstream(server.url, USER, PASSWORD), calendar
    server.should_exit = True
    thread.join()
    platform.close()


def take_night(table: str, key: dt.date, settings: Settings) -> list[Outcome]:
    return admit_loads(land_table(table, key, settings), settings)


def test_hours_that_became_final_are_a_new_load_of_their_days(
    played: tuple[Upstream, Calendar], tmp_path: Path
) -> None:
    upstream, calendar = played
    settings = settings_for(upstream, tmp_path)
    key = dt.date(2025, 6, 1)
    calendar.today = key + dt.timedelta(days=1)
    take_night("source_hour", key, settings)
    before = read_files(settings.lake)
    calendar.today += dt.timedelta(days=1)
    (outcome,) = take_night("source_hour", key + dt.timedelta(days=1), settings)
    # The platform reviews an hour three days later: one day became final, one day is new, the others are as they were.
    reviewed, new = key - dt.timedelta(days=1), key + dt.timedelta(days=1)
    assert sorted(outcome.files) == [str(reviewed), str(new)]
    assert outcome.unchanged > 0
    assert outcome.received == outcome.admitted + outcome.unchanged
    after = read_files(settings.lake)
    assert {name: after[name] for name in before} == before, "the lake keeps both"
    files = read_days("source_hour", settings)[str(reviewed)]["files"]
    assert len(files) == 2
    statuses = {
        row["_load_id"]: row["data_status"]
        for row in lake_rows("source_hour", settings)
        if row["hour_start"].date() == reviewed
    }
    assert [statuses[load_id] for load_id in sorted(statuses)] == ["preliminary", "final"]


@pytest.mark.parametrize(
    ("table", "key", "period"),
    [
        ("air_hour", "2025-06-10", ("2025-05-01", "2025-05-31")),
        ("air_hour", "2025-01-10", ("2024-12-01", "2024-12-31")),
        ("air_hour", "2024-03-10", ("2024-02-01", "2024-02-29")),
        ("source_hour", "2025-07-20", ("2025-04-01", "2025-06-30")),
        ("source_hour", "2025-01-20", ("2024-10-01", "2024-12-31")),
    ],
)
def test_a_closed_period_is_asked_for_once_more_when_it_is_due(
    home: Settings, table: str, key: str, period: tuple[str, str]
) -> None:
    contract, night = get_contract(table), dt.date.fromisoformat(key)
    quiet = change_settings(home, load_history=False)

    def plan(day: dt.date) -> list[tuple[str, str, str, str]]:
        return [(load.kind, load.first, load.last, load.form) for load in plan_loads(contract, day, quiet)]

    own = ("night", str(night - dt.timedelta(days=6)), key, "pages")
    assert plan(night) == [own], "what was never loaded cannot be restated"
    ledger.write_day(table, period[0], {"files": []}, quiet)
    assert plan(night) == [("restated", *period, "parquet"), own]
    assert [kind for kind, *_ in plan(night - dt.timedelta(days=1))] == ["night"], "a day before it is not due"
    assert len(plan(night + dt.timedelta(days=3))) == 2, "a night that was missed is made up for"
    ledger.write_day(table, ledger.period_key("restated", period[0]), {"load": "x"}, quiet)
    assert plan(night) == [own], "once"


def test_history_comes_month_by_month_before_the_first_night(home: Settings) -> None:
    loads = plan_loads(get_contract("air_hour"), dt.date(2019, 4, 20), home)
    assert [(load.kind, load.first, load.last, load.form) for load in loads] == [
        ("history", "2019-01-01", "2019-01-31", "parquet"),
        ("history", "2019-02-01", "2019-02-28", "parquet"),
        ("history", "2019-03-01", "2019-03-31", "parquet"),
        ("history", "2019-04-01", "2019-04-13", "parquet"),
        ("night", "2019-04-14", "2019-04-20", "pages"),
    ]
    ledger.write_day("air_hour", ledger.period_key("history", "2019-02-01"), {"load": "x"}, home)
    again = plan_loads(get_contract("air_hour"), dt.date(2019, 4, 20), home)
    assert "2019-02-01" not in [load.first for load in again], "a killed first load goes on where it stopped"


DAY = dt.date(2021, 3, 5)
HOURS = [f"2021-03-05T{hour:02}:00:00+08:00" for hour in range(0, 24, 4)]


def send(ph: float, settings: Settings) -> Outcome:
    """Admit one day of a section as if a platform had sent it; synthetic."""
    contract = get_contract("water_section_4h")
    fixed = {"province": "湖南省", "section_name": "昭山", "ph": ph, "value_form": "original"}
    basis = {"data_status": "preliminary", "data_basis": "synthetic"}
    rows = [dict.fromkeys(contract.names) | fixed | basis | {"measured_at": moment} for moment in HOURS]
    load = new_load(contract, DAY, DAY, DAY, "night", "pages")
    arrival = Arrival(load, settings, None)
    arrival.keep("json", json.dumps({"total": len(rows), "rows": rows}).encode(), rows=len(rows))
    arrival.close()
    return admit_load(load, settings)


def last_ph(settings: Settings) -> float:
    rows = lake_rows("water_section_4h", settings)
    return float(max(rows, key=lambda row: (row["_load_id"], row["_source_row"]))["ph"])


def test_a_platform_that_takes_a_restatement_back_ends_where_it_began(home: Settings) -> None:
    states = [(send(ph, home).state, last_ph(home)) for ph in (7.1, 7.9, 7.1, 7.1)]
    assert states == [("admitted", 7.1), ("admitted", 7.9), ("admitted", 7.1), ("unchanged", 7.1)]
    assert len(lake_rows("water_section_4h", home)) == 3 * len(HOURS), "the lake keeps every state"


def drop_fine(amount: str, settings: Settings) -> Outcome:
    """Drop a list of one fine; synthetic."""
    head = "case_no,uscc,penalty_type,amount_cny,law_basis,decided_date,issuer_level,data_basis"
    row = f"潭环罚〔2021〕1号,91430300MA4L00000E,罚款,{amount},水污染防治法第八十三条,2021-03-01,市级,synthetic"
    drop("penalty", "penalty.csv", f"{head}\n{row}\n".encode(), settings)
    (outcome,) = take_dropped("penalty", DAY, settings)
    return outcome


def test_a_dropped_file_that_takes_a_correction_back_ends_where_it_began(home: Settings) -> None:
    states = [drop_fine(amount, home).state for amount in ("20000", "30000", "20000", "20000.00")]
    assert states == ["admitted", "admitted", "admitted", "unchanged"]
    rows = sorted(lake_rows("penalty", home), key=lambda row: row["_load_id"])
    assert [int(row["amount_cny"]) for row in rows] == [20_000, 30_000, 20_000]


def test_what_a_person_handed_in_stands_until_the_platform_says_something_new(home: Settings) -> None:
    send(7.1, home)
    line = "湖南省,昭山,2021-03-05T04:00:00+08:00,6.5,original,preliminary,synthetic\n"
    head = "province,section_name,measured_at,ph,value_form,data_status,data_basis\n"
    drop("water_section_4h", "corrected.csv", (head + line).encode(), home)
    (corrected,) = take_dropped("water_section_4h", DAY, home)
    assert (corrected.state, corrected.admitted) == ("admitted", 1), corrected.reason
    assert send(7.1, home).state == "unchanged"
    assert last_ph(home) == 6.5
    assert send(7.2, home).state == "admitted"
    assert last_ph(home) == 7.2


@pytest.fixture
def known(settings: Settings) -> Settings:
    """An installation that has a snapshot and knows its ETag."""
    take_night("penalty", DAY, settings)
    assert read_days("penalty", settings)[SNAPSHOT]["etag"]
    return settings


def test_a_snapshot_that_is_still_the_same_is_not_sent_again(known: Settings) -> None:
    before = read_files(known.lake), read_days("penalty", known)
    (outcome,) = take_night("penalty", DAY + dt.timedelta(days=1), known)
    receipt = read_receipt(outcome.load, known)
    assert (receipt["not_modified"], receipt["payloads"]) == (True, [])
    assert (outcome.state, outcome.received) == ("unchanged", 0)
    assert any("304" in note for note in outcome.notes)
    assert (read_files(known.lake), read_days("penalty", known)) == before


def test_a_changed_suite_asks_for_everything_and_judges_it_anew(known: Settings, tmp_path: Path) -> None:
    path = known.expectations / "source" / "penalty.json"
    project = tmp_path / "project"
    (project / "expectations" / "source").mkdir(parents=True)
    (project / "expectations" / "source" / "penalty.json").write_text(path.read_text("utf-8") + "\n", "utf-8")
    changed = change_settings(known, project_root=project)
    (outcome,) = take_night("penalty", DAY + dt.timedelta(days=1), changed)
    assert not read_receipt(outcome.load, changed)["not_modified"]
    assert (outcome.state, outcome.received, outcome.admitted) == ("admitted", outcome.received, outcome.received)
    assert outcome.received > 0


def test_a_new_snapshot_tells_what_it_changes(known: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"table": "penalty", "kind": "null_column", "column": "amount_text"})
    (outcome,) = take_night("penalty", DAY + dt.timedelta(days=1), known)
    (note,) = [note for note in outcome.notes if note.startswith("since the last snapshot")]
    words = [int(word) for word in note.split() if word.isdecimal()]
    assert words[0] == words[2] == 0
    assert 0 < words[1] <= outcome.admitted
