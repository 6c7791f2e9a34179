"""The same days in every form in which the field sends them: one truth in the lake. Over real HTTP."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from tanhuan import ledger
from tanhuan.admit import admit_load, admit_loads
from tanhuan.batch import Outcome
from tanhuan.contracts import get_contract
from tanhuan.feeds.upstream import Upstream as Client
from tanhuan.landing import new_load
from tanhuan.pull import land_plans
from tanhuan.settings import Settings
from tests.conftest import Upstream, change_settings, land_table, settings_for
from tests.intake.installation import Row, lake_rows, quarantined_rows, read_files

NIGHT = dt.date(2021, 3, 3)
DAY = (NIGHT, NIGHT)


def take_days(table: str, form: str, first: dt.date, last: dt.date, settings: Settings) -> Outcome:
    load = new_load(get_contract(table), last, first, last, "backfill", form)
    (outcome,) = admit_loads(land_plans({table: [load]}, settings).check(), settings)
    return outcome


def at(home: Path, standin: Upstream) -> Settings:
    return settings_for(standin, home)


@pytest.mark.parametrize("table", ["air_hour", "water_section_4h", "device_state", "permit_limit"])
def test_pages_lines_and_parquet_are_the_same_rows(standin: Upstream, tmp_path: Path, table: str) -> None:
    found = {}
    for form in ("pages", "ndjson", "parquet"):
        settings = at(tmp_path / form, standin)
        take_days(table, form, NIGHT - dt.timedelta(days=1), NIGHT, settings)
        names = get_contract(table).names
        found[form] = sorted(
            (row["_row_hash"], *(str(row[name]) for name in names)) for row in lake_rows(table, settings)
        )
    assert found["pages"]
    assert found["pages"] == found["ndjson"] == found["parquet"]


def test_a_day_that_came_in_one_form_is_unchanged_in_another(standin: Upstream, tmp_path: Path) -> None:
    settings = at(tmp_path, standin)
    states = [take_days("air_hour", form, *DAY, settings).state for form in ("pages", "ndjson", "parquet", "pages")]
    assert states == ["admitted", "unchanged", "unchanged", "unchanged"]


@pytest.fixture(scope="module")
def packets(standin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Outcome]:
    """An installation that read one day of hourly data from an archive of packets."""
    settings = at(tmp_path_factory.mktemp("hj212"), standin)
    with Client(settings) as client:
        keys = client.fetch_packet_keys()
    settings = change_settings(settings, forms={"source_hour": "hj212"}, packet_keys=SecretStr(keys))
    admit_loads(land_table("device_binding", NIGHT, settings), settings)
    return settings, take_days("source_hour", "hj212", *DAY, settings)


def hours_of(settings: Settings) -> dict[tuple, Row]:
    key = get_contract("source_hour").key
    return {tuple(row[name] for name in key): row for row in lake_rows("source_hour", settings)}


def test_packets_say_what_pages_say(standin: Upstream, tmp_path: Path, packets: tuple[Settings, Outcome]) -> None:
    settings, outcome = packets
    paged = at(tmp_path, standin)
    take_days("source_hour", "pages", *DAY, paged)
    of_pages, of_packets = hours_of(paged), hours_of(settings)
    assert outcome.admitted == len(of_packets)
    assert of_packets.keys() == of_pages.keys()
    told = ("avg_value", "min_value", "max_value", "corrected_avg_value", "total_value", "instrument_flag", "mn_code")
    others = {k for k, row in of_packets.items() if any(row[name] != of_pages[k][name] for name in told)}
    assert others == set()
    # A logger does not know whether its values have been reviewed, and cannot say that they are invented.
    assert {row["data_status"] for row in of_packets.values()} == {"preliminary"}


def test_every_packet_of_an_archive_is_accounted_for(packets: tuple[Settings, Outcome]) -> None:
    settings, outcome = packets
    assert outcome.received == outcome.admitted + outcome.quarantined + outcome.unchanged
    (resent,) = [check for check in outcome.checks if check.id == "READ-HJ212-RESENT"]
    assert outcome.unchanged == (resent.failed_rows or 0) > 0, "the hour that was sent twice says nothing new"
    held = quarantined_rows("source_hour", settings)
    assert len(held) == outcome.quarantined > 0
    assert {reason for row in held for reason in row["reason_ids"]} == {"READ-HJ212-LENGTH"}, "half packets"
    assert all("byte " in row["detail"] for row in held)
    assert any("CN=9015" in note for note in outcome.notes), "heartbeats are counted"
    assert any("garbage" in note for note in outcome.notes)


def test_the_same_archive_of_packets_again_says_nothing_new(packets: tuple[Settings, Outcome]) -> None:
    settings, _ = packets
    before = read_files(settings.lake)
    load = new_load(get_contract("source_hour"), NIGHT, NIGHT, NIGHT, "backfill", "hj212")
    (load,) = land_plans({"source_hour": [load]}, settings).check()
    again = admit_load(load, settings)
    assert read_files(settings.lake) == before
    assert again.state == "unchanged"


def test_packets_sent_again_do_not_keep_the_fresh_ones_out(
    packets: tuple[Settings, Outcome], upstream: Upstream
) -> None:
    settings, _ = packets
    upstream.misbehave({"table": "source_hour", "kind": "resend_old"})
    day = NIGHT + dt.timedelta(days=3)
    load = new_load(get_contract("source_hour"), day, day, day, "night", "hj212")
    (load,) = land_plans({"source_hour": [load]}, settings).check()
    assert admit_load(load, settings).state == "admitted"


def test_packets_without_bindings_are_held_and_say_so(standin: Upstream, tmp_path: Path) -> None:
    settings = at(tmp_path, standin)
    load = new_load(get_contract("source_hour"), NIGHT, NIGHT, NIGHT, "backfill", "hj212")
    (load,) = land_plans({"source_hour": [load]}, settings).check()
    outcome = admit_load(load, settings)
    assert outcome.state == "refused"
    reasons = {reason for row in quarantined_rows("source_hour", settings) for reason in row["reason_ids"]}
    assert "READ-HJ212-UNBOUND" in reasons
    assert outcome.received == outcome.quarantined


KEPT: dict[str, tuple[str, ...]] = {
    # The archive has neither a status nor the basis of a row.
    "air_hour": ("station_code", "pm25_ug_m3", "pm10_ug_m3", "so2_ug_m3", "no2_ug_m3", "o3_ug_m3", "co_mg_m3", "aqi"),
    "water_section_4h": ("section_name", "ph", "do_mg_l", "tp_mg_l", "water_class"),
}


@pytest.mark.parametrize(("table", "form"), [("air_hour", "cnemc_air"), ("water_section_4h", "cnemc_water")])
def test_an_archive_says_what_pages_say(standin: Upstream, tmp_path: Path, table: str, form: str) -> None:
    paged, filed = at(tmp_path / "pages", standin), at(tmp_path / form, standin)
    first = NIGHT - dt.timedelta(days=1)
    take_days(table, "pages", first, NIGHT, paged)
    take_days(table, form, first, NIGHT, filed)
    moment = get_contract(table).day.column  # type: ignore[union-attr]

    def describe(settings: Settings) -> dict[tuple, tuple]:
        rows = lake_rows(table, settings)
        return {(row[moment], row[KEPT[table][0]]): tuple(row[name] for name in KEPT[table]) for row in rows}

    of_pages, of_files = describe(paged), describe(filed)
    common = of_pages.keys() & of_files.keys()
    assert len(common) > 0.9 * len(of_pages)
    assert {key: of_files[key] for key in common} == {key: of_pages[key] for key in common}
    missing = {row[0] for row in of_pages.keys() - of_files.keys()}
    # The archive files 24:00 under the next day, which was not asked for.
    assert {moment.strftime("%d %H") for moment in missing} <= {"04 00"}


def test_an_air_archive_of_asked_days_holds_nothing_back(standin: Upstream, tmp_path: Path) -> None:
    settings = at(tmp_path, standin)
    outcome = take_days("air_hour", "cnemc_air", *DAY, settings)
    assert outcome.quarantined == 0


def test_a_day_without_a_file_is_left_out_with_a_note(
    standin: Upstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = at(tmp_path, standin)
    with caplog.at_level(logging.WARNING):
        # The national archive has no file of 8 April 2019.
        outcome = take_days("air_hour", "cnemc_air", dt.date(2019, 4, 8), dt.date(2019, 4, 9), settings)
    assert "table air_hour: the upstream has no cnemc_air file of 2019-04-08" in caplog.text
    assert outcome.state == "admitted"
    assert "2019-04-09" in outcome.files
    (event,) = [event for event in ledger.read_last("loads", settings) if event["table"] == "air_hour"]
    assert (event["first"], event["last"]) == ("2019-04-08", "2019-04-09")


@pytest.mark.parametrize("form", ["pages", "ndjson", "parquet"])
def test_a_day_without_rows_is_an_answer_of_the_past_in_any_form(standin: Upstream, tmp_path: Path, form: str) -> None:
    settings = at(tmp_path, standin)
    outcome = take_days("water_sample", form, dt.date(2019, 11, 18), dt.date(2019, 11, 20), settings)
    assert (outcome.state, outcome.received, outcome.reason) == ("admitted", 0, None)
    assert not settings.lake.exists()
