"""Held rows come in by the gate and by nothing else: with a correction, on a person's word, or not at all."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tanhuan import cli_quarantine, ledger, release
from tanhuan.admit import admit_load
from tanhuan.batch import Outcome
from tanhuan.cli import app
from tanhuan.cli_quarantine import describe_load, list_corrections
from tanhuan.contracts import get_contract
from tanhuan.duck import open_warehouse
from tanhuan.errors import TanhuanError
from tanhuan.landing import Arrival, new_load, read_receipt
from tanhuan.quarantine import list_acts
from tanhuan.release import Selection, Word, drop_rows, rebuild_load, release_rows, reopen_rows
from tanhuan.settings import Settings
from tanhuan.warehouse.load import load_lake
from tests.conftest import Upstream, change_settings, land_table
from tests.intake.installation import Row, drop, lake_rows, take_dropped

NIGHT = dt.date(2019, 11, 20)
WORD = Word("现场核实 checked on site", who="张三", document="潭环函〔2019〕9号")
WATER = "water_section_4h"


@pytest.fixture
def project(settings: Settings, tmp_path: Path) -> Settings:
    """The installation with expectations of its own, so that a test may add a correction."""
    shutil.copytree(settings.expectations, tmp_path / "project" / "expectations")
    return change_settings(settings, project_root=tmp_path / "project")


def correct(settings: Settings, **changes: Any) -> None:
    content = {
        "id": "COR-2019-001",
        "status": "reviewed",
        "reason": {"zh": "酸碱度小数点错位", "en": "the decimal point of pH slipped"},
        "document": "潭环监控〔2019〕3号",
        "proposed_by": "李四",
        "reviewed_by": "王五",
        "reviewed_on": "2019-11-21",
    } | changes
    path = settings.expectations / "corrections" / "COR-2019-001.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")


def water(section: str, hour: int, **values: Any) -> Row:
    """Return a row of a section as a platform sends it."""
    fixed = {
        **{"province": "湖南省", "basin": "长江流域", "section_name": section, "water_class": "Ⅱ", "ph": 7.5},
        **{"measured_at": f"2019-11-20T{hour:02}:00:00+08:00", "value_form": "original", "station_status": "正常"},
        **{"data_status": "preliminary", "data_basis": "synthetic"},
    }
    return dict.fromkeys(get_contract(WATER).names) | fixed | values


def send(rows: list[Row], settings: Settings, table: str = WATER) -> Outcome:
    """Admit rows as if a platform had sent them for the night."""
    load = new_load(get_contract(table), NIGHT, NIGHT, NIGHT, "night", "ndjson")
    arrival = Arrival(load, settings, None)
    with arrival.stream("ndjson") as sink:
        sink.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    arrival.close()
    return admit_load(load, settings)


def many(*rows: Row) -> list[Row]:
    """Return good rows of 30 sections, then these: so few bad ones do not refuse the batch."""
    return [water(f"断面{n}", hour) for n in range(30) for hour in (0, 4)] + list(rows)


def states(load_id: str, settings: Settings) -> dict[int, str]:
    return {r["source_row"]: r["state"] for r in describe_load(load_id, [], None, 1000, settings)["shown"]}


def ops(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(settings) as con:
        return con.execute(sql).fetchall()


def of_section(name: str, settings: Settings) -> list[Row]:
    return [row for row in lake_rows(WATER, settings) if row["section_name"] == name]


BAD = water("昭山", 8, ph=75)
FIX = {
    **{"table": WATER, "action": "scale", "match": {"section_name": "昭山"}, "column": "ph", "factor": "0.1"},
    "expected_fault": "ph > 14",
}


def test_a_refused_row_enters_by_a_correction_and_reaches_raw(project: Settings) -> None:
    first = send(many(BAD), project)
    assert (first.state, first.quarantined) == ("admitted", 1)
    load_lake(NIGHT, project)
    again = release_rows(Selection(first.load.load_id), WORD, [], project)
    assert (again.released, [row.source_row for row in again.held]) == (0, [61]), "nothing has changed: it fails again"
    assert states(first.load.load_id, project) == {61: "held"}
    assert list_acts(project) == []

    correct(project, **FIX)
    result = release_rows(Selection(first.load.load_id, rows=["61"]), WORD, [], project)
    assert result.is_whole
    (row,) = of_section("昭山", project)
    assert float(row["ph"]) == 7.5
    assert row["_load_id"] == result.outcome.load.load_id
    assert states(first.load.load_id, project) == {61: "released"}
    assert load_lake(NIGHT, project) == {WATER: 1}
    assert ops(project, f"select ph::double from raw.{WATER} where section_name = '昭山'") == [(7.5,)]
    held = "select state, acted_by, why, document, released_as from ops.ops_quarantine where load_id = "
    assert ops(project, f"{held} '{first.load.load_id}'") == [
        ("released", WORD.who, WORD.why, WORD.document, result.outcome.load.load_id)
    ]
    assert ops(project, "select state from ops.ops_quarantine where state = 'held'") == [], "a row is held once"
    assert ops(project, "select act, row_count from ops.ops_quarantine_act") == [("release", 1)]
    kinds = ops(project, "select state, kind from ops.ops_load order by load_id desc limit 1")
    assert kinds == [("admitted", "release")]


def test_a_released_row_can_be_followed_back_to_what_was_received(project: Settings) -> None:
    first = send(many(BAD), project)
    correct(project, **FIX)
    result = release_rows(Selection(first.load.load_id), WORD, [], project)
    (payload,) = read_receipt(result.outcome.load, project)["payloads"]
    terms = payload["release"]
    assert (terms["load_id"], terms["who"], terms["why"]) == (first.load.load_id, WORD.who, WORD.why)
    [(file, rows)] = terms["places"].items()
    assert (first.load.folder(project) / file).exists()
    assert rows == [61]
    event = ledger.read("gates", result.outcome.load.load_id, project)
    (applied,) = event["corrections"]
    assert (applied["id"], applied["acted"], applied["document"]) == ("COR-2019-001", 1, "潭环监控〔2019〕3号")
    assert applied["samples"] == ["payload-00001.ndjson.zst row 1 ph 75.00000000 → 7.50000000"]
    assert "李四, 王五" in applied["who"]


def test_releasing_twice_is_refused_and_a_release_cut_off_can_be_done_again(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(many(BAD), project)
    correct(project, **FIX)
    selection = Selection(first.load.load_id)
    with monkeypatch.context() as cut:
        cut.setattr(release, "_conclude", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            release_rows(selection, WORD, [], project)
    assert len(of_section("昭山", project)) == 1, "the row is in, its act is not yet recorded"
    assert states(first.load.load_id, project) == {61: "held"}
    result = release_rows(selection, WORD, [], project)
    assert (result.released, result.outcome.admitted, result.outcome.unchanged) == (1, 0, 1)
    assert len(of_section("昭山", project)) == 1
    with pytest.raises(TanhuanError, match="is released by 张三"):
        release_rows(selection, WORD, [], project)
    assert len(list_acts(project)) == 1


def test_a_correction_acts_on_the_night_itself_and_says_when_it_is_stale(project: Settings) -> None:
    correct(project, **FIX)
    first = send(many(BAD), project)
    assert (first.quarantined, first.admitted) == (0, 61)
    assert any("COR-2019-001" in note for note in first.notes)
    assert send(many(BAD), project).state == "unchanged", "the same bytes and the same rules"
    rows, wrong = list_corrections(project)
    assert (rows[0]["last"]["acted"], rows[0]["is_stale"], wrong) == (1, False, {})

    mended = send(many(water("昭山", 8)), project)
    assert mended.state == "admitted", "good rows are not kept out"
    (answer,) = [check for check in mended.checks if check.id == "COR-2019-001"]
    assert not answer.passed
    assert list_corrections(project)[0][0]["is_stale"]
    assert float(of_section("昭山", project)[-1]["ph"]) == 7.5


def test_a_changed_correction_makes_known_days_judged_anew(project: Settings) -> None:
    first = send(many(BAD), project)
    assert first.quarantined == 1
    correct(project, **FIX)
    second = send(many(BAD), project)
    assert (second.state, second.quarantined) == ("admitted", 0)


def test_rows_that_a_correction_keeps_out_do_not_refuse_the_batch(project: Settings) -> None:
    correct(project, table=WATER, action="drop", match={"station_status": "维护"}, expected_fault="true")
    outcome = send([water(f"断面{n}", 0, station_status="维护" if n % 2 else "正常") for n in range(30)], project)
    assert (outcome.state, outcome.admitted, outcome.quarantined) == ("admitted", 15, 15)
    told = describe_load(outcome.load.load_id, [], None, 1, project)["shown"][0]
    assert [reason["id"] for reason in told["reasons"]] == ["COR-2019-001"]
    with pytest.raises(TanhuanError, match="COR-2019-001 cannot be waived"):
        release_rows(Selection(outcome.load.load_id), WORD, ["COR-2019-001"], project)
    assert release_rows(Selection(outcome.load.load_id), WORD, [], project).released == 0


def test_a_refused_batch_enters_only_when_its_refusal_is_waived_by_name(project: Settings) -> None:
    rows = [water(f"断面{n}", 0, ph=7.5 if n < 20 else 75) for n in range(30)]
    first = send(rows, project)
    share = f"CONTRACT-{WATER}-SHARE"
    assert (first.state, first.refused_by) == ("refused", [share])
    load_id = first.load.load_id
    with pytest.raises(TanhuanError, match=rf"refused as a whole.*--accept {share}"):
        release_rows(Selection(load_id, rows=["1"]), WORD, [], project)
    whole = release_rows(Selection(load_id), WORD, [], project)
    assert (whole.released, len(whole.held)) == (0, 30), "a whole batch is asked what a batch is asked"
    assert lake_rows(WATER, project) == []

    result = release_rows(Selection(load_id), WORD, [share], project)
    assert (result.released, len(result.held)) == (20, 10), "what is wrong by itself stays held"
    assert len(lake_rows(WATER, project)) == 20
    (act,) = list_acts(project)
    assert (act.accepted, act.rows) == ([share], 20)
    assert sorted(states(load_id, project).values()) == ["held"] * 10 + ["released"] * 20
    load_lake(NIGHT, project)
    assert ops(project, "select state, count(*) from ops.ops_quarantine where load_id = "
               f"'{load_id}' group by 1 order by 1") == [("held", 10), ("released", 20)]  # fmt: skip


def test_a_median_that_a_person_knows_to_be_true_is_waived_once_and_not_every_night(project: Settings) -> None:
    sandstorm = [water(f"断面{n}", 0, turbidity_ntu=1500) for n in range(30)]
    first = send(sandstorm, project)
    assert (first.state, first.refused_by) == ("refused", ["SRC-WS-150"])
    told = describe_load(first.load.load_id, [], None, 1, project)
    assert told["next"][0].endswith("--accept SRC-WS-150")
    assert told["runbook"] == "docs/runbooks/batch-refused.md"
    assert release_rows(Selection(first.load.load_id), WORD, [], project).released == 0
    assert send(sandstorm, project).state == "refused", "it comes again with every night"
    result = release_rows(Selection(first.load.load_id), WORD, ["SRC-WS-150"], project)
    assert (result.released, result.is_whole) == (30, True)
    assert send(sandstorm, project).state == "unchanged"
    assert send([*sandstorm, water("新断面", 0)], project).state == "refused", "other rows are another batch"


def test_a_unit_that_slipped_is_mended_without_a_waiver(project: Settings) -> None:
    first = send([water(f"断面{n}", 0, turbidity_ntu=5000) for n in range(30)], project)
    assert first.state == "refused"
    correct(
        project,
        **{"table": WATER, "action": "scale", "column": "turbidity_ntu", "factor": "0.001"},
        **{"match": {"province": "湖南省"}, "expected_fault": "turbidity_ntu > 4000"},
    )
    assert release_rows(Selection(first.load.load_id), WORD, [], project).is_whole
    assert {float(row["turbidity_ntu"]) for row in lake_rows(WATER, project)} == {5}


def test_the_command_lists_shows_releases_and_says_how_it_ended(
    project: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = send(many(BAD), project)
    monkeypatch.setattr(cli_quarantine, "get_settings", lambda: project)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["quarantine", *arguments], env={"COLUMNS": "300"})

    load_id = first.load.load_id
    listed = json.loads(run("list", "--table", WATER, "--state", "held", "--night", str(NIGHT), "--json").stdout)
    assert [(row["load_id"], row["rows"], row["reasons"][0]["id"]) for row in listed] == [(load_id, 1, "SRC-WS-030")]
    assert run("list", "--state", "lost").exit_code == 1
    shown = json.loads(run(load_id, "--json").stdout)
    assert shown == json.loads(run("show", load_id, "--row", "61", "--json").stdout)
    again = run("release", load_id, "--why", "仪器已校准", "--who", "张三")
    assert again.exit_code == 1
    correct(project, **FIX)
    assert run("release", load_id, "--why", "按更正规则", "--who", "张三", "--json").exit_code == 0
    told = json.loads(run("corrections", "--json").stdout)
    assert [(row["id"], row["last"]["acted"]) for row in told["corrections"]] == [("COR-2019-001", 1)]
    assert run("corrections").exit_code == 0
    correct(project, **FIX | {"expected_fault": "ph >"})
    assert run("corrections").exit_code == 1


@pytest.mark.slow
def test_rows_of_real_shape_are_held_and_released(project: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"table": "source_hour", "kind": "bad_rows", "share": 0.01, "column": "avg_value"})
    (load,) = land_table("source_hour", NIGHT, project)
    first = admit_load(load, project)
    assert first.quarantined > 10
    told = describe_load(load.load_id, [], None, 5, project)
    (row, *_) = told["shown"]
    ids = {r["id"] for shown in told["shown"] for r in shown["reasons"]}
    drop_rows(Selection(load.load_id, rows=[f"{row['source_file']}:{row['source_row']}"]), WORD, project)
    result = release_rows(Selection(load.load_id), WORD, [name for name in ids if name.startswith("SRC-")], project)
    assert result.released + len(result.held) == first.quarantined - 1
    assert len(lake_rows("source_hour", project)) == first.admitted + result.released
    assert load_lake(NIGHT, project)["source_hour"] == first.admitted + result.released
    counted = dict(ops(project, "select state, count(*) from ops.ops_quarantine "
                       f"where load_id = '{load.load_id}' group by 1"))  # fmt: skip
    assert counted.pop("dropped") == 1
    assert (counted.get("released", 0), counted.get("held", 0)) == (result.released, len(result.held))


def test_a_check_that_a_person_waives_only_flags(project: Settings) -> None:
    first = send(many(BAD), project)
    (row,) = describe_load(first.load.load_id, [], None, 9, project)["shown"]
    names = [reason["id"] for reason in row["reasons"]]
    assert names
    assert all(name.startswith("SRC-") for name in names)
    result = release_rows(Selection(first.load.load_id), WORD, names, project)
    assert result.is_whole
    answers = {c.id: c for c in result.outcome.checks}
    assert {(answers[name].action, answers[name].passed) for name in names} == {("flag", False)}
    assert ledger.read("gates", result.outcome.load.load_id, project)["release"]["accepted"] == sorted(names)
    assert [float(row["ph"]) for row in of_section("昭山", project)] == [75]


def test_a_row_without_its_key_or_in_another_type_is_never_let_in(project: Settings) -> None:
    first = send(many(water("昭山", 8, measured_at="昨天"), water("霞湾", 8, section_name=None)), project)
    assert first.quarantined == 2
    result = release_rows(Selection(first.load.load_id), WORD, [], project)
    assert (result.released, len(result.held)) == (0, 2)


def test_an_old_row_never_goes_over_a_newer_one(project: Settings) -> None:
    first = send(many(BAD), project)
    send(many(water("昭山", 8, ph=7.1)), project)
    correct(project, **FIX)
    result = release_rows(Selection(first.load.load_id), WORD, [], project)
    assert [row.reasons for row in result.held] == [[f"CONTRACT-{WATER}-OLDER"]]
    assert [float(row["ph"]) for row in of_section("昭山", project)] == [7.1]
    drop_rows(Selection(first.load.load_id), WORD, project)
    assert states(first.load.load_id, project) == {61: "dropped"}
    with pytest.raises(TanhuanError, match="is dropped by 张三"):
        release_rows(Selection(first.load.load_id), WORD, [], project)


def test_the_second_of_two_contradicting_rows_does_not_cover_the_first(project: Settings) -> None:
    first = send(many(water("昭山", 8, ph=7.1), water("昭山", 8, ph=7.2)), project)
    assert first.quarantined == 1
    result = release_rows(Selection(first.load.load_id), WORD, [], project)
    assert result.released == 0
    assert [float(row["ph"]) for row in of_section("昭山", project)] == [7.1]


def test_rows_of_a_dropped_table_are_read_again_from_landing(project: Settings) -> None:
    lines = [get_contract(WATER).names, *(row.values() for row in many(BAD))]
    text = "".join(",".join("" if v is None else str(v) for v in line) + "\n" for line in lines)
    drop(WATER, "水站.csv", text.encode(), project)
    (first,) = take_dropped(WATER, NIGHT, project)
    assert (first.state, first.quarantined) == ("admitted", 1), first.reason
    correct(project, **FIX)
    result = release_rows(Selection(first.load.load_id), WORD, [], project)
    assert result.is_whole
    (row,) = of_section("昭山", project)
    assert float(row["ph"]) == 7.5


def test_a_release_adds_to_a_snapshot_and_does_not_stand_for_it(project: Settings) -> None:
    (load,) = land_table("penalty", NIGHT, project)
    admit_load(load, project)
    names = get_contract("penalty").names
    rows = [{name: row[name] and str(row[name]) for name in names} for row in lake_rows("penalty", project)]
    first = send([rows[0] | {"amount_cny": "-5"}, *rows[1:]], project, "penalty")
    assert (first.state, first.quarantined) == ("admitted", 1)
    before = ledger.read_day("penalty", ledger.SNAPSHOT, project)
    result = release_rows(Selection(first.load.load_id), WORD, ["SRC-PN-050"], project)
    assert result.is_whole, result.held
    after = ledger.read_day("penalty", ledger.SNAPSHOT, project)
    assert before is not None
    assert after is not None
    assert after["snapshot"] == before["snapshot"]
    assert len(after["dropped"]) == 1
    assert (after["content"], after["etag"]) == (before["content"], before["etag"])


def test_what_a_release_left_can_be_looked_at_by_its_own_load(project: Settings) -> None:
    first = send(many(BAD), project)
    result = release_rows(Selection(first.load.load_id), WORD, [], project)
    told = describe_load(result.outcome.load.load_id, [], None, 9, project)
    assert told["next"] == [f"tanhuan quarantine show {first.load.load_id}"]
    with pytest.raises(TanhuanError, match=f"itself a release.*held as load {first.load.load_id}"):
        release_rows(Selection(result.outcome.load.load_id), WORD, [], project)
    with pytest.raises(TanhuanError, match="itself a release"):
        reopen_rows(Selection(result.outcome.load.load_id), WORD, project)
    assert rebuild_load(ledger.read("loads", first.load.load_id, project)).form == "ndjson"
