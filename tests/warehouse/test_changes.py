"""Changes have causes: what differs from the last publication is told value by value, with what explains it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from rich.console import Console

from tanhuan.contracts import get_contract
from tanhuan.duck import open_memory, open_published, open_warehouse
from tanhuan.files import read_json, write_json
from tanhuan.gates.reconciliation import load_reconciliations
from tanhuan.gates.suites import Suite, load_mart_suites
from tanhuan.settings import Settings
from tanhuan.show_changes import show_changes
from tanhuan.warehouse import changes
from tanhuan.warehouse.build import build
from tanhuan.warehouse.changes import find_changes
from tanhuan.warehouse.lineage import read_lineage
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import Publication, publish
from tanhuan.warehouse.table_pair import TablePair, find_grain
from tests.conftest import NIGHTS, change_settings, copy_installation
from tests.intake.installation import drop, take_dropped

KEY = NIGHTS[-1]
#: a day of 2019 whose city mean the late value moves, and the station it is of
LATE_DAY, STATION = dt.date(2019, 11, 18), "1508A"

#: published tables of things, not of times
TIMELESS = {
    *("dim_enterprise", "dim_indicator", "dim_outlet", "dim_permit", "dim_pollutant", "dim_region", "dim_section"),
    *("dim_standard", "dim_station", "fct_penalty", "ind_plan_note", "mart_identifier_finding"),
}

Row = dict[str, Any]


@pytest.fixture
def own(published: tuple[Settings, Publication], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published installation that a test may change."""
    return copy_installation(published[0], tmp_path_factory.mktemp("changes") / "home")


def edit(settings: Settings, *statements: str) -> None:
    with open_warehouse(settings) as con:
        for statement in statements:
            con.execute(statement)


def query(settings: Settings, sql: str) -> list[Row]:
    with open_warehouse(settings, read_only=True) as con:
        answer = con.execute(sql)
        names = [column[0] for column in answer.description or []]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def list_changes(settings: Settings, where: str = "true") -> list[Row]:
    return query(settings, f"from ops.ops_change where {where} order by all")


def fails(check: str, settings: Settings) -> list[Row]:
    """Return the rows for which a reconciliation of the changes fails."""
    (found,) = (r for r in load_reconciliations(settings) if r.id == check)
    assert found.failing
    return query(settings, found.failing)


def pretend(settings: Settings, **said: Any) -> None:
    """Let the manifest of the last publication say something else."""
    path = settings.published / "current" / "manifest.json"
    write_json(path, read_json(path) | said)


def test_the_first_publication_changes_nothing(published: tuple[Settings, Publication]) -> None:
    settings, publication = published
    told = read_json(publication.path / "changes.json")
    assert (told["version"], told["version_before"]) == (publication.version, None)
    assert (told["tables"], told["causes"], told["changes"], told["total"]) == ({}, [], [], 0)
    with open_published(settings) as con:
        assert con.execute("select count(*) from ops_change").fetchone() == (0,)


def test_a_night_published_twice_has_no_changes_and_the_same_content(
    published: tuple[Settings, Publication], own: Settings
) -> None:
    assert find_changes(own) == {}
    again = publish(KEY, own)
    assert again.content_hash == published[1].content_hash
    told = read_json(again.path / "changes.json")
    assert told["version_before"] == published[1].version
    assert (told["tables"], told["total"]) == ({}, 0)


def test_a_figure_that_somebody_edited_is_unexplained_and_refused(own: Settings) -> None:
    edit(
        own,
        "update mart_air_period set pm25_mean_ug_m3 = pm25_mean_ug_m3 * 1.5 where period_kind = 'year' and year = 2019 "
        "and region_code = '430300' and series = 'all'",
    )
    assert find_changes(own) == {"unexplained": 2}
    for change in list_changes(own):
        assert (change["table_name"], change["column_name"]) == ("mart_air_period", "pm25_mean_ug_m3")
        assert json.loads(change["row_key"])["period_start_date"] == "2019-01-01"
        assert change["relative_change"] == pytest.approx(0.5, rel=1e-3)
        assert change["is_closed_period"]
        assert change["cause"] is None
    assert len(fails("REC-CH-010", own)) == 2
    assert fails("REC-CH-040", own) == []


