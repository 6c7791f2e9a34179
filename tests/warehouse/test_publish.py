"""The publication: what the manifest says is what the files hold, and readers never see anything half done."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tanhuan import ledger
from tanhuan.duck import open_published, open_warehouse
from tanhuan.files import read_json
from tanhuan.settings import Settings, now
from tanhuan.warehouse.publish import Publication, is_complete, publish
from tests.conftest import NIGHTS, change_settings

KEY = NIGHTS[-1]
#: DuckDB's number of the storage format that drivers of 1.4 and later open; 2.0 writes a newer one unless told
STORAGE_OF_1_4 = 67
FIRST_FIELD = struct.Struct("<8s4sQ")


@pytest.fixture
def files(published: tuple[Settings, Publication]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database, opened as an analyst would."""
    with open_published(published[0]) as con:
        yield con


@pytest.fixture
def manifest(published: tuple[Settings, Publication]) -> dict[str, Any]:
    return dict(read_json(published[0].published / "current" / "manifest.json"))


def fetch_one(con: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> tuple[Any, ...]:
    found = con.execute(sql, parameters).fetchone()
    assert found is not None
    return found


def hash_rows(con: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, str]:
    """Count and hash a relation's rows as the manifest does, in whatever order they come."""
    columns = [row[0] for row in con.execute(f"describe {relation}").fetchall()]
    rows, content = fetch_one(
        con, f"select count(*), bit_xor(md5_number(t::varchar)) from (from {relation} order by random()) as t"
    )
    return rows, hashlib.sha256(f"{columns}{rows}{content}".encode()).hexdigest()


def test_the_manifest_lists_what_is_in_the_database(files: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> None:
    names = {name for (name,) in files.execute("select table_name from duckdb_tables()").fetchall()}
    assert names == {*manifest["tables"], *manifest["ops"]}
    for name, said in manifest["tables"].items():
        assert hash_rows(files, name) == (said["rows"], said["content_hash"]), name
    for name, rows in manifest["ops"].items():
        assert fetch_one(files, f"select count(*) from {name}") == (rows,), name


def test_the_parquet_files_hold_the_same_rows(
    published: tuple[Settings, Publication], files: duckdb.DuckDBPyConnection, manifest: dict[str, Any]
) -> None:
    folder = published[0].published / "current" / "parquet"
    assert {p.stem for p in folder.iterdir()} == {*manifest["tables"], *manifest["ops"]}
    for name, said in manifest["tables"].items():
        assert hash_rows(files, f"'{folder / name}.parquet'") == (said["rows"], said["content_hash"]), name


def test_a_figure_that_rests_on_synthetic_rows_says_so_in_the_manifest(manifest: dict[str, Any]) -> None:
    assert manifest["tables"]["fct_source_day"]["data_basis"] == ["synthetic"]
    assert manifest["tables"]["fct_air_station_day"]["data_basis"] == ["measured", "synthetic"]
    assert set(manifest["tables"]["ind_plan_indicator"]["data_basis"]) <= {"measured", "synthetic", "mixed", "stated"}


def test_the_manifest_says_which_night_rules_and_code(
    published: tuple[Settings, Publication], manifest: dict[str, Any]
) -> None:
    publication = published[1]
    assert manifest["version"] == publication.version
    assert manifest["as_of"] == manifest["night"] == KEY.isoformat()
    assert manifest["content_hash"] == publication.content_hash
    assert manifest["missing_tables"] == publication.missing == []
    assert re.fullmatch(r"[0-9a-f]{64}", manifest["rules_digest"])
    assert manifest["storage_version"] == "v1.4.0"
    (event,) = ledger.read_last("publications", published[0])
    assert (event["version"], event["content_hash"]) == (publication.version, publication.content_hash)
    assert is_complete(KEY, published[0])
    assert not is_complete(NIGHTS[0], published[0])


def test_every_mart_and_column_is_described_in_chinese_and_english(
    files: duckdb.DuckDBPyConnection, manifest: dict[str, Any]
) -> None:
    comments = files.execute(
        "select table_name, '', comment from duckdb_tables() "
        "union all select table_name, column_name, comment from duckdb_columns() where not internal"
    ).fetchall()
    of_marts = [(table, column, comment) for table, column, comment in comments if table in manifest["tables"]]
    assert len(of_marts) > 300
    for table, column, comment in of_marts:
        assert comment, f"{table}.{column} has no description"
        assert re.search(r"[\u4e00-\u9fff]", comment), f"{table}.{column} is not described in Chinese: {comment}"
        assert re.search(r"[A-Za-z]{2}", comment), f"{table}.{column} is not described in English: {comment}"


def test_drivers_before_duckdb_2_can_open_the_file(published: tuple[Settings, Publication]) -> None:
    settings, publication = published
    with (publication.path / "tanhuan.duckdb").open("rb") as handle:
        _, magic, storage = FIRST_FIELD.unpack(handle.read(FIRST_FIELD.size))
    assert (magic, storage) == (b"DUCK", STORAGE_OF_1_4)
    with settings.warehouse.open("rb") as handle:
        assert FIRST_FIELD.unpack(handle.read(FIRST_FIELD.size))[2] != STORAGE_OF_1_4, "or the option has no effect"


def test_nothing_half_done_lies_beside_the_version(published: tuple[Settings, Publication]) -> None:
    settings, publication = published
    assert sorted(p.name for p in settings.published.iterdir()) == sorted([publication.version, "current"])
    assert sorted(p.name for p in publication.path.iterdir()) == [
        "changes.json",
        "manifest.json",
        "parquet",
        "tanhuan.duckdb",
    ]


def test_current_is_a_relative_link_so_that_the_folder_can_be_moved(
    published: tuple[Settings, Publication], tmp_path: Path
) -> None:
    settings, publication = published
    link = settings.published / "current"
    assert link.is_symlink()
    assert str(link.readlink()) == publication.version
    moved = tmp_path / "elsewhere"
    moved.symlink_to(settings.published)
    assert (moved / "current" / "manifest.json").exists()


def rewrite(settings: Settings, table: str, select: str) -> None:
    with open_warehouse(settings) as con:
        con.execute(f"create or replace table main.{table} as {select}")


def test_the_content_hash_does_not_know_the_order_of_rows(own_copy: Settings, manifest: dict[str, Any]) -> None:
    for table in ("ind_plan_indicator", "dim_outlet", "fct_air_city_day"):
        rewrite(own_copy, table, f"from main.{table} order by random()")
    again = publish(KEY, own_copy)
    assert again.content_hash == manifest["content_hash"]
    assert read_json(again.path / "manifest.json")["tables"] == manifest["tables"]


def test_the_content_hash_knows_every_value(own_copy: Settings, manifest: dict[str, Any]) -> None:
    one_row = "rowid = (select rowid from main.ind_plan_indicator where value is not null order by all limit 1)"
    with open_warehouse(own_copy) as con:
        con.execute(f"update main.ind_plan_indicator set value = value + 0.0001 where {one_row}")
    tables = read_json(publish(KEY, own_copy).path / "manifest.json")["tables"]
    assert {n for n in tables if tables[n] != manifest["tables"][n]} == {"ind_plan_indicator"}
    assert tables["ind_plan_indicator"]["rows"] == manifest["tables"]["ind_plan_indicator"]["rows"]


def test_a_missing_value_is_not_an_empty_one(own_copy: Settings, manifest: dict[str, Any]) -> None:
    with open_warehouse(own_copy) as con:
        con.execute("update main.dim_region set parent_code = '' where parent_code is null")
    tables = read_json(publish(KEY, own_copy).path / "manifest.json")["tables"]
    assert {n for n in tables if tables[n] != manifest["tables"][n]} == {"dim_region"}


def test_readers_of_the_old_version_keep_reading_while_it_is_replaced_and_removed(own_copy: Settings) -> None:
    frugal = change_settings(own_copy, publications_kept=1)
    pretend_published(frugal, "2025-12-30_20251231T013000", publish(KEY, frugal))
    with open_published(frugal) as reader:
        before = fetch_one(reader, "select count(*), min(as_of_date) from ind_plan_indicator")
        newer = publish(KEY, frugal)
        assert fetch_one(reader, "select count(*), min(as_of_date) from ind_plan_indicator") == before
        assert len(reader.execute("from fct_source_day").fetchall()) > 0
    assert str((frugal.published / "current").readlink()) == newer.version
    with open_published(frugal) as reader:
        assert fetch_one(reader, "select count(*) from ind_plan_indicator") == before[:1]


def pretend_published(settings: Settings, version: str, publication: Publication) -> None:
    """Give a publication an earlier version name, as if it had been made then."""
    publication.path.rename(settings.published / version)
    link = settings.published / "current"
    link.unlink()
    link.symlink_to(version)


def test_old_versions_go_and_the_newest_stay(own_copy: Settings) -> None:
    frugal = change_settings(own_copy, publications_kept=3)
    # Sorted by when they were made, not by the night they report on: the last is a backfill of an old night.
    for old in (
        "2025-12-28_20251229T013000",
        "2025-12-29_20251230T013000",
        "2025-12-30_20251231T013000",
        "2019-11-20_20260102T120000",
    ):
        (frugal.published / old / "parquet").mkdir(parents=True)
    newest = publish(KEY, frugal)
    assert {p.name for p in frugal.published.iterdir()} == {
        "current",
        "2025-12-30_20251231T013000",
        "2019-11-20_20260102T120000",
        newest.version,
    }


def test_what_a_killed_publication_left_behind_is_removed(own_copy: Settings) -> None:
    (own_copy.published / ".building-2025-12-31_20260101T013000" / "parquet").mkdir(parents=True)
    (own_copy.published / ".building-2025-12-31_20260101T013000" / "tanhuan.duckdb").write_bytes(b"half a file")
    (own_copy.published / ".building-link").symlink_to("2025-12-31_20260101T013000")
    publication = publish(KEY, own_copy)
    assert {p.name for p in own_copy.published.iterdir()} == {"current", publication.version}


def test_a_version_of_the_same_second_stands_in_nobodys_way(own_copy: Settings) -> None:
    taken = [f"{KEY}_{now() + dt.timedelta(seconds=n):%Y%m%dT%H%M%S}" for n in range(5)]
    for version in taken:
        (own_copy.published / version).mkdir(parents=True)
        (own_copy.published / version / "manifest.json").write_text("of another publication", "utf-8")
    publication = publish(KEY, own_copy)
    assert publication.version not in taken
    for version in taken:
        assert (own_copy.published / version / "manifest.json").read_text("utf-8") == "of another publication"
