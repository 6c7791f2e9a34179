"""A frozen assessment is whole or not there, never changes, and can prove it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from tanhuan import ledger
from tanhuan.assess.archive import archive_folder, hash_files, list_freezes, verify
from tanhuan.assess.freeze import Request, freeze, record_unrecorded
from tanhuan.duck import open_memory, open_warehouse
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings
from tanhuan.warehouse.assessments import load_assessments
from tanhuan.warehouse.load import load_lake
from tanhuan.warehouse.publish import _remove_old
from tests.assess.made_publication import publish_made
from tests.conftest import change_settings

MID = Request("MID_2023", note="中期评估", who="tester")
NIGHT = dt.date(2024, 1, 15)


def test_a_freeze_holds_what_an_assessment_needs_and_says_where_it_is_from(home: Settings) -> None:
    version = publish_made(home)
    frozen = freeze(MID, home)
    assert frozen.path == home.published / "assessments" / "14" / "MID_2023" / "1"
    assert (frozen.manifest["source_version"], frozen.manifest["verdict"]) == (version, "undecided")
    files = hash_files(frozen.path)
    assert files == frozen.manifest["files"]
    assert {"assessment.duckdb", "publication.json", "rules/plan_indicator.csv"} <= files.keys()
    with open_memory() as con:
        points = con.execute(
            f"select distinct assessment_point from '{frozen.path}/parquet/ind_plan_indicator.parquet'"
        ).fetchall()
        [evidence] = con.execute(
            "select evidence_gap_count, gaps_zh, excluded_count "
            f"from '{frozen.path}/parquet/evidence_indicator.parquet' "
            "where indicator_no = 12 and region_code = '430300'"
        ).fetchall()
    assert points == [("MID_2023",)]
    assert evidence == (1, "示例造纸厂深度治理：缺验收与监测材料", 1)


def test_twenty_versions_later_not_a_byte_of_it_differs(home: Settings) -> None:
    settings = change_settings(home, publications_kept=3)
    publish_made(settings)
    frozen = freeze(MID, settings)
    before = {p: p.read_bytes() for p in frozen.path.rglob("*") if p.is_file()}
    for day in range(20):
        publish_made(settings, NIGHT + dt.timedelta(days=day), {10: Decimal("70.5")})
        _remove_old(settings)
    assert len(list(settings.published.glob("2*"))) == 3, "the archive is not counted as a version either"
    assert {p: p.read_bytes() for p in frozen.path.rglob("*") if p.is_file()} == before
    assert verify(settings) == {"14/MID_2023/1": []}


def test_nobody_may_write_into_it(home: Settings) -> None:
    publish_made(home)
    frozen = freeze(MID, home)
    assert {p.stat().st_mode & 0o222 for p in [frozen.path, *frozen.path.rglob("*")]} == {0}


def test_a_point_is_frozen_once_and_a_revision_stands_beside_the_first(home: Settings) -> None:
    publish_made(home)
    first = freeze(MID, home)
    before = hash_files(first.path)
    with pytest.raises(TanhuanError, match="--revise REASON"):
        freeze(MID, home)
    publish_made(home, restated={10: Decimal("70.5")})
    second = freeze(Request("MID_2023", revise="复核后数据更正"), home)
    assert [f.name for f in list_freezes(home)] == ["14/MID_2023/1", "14/MID_2023/2"]
    assert hash_files(first.path) == before
    assert second.manifest["reason"] == "复核后数据更正"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (Request("FINAL_2025"), "no assessment point 'FINAL_2025'"),
        (Request("MID_2032"), "choose one of .*MID_2023"),
        (Request("MID_2023", plan_id="15"), "No plan '15' is published.*14"),
        (Request("MID_2023", revise="x"), "nothing to revise"),
    ],
)
def test_what_cannot_be_frozen_is_refused_with_a_sentence(home: Settings, request_: Request, sentence: str) -> None:
    publish_made(home)
    with pytest.raises(TanhuanError, match=sentence):
        freeze(request_, home)
    assert list_freezes(home) == []


def test_a_point_that_is_not_due_at_the_published_date_is_refused(home: Settings) -> None:
    publish_made(home)
    publication = home.published / "current" / "manifest.json"
    publication.write_text(publication.read_text("utf-8").replace("2024-01-15", "2023-12-30"), "utf-8")
    with pytest.raises(TanhuanError, match="falls due on 2023-12-31, the published figures reach to 2023-12-30"):
        freeze(MID, home)


def test_without_a_publication_or_with_half_of_one_nothing_is_frozen(home: Settings) -> None:
    with pytest.raises(TanhuanError, match="Nothing is published"):
        freeze(MID, home)
    publish_made(home, without=("ind_plan_verdict", "mart_water_period"))
    with pytest.raises(TanhuanError, match="lacks ind_plan_verdict, mart_water_period"):
        freeze(MID, home)
    assert not archive_folder(home).exists()


def test_rules_other_than_those_of_the_publication_are_not_frozen_with_it(home: Settings) -> None:
    publish_made(home)
    publication = home.published / "current" / "manifest.json"
    publication.write_text(publication.read_text("utf-8").replace('"rules_digest": "', '"rules_digest": "0'), "utf-8")
    with pytest.raises(TanhuanError, match="rules in dbt_project/ are not those"):
        freeze(MID, home)


def test_what_a_killed_freeze_left_is_seen_by_nobody_and_removed_by_the_next(home: Settings) -> None:
    publish_made(home)
    left = archive_folder(home) / "14" / "MID_2023" / ".building-1" / "parquet"
    left.mkdir(parents=True)
    assert (list_freezes(home), verify(home)) == ([], {})
    assert freeze(MID, home).number == 1
    assert not left.exists()


def test_verification_names_a_flipped_byte_and_what_is_gone_or_new(home: Settings) -> None:
    publish_made(home)
    frozen = freeze(MID, home)
    assert verify(home) == {frozen.name: []}
    rule = frozen.path / "rules" / "plan.csv"
    rule.chmod(0o644)
    data = bytearray(rule.read_bytes())
    data[5] ^= 1
    rule.write_bytes(data)
    (frozen.path / "rules").chmod(0o755)
    (frozen.path / "rules" / "plan_path.csv").unlink()
    (frozen.path / "rules" / "more.csv").touch()
    assert verify(home) == {
        frozen.name: ["rules/more.csv was added", "rules/plan.csv differs", "rules/plan_path.csv is missing"]
    }


def test_verification_notices_a_manifest_that_was_changed_and_a_folder_that_is_gone(home: Settings) -> None:
    publish_made(home)
    frozen = freeze(MID, home)
    manifest = frozen.path / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text("utf-8").replace("中期评估", "中期评价"), "utf-8")
    assert verify(home) == {frozen.name: ["manifest.json is not the one that was written"]}
    frozen.path.chmod(0o755)
    frozen.path.rename(Path(home.root) / "elsewhere")
    assert verify(home) == {frozen.name: ["the folder is gone, though the ledger knows it"]}


def test_a_freeze_whose_process_died_before_the_ledger_is_recorded_later(home: Settings) -> None:
    publish_made(home)
    frozen = freeze(MID, home)
    for name in ledger.list_names("assessments", home):
        (home.ledger / "assessments" / f"{name}.json").unlink()
    assert verify(home) == {frozen.name: ["the ledger does not know it"]}
    assert record_unrecorded(home) == [frozen.name]
    assert verify(home) == {frozen.name: []}


def test_the_warehouse_learns_of_every_freeze_and_of_none(home: Settings) -> None:
    load_lake(NIGHT, home)
    with open_warehouse(home) as con:
        assert con.execute("select count(*) from raw.assessment_indicator").fetchone() == (0,)
    publish_made(home)
    freeze(MID, home)
    load_lake(NIGHT, home)
    with open_warehouse(home) as con:
        assert load_assessments(con, home) == 1
        assert con.execute(
            "select value, status, freeze_no from raw.assessment_indicator where indicator_no = 10 "
            "and region_code = '430300'"
        ).fetchall() == [(Decimal("92.0000"), "on_track", 1)]
        assert con.execute("select plan_id, assessment_point, note from ops.ops_assessment").fetchall() == [
            ("14", "MID_2023", "中期评估")
        ]
        assert con.execute("select count(*) from ops.ops_assessment_change").fetchone() == (0,)