def test_an_indicator_that_became_attained_without_a_cause_is_refused(own: Settings) -> None:
    edit(
        own,
        "update ind_plan_indicator set status = 'attained' "
        "where plan_id = '14' and indicator_no = 3 and assessment_point = 'FINAL_2025' and region_code = '430300'",
    )
    find_changes(own)
    (refused,) = fails("REC-CH-020", own)
    assert (refused["column_name"], refused["new_value"]) == ("status", "attained")


def test_a_jump_of_a_city_indicator_is_flagged_with_its_cause(own: Settings) -> None:
    edit(
        own,
        "update ind_plan_indicator set value = value * 1.05 where indicator_no = 1 and value is not null",
        "update ind_plan_indicator set value = value * 1.5 where indicator_no = 2 and value is not null",
    )
    pretend(own, rules=read_lineage(own).rules | {"seed.tanhuan.air_validity": "of another day"})
    find_changes(own)
    flagged = fails("REC-CH-030", own)
    assert {row["indicator_no"] for row in flagged} == {"2"}
    assert {(row["change_pct"], row["cause_kind"], row["cause"]) for row in flagged} == {
        (50.0, "rule", "seed.tanhuan.air_validity")
    }
    assert fails("REC-CH-010", own) == fails("REC-CH-020", own) == []


def test_a_changed_rule_explains_only_the_tables_that_rest_on_it(own: Settings) -> None:
    edit(
        own,
        "update mart_air_period set good_days = good_days + 1 where period_kind = 'year' and year = 2019 "
        "and region_code = '430300' and series = 'all'",
        "update mart_reduction_nox set verified_t = verified_t + 1 where year = 2023",
    )
    pretend(own, rules=read_lineage(own).rules | {"seed.tanhuan.air_limit": "of another day"})
    find_changes(own)
    causes = {(c["table_name"], c["cause_kind"], c["cause"]) for c in list_changes(own)}
    assert causes == {
        ("mart_air_period", "rule", "seed.tanhuan.air_limit"),
        ("mart_reduction_nox", "unexplained", None),
    }
    assert {row["table_name"] for row in fails("REC-CH-010", own)} == {"mart_reduction_nox"}


def test_the_calendar_explains_what_reads_the_date_and_is_not_over(own: Settings) -> None:
    edit(
        own,
        f"update raw.night set as_of = date '{KEY + dt.timedelta(days=1)}'",
        "update dim_permit set is_valid = not is_valid where rowid = 0",
        "update ind_plan_indicator set status_reason_en = '' where plan_id = '14' and year = 2025 and indicator_no = 3",
        "update ind_plan_indicator set status_reason_en = '' where plan_id = '13' and indicator_no = 3",
        "update dim_region set name_en = 'elsewhere' where level = 'city'",
    )
    edit(own, *no_date_falls(KEY, own))
    find_changes(own)
    causes = {(c["table_name"], (json.loads(c["row_key"])).get("plan_id"), c["cause_kind"]) for c in list_changes(own)}
    assert causes == {
        ("dim_permit", None, "calendar"),
        ("ind_plan_indicator", "14", "calendar"),
        ("ind_plan_indicator", "13", "unexplained"),
        ("dim_region", None, "unexplained"),
    }


def no_date_falls(key: dt.date, settings: Settings) -> list[str]:
    """Return statements after which no dated row comes into force on a night or the day after."""
    columns = query(
        settings,
        "select schema_name, table_name, column_name from duckdb_columns() where data_type = 'DATE' "
        "and column_name <> 'business_date' and schema_name in ('raw', 'rules') and table_name not in ('night')",
    )
    return [
        f"update {c['schema_name']}.{c['table_name']} set \"{c['column_name']}\" = date '2000-01-01' "
        f"where \"{c['column_name']}\" between date '{key}' and date '{key + dt.timedelta(days=1)}'"
        for c in columns
    ]


def test_an_order_that_comes_into_force_explains_an_old_year(own: Settings) -> None:
    tomorrow = KEY + dt.timedelta(days=1)
    edit(
        own,
        *no_date_falls(KEY, own),
        f"update raw.night set as_of = date '{tomorrow}'",
        f"update raw.provincial_target set superseded_date = date '{tomorrow}' where rowid = 0",
        "update mart_reduction_nox set target_t = coalesce(target_t, 0) + 1 where year = 2023",
    )
    find_changes(own)
    found = list_changes(own)
    assert {(c["is_closed_period"], c["cause_kind"], c["cause"]) for c in found} == {
        (True, "calendar", f"provincial_target.superseded_date {tomorrow}")
    }


def test_rows_that_came_or_went_are_told_whole_and_new_facts_as_a_number(own: Settings) -> None:
    edit(
        own,
        "delete from ind_plan_indicator where plan_id = '13' and indicator_no = 3",
        "insert into dim_region select * replace ('439999' as region_code) from dim_region where level = 'city'",
        "insert into fct_source_day select * replace (date '2019-01-01' as business_date) "
        f"from fct_source_day where business_date = date '{LATE_DAY}'",
    )
    find_changes(own)
    (gone,) = list_changes(own, "change = 'removed'")
    assert json.loads(gone["old_value"])["status"] == "attained"
    assert gone["new_value"] is None
    region, days = list_changes(own, "change = 'added'")
    assert json.loads(region["row_key"]) == {"region_code": "439999"}
    assert (days["table_name"], days["row_key"]) == ("fct_source_day", None)
    (expected,) = query(own, f"select count(*) as n from fct_source_day where business_date = date '{LATE_DAY}'")
    assert days["change_count"] == expected["n"] > 100


def test_a_new_column_is_one_line(own: Settings) -> None:
    edit(own, "alter table dim_region add column mayor varchar default 'unknown'")
    find_changes(own)
    (line,) = list_changes(own)
    assert (line["table_name"], line["change"], line["column_name"]) == ("dim_region", "added", "mayor")


def test_what_moves_with_the_clock_is_no_change(own: Settings) -> None:
    edit(own, "update ind_plan_indicator set as_of_date = as_of_date + 1, inputs_hash = 'another'")
    assert find_changes(own) == {}


def test_what_is_too_much_to_tell_is_counted(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_TOLD_OTHERS", 10)
    edit(own, f"update fct_source_day set mass_kg = mass_kg + 1 where business_date = date '{LATE_DAY}'")
    counts = find_changes(own)
    found = list_changes(own)
    (rest,) = (c for c in found if c["row_key"] is None)
    assert len(found) == 11
    assert rest["change_count"] == counts["unexplained"] - 10 > 50
    assert rest["is_closed_period"], "a line that counts says of what"


@pytest.mark.slow
def test_changes_of_earlier_publications_stay_and_old_ones_go(own: Settings) -> None:
    frugal = change_settings(own, publications_kept=2)
    versions = []
    for places in range(3):
        edit(frugal, f"update dim_region set name_en = 'edited {places}' where level = 'city'")
        versions.append(publish(KEY, frugal).version)
    with open_published(frugal) as con:
        kept = con.execute("select version_before, new_value from ops_change order by recorded_at").fetchall()
    assert kept == [(versions[0], "edited 1"), (versions[1], "edited 2")]
    edit(frugal, "delete from ops.ops_change")
    find_changes(frugal)
    assert [c["new_value"] for c in list_changes(frugal)] == ["edited 2"], "a lost warehouse loses no history"


def test_a_comparison_does_not_disturb_a_reader_in_the_same_process(own: Settings) -> None:
    edit(own, "update dim_region set name_en = 'edited' where level = 'city'")
    with open_published(own) as reader:
        assert find_changes(own) == {"unexplained": 1}
        assert reader.execute("select count(*) from dim_region where name_en = 'edited'").fetchone() == (0,)


def test_the_command_shows_what_changed_and_why(own: Settings) -> None:
    edit(
        own,
        "update mart_air_period set good_days = good_days + 1 where period_kind = 'year' and year = 2019 "
        "and region_code = '430300' and series = 'all'",
        "update ind_plan_indicator set status = 'at_risk' where plan_id = '13' and indicator_no = 3",
    )
    publish(KEY, own)
    console = Console(record=True, width=200, quiet=False, file=io.StringIO())
    show_changes(own, 10, as_json=False, console=console)
    text = console.export_text()
    assert "无原因 unexplained" in text
    assert text.index("attained → at_risk") < text.index("good_days"), "a verdict comes before a figure"
    console = Console(file=io.StringIO())
    show_changes(own, 10, as_json=True, console=console)
    assert isinstance(console.file, io.StringIO)
    told = json.loads(console.file.getvalue())
    assert told["tables"] == {"ind_plan_indicator": {"changed": 1}, "mart_air_period": {"changed": 2}}
    assert told["total"] == told["listed"] == len(told["changes"]) == 3


@pytest.mark.parametrize("suite", load_mart_suites(Settings(_env_file=None)), ids=lambda s: s.table)  # type: ignore[call-arg]
def test_every_published_table_has_a_key(suite: Suite, two_nights: Settings) -> None:
    key = ", ".join(find_grain(suite))
    assert query(two_nights, f"select {key} from {suite.table} group by all having count(*) > 1") == []


def test_every_published_table_of_a_time_knows_the_period_of_a_row(two_nights: Settings) -> None:
    """Registers, plans' notes and the like have none: no row of them is of a time that could be over."""
    timeless = set()
    for suite in load_mart_suites(two_nights):
        columns = query(two_nights, f"select column_name, column_type from (describe {suite.table})")
        types = {c["column_name"]: c["column_type"] for c in columns}
        statement = TablePair(suite.table, find_grain(suite), types, types).select_differing()
        if "coalesce(null::date, null::date) as period_end" in statement:
            timeless.add(suite.table)
    assert timeless == TIMELESS


@pytest.mark.parametrize("night", NIGHTS, ids=str)
def test_a_load_explains_what_rests_on_its_table_and_is_not_before_its_days(night: dt.date, own: Settings) -> None:
    load_id = pretend_left_out("air_hour", night, own)
    edit(
        own,
        "update mart_air_period set good_days = good_days + 1 where period_kind = 'month' and year = 2019 "
        "and region_code = '430300' and series = 'all'",
        f"update fct_air_city_day set aqi = aqi + 1 where business_date = date '{night}' and basis = 'strict'",
        "update fct_air_city_day set aqi = aqi + 1 where business_date = date '2025-12-27' and basis = 'archive'",
        "update mart_reduction_nox set verified_t = verified_t + 1 where year = 2025",
    )
    find_changes(own)
    of_2019 = ("load", load_id) if night.year == 2019 else ("unexplained", None)
    # Of the last night's load the 27th is one of the days; the earlier load cannot have moved a later day.
    of_2025 = ("unexplained", None) if night.year == 2019 else ("load", load_id)
    found = list_changes(own, "table_name <> 'mart_reduction_nox'")
    causes = {json.loads(c["row_key"]).get("basis") + c["table_name"][:4]: (c["cause_kind"], c["cause"]) for c in found}
    assert causes == {
        "archivemart": of_2019,
        "strictmart": of_2019,
        "strictfct_": ("load", load_id),
        "archivefct_": of_2025,
    }
    assert {c["cause_kind"] for c in list_changes(own, "table_name = 'mart_reduction_nox'")} == {"unexplained"}


@pytest.mark.parametrize(
    ("said", "kind", "cause"),
    [
        ({"kind": "release"}, "release", "{load_id}"),
        (
            {"corrections": [{"id": "COR-2019-001", "action": "scale", "acted": 3, "why": "mg for µg"}]},
            "correction",
            "{load_id} (COR-2019-001)",
        ),
        ({"corrections": [{"id": "COR-2019-001", "action": "flag", "acted": 3}]}, "load", "{load_id}"),
        ({"corrections": [{"id": "COR-2019-001", "action": "scale", "acted": 0}]}, "load", "{load_id}"),
    ],
    ids=["released", "corrected", "only flagged", "nothing to correct"],
)
def test_released_and_corrected_rows_are_told_as_such(said: Row, kind: str, cause: str, own: Settings) -> None:
    load_id = pretend_left_out("air_hour", NIGHTS[0], own)
    path = own.ledger / "loads" / f"{load_id}.json"
    write_json(path, read_json(path) | said)
    edit(
        own,
        "update mart_air_period set good_days = good_days + 1 where period_kind = 'year' and year = 2019 "
        "and region_code = '430300' and series = 'all'",
    )
    find_changes(own)
    assert {(c["cause_kind"], c["cause"]) for c in list_changes(own)} == {(kind, cause.format(load_id=load_id))}


def pretend_left_out(table: str, night: dt.date, settings: Settings) -> str:
    """Let the last publication not rest on a night's load of a table; return the load."""
    (load,) = query(
        settings,
        f"select load_id from ops.ops_load where table_name = '{table}' and night_date = date '{night}'",
    )
    pretend(settings, loads_left_out=[load["load_id"]])
    return str(load["load_id"])


def make_late_day(settings: Settings) -> bytes:
    """Return the last hour of a day again as a CSV: particles 280 µg/m³ higher, the network's means of 24 hours 70."""
    names = ", ".join(get_contract("air_hour").names)
    files = [str(path) for path in (settings.lake / "air_hour" / f"dt={LATE_DAY}").glob("*.parquet")]
    with open_memory() as con:
        rows = con.execute(
            f"select {names} from (select * replace (pm25_ug_m3 + 280 as pm25_ug_m3, pm10_ug_m3 + 280 as pm10_ug_m3, "
            "pm25_24h_ug_m3 + 70 as pm25_24h_ug_m3, pm10_24h_ug_m3 + 70 as pm10_24h_ug_m3) "
            "from read_parquet($files, hive_partitioning = false)) "
            "where station_code = $station and hour_end = $last::timestamptz",
            {"files": files, "station": STATION, "last": f"{LATE_DAY + dt.timedelta(days=1)} 00:00+08"},
        )
        text = io.StringIO()
        csv.writer(text).writerows([[c[0] for c in rows.description or []], *rows.fetchall()])
    return text.getvalue().encode()


def list_late_keys() -> set[tuple[Any, ...]]:
    """Return what must differ for the late day: the hour, its days, and the periods of station, county and city."""
    day, spans = str(LATE_DAY), (("month", "2019-11-01"), ("year", "2019-01-01"))
    regions, series = ("430300", "430304"), ("all", "events_excluded")
    keys: set[tuple[Any, ...]] = {
        ("fct_air_station_hour", STATION, f"{LATE_DAY + dt.timedelta(days=1)} 00:00:00+08"),
        ("fct_air_station_day", STATION, day),
    }
    bases = ("strict", "archive")
    keys |= {("fct_air_city_day", region, day, basis) for region in regions for basis in bases}
    keys |= {("mart_air_station_period", STATION, *span, "strict", s) for span in spans for s in series}
    keys |= {("mart_air_period", r, *span, b, s) for r in regions for span in spans for b in bases for s in series}
    return keys


@pytest.mark.slow
@pytest.mark.parametrize(
    "is_left_out", [False, True], ids=["admitted afterwards", "admitted before, loaded afterwards"]
)
def test_a_late_value_changes_exactly_the_figures_that_depend_on_it(own: Settings, is_left_out: bool) -> None:
    drop("air_hour", "late.csv", make_late_day(own), own)
    (outcome,) = take_dropped("air_hour", KEY, own)
    assert outcome.state == "admitted"
    if is_left_out:
        # Published between the load's admission and its loading: the next version is the one it changes.
        left = read_json(publish(KEY, own).path / "manifest.json")["loads_left_out"]
        assert left == [outcome.load.load_id]
    load_lake(KEY, own)
    build(own)
    find_changes(own)
    found = list_changes(own)
    assert {(c["cause_kind"], c["cause"], c["is_closed_period"]) for c in found} == {
        ("load", outcome.load.load_id, True)
    }
    keys = {(c["table_name"], *json.loads(c["row_key"]).values()) for c in found}
    micro = {key for key in keys if "_micro_" in key[0]}
    items = {key for key in keys if key[0] == "mart_air_period_item"}
    indicators = {key for key in keys if key[0].startswith("ind_plan_")}
    assert keys - micro - items - indicators == list_late_keys()
    assert {("mart_air_period", *key[1:-1]) for key in items} <= list_late_keys()
    assert {key[-1] for key in items} == {"pm25", "pm10"}
    assert indicators <= {("ind_plan_indicator", "14", no, "430300", "BASELINE_2019") for no in (1, 2)}
    assert any(c["column_name"] == "value" for c in found if c["table_name"] == "ind_plan_indicator")
    # Micro-stations are told beside their national station, and only those at this one.
    beside = query(
        own, f"select distinct device_code from fct_micro_air_hour where reference_station_code = '{STATION}'"
    )
    devices = {row["device_code"] for row in beside}
    assert {key[1] for key in micro if key[0] == "fct_micro_air_hour"} <= devices
    assert {key[1] for key in micro if key[0] == "mart_micro_calibration"} <= devices
    assert fails("REC-CH-010", own) == fails("REC-CH-040", own) == []
