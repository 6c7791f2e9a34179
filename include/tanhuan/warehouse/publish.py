"""The publication: a directory that nobody has seen before, then one link switched. Readers never meet a lock.

`published/<version>/` holds `tanhuan.duckdb`, `parquet/`, `manifest.json` and `changes.json` (what differs from the
version before, and why); `published/current` points to the newest. A version, once there, is not changed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.assess.archive import archive_folder
from tanhuan.duck import open_warehouse
from tanhuan.files import sync_tree, write_json
from tanhuan.settings import Settings, now
from tanhuan.warehouse.before import find_before
from tanhuan.warehouse.build import hash_rules
from tanhuan.warehouse.change_report import describe_changes
from tanhuan.warehouse.changes import ensure_changes, list_left_out
from tanhuan.warehouse.lineage import describe_rules
from tanhuan.warehouse.load import list_missing_tables
from tanhuan.warehouse.ops import sync_ops

log = logging.getLogger(__name__)

#: the newest storage format that drivers before DuckDB 2.0 open
STORAGE_VERSION = "v1.4.0"
_BUILDING = ".building-"
#: a night's deadline looks no further back than this for its own publication
_NIGHTS_LOOKED_BACK = 30


@dataclass(frozen=True)
class Publication:
    """A published version: where it lies, its content hash and the feed tables that had not arrived."""

    version: str
    path: Path
    content_hash: str
    missing: list[str]


def publish(key: dt.date, settings: Settings) -> Publication:
    """Publish the marts as they stand in the warehouse under a new version and switch readers to it."""
    stamp = now()
    with open_warehouse(settings, read_only=True) as con:
        as_of = _read_as_of(con)
    version = _name_version(as_of, stamp, settings)
    _remove_leftovers(settings)
    building = settings.published / f"{_BUILDING}{version}"
    (building / "parquet").mkdir(parents=True)
    missing = list_missing_tables(key, settings)
    before = find_before(settings)
    ensure_changes(settings)
    with open_warehouse(settings) as con:
        sync_ops(con, settings)
        tables, ops = _copy_tables(con, building)
        changes = {"version": version, "as_of": as_of.isoformat(), **describe_changes(con, before)}
        left_out = list_left_out(con)
    write_json(building / "changes.json", changes)
    manifest = {
        "version": version,
        "version_before": changes["version_before"],
        "as_of": as_of.isoformat(),
        "night": key.isoformat(),
        "published_at": stamp.isoformat(),
        "content_hash": _hash_all(tables),
        "tables": tables,
        "ops": ops,
        "missing_tables": missing,
        # Admitted after this version's load step: they explain what the next version changes.
        "loads_left_out": left_out,
        "changes": changes["total"],
        "rules_digest": hash_rules(settings.dbt_project),
        "rules": describe_rules(settings),
        "code_revision": _read_revision(settings.project_root),
        "storage_version": STORAGE_VERSION,
        "duckdb": duckdb.__version__,
    }
    write_json(building / "manifest.json", manifest)
    sync_tree(building)
    target = settings.published / version
    building.rename(target)
    _switch(settings.published / "current", version)
    _record(manifest, settings)
    _remove_old(settings)
    log.info("published %s: %d tables, content %s", version, len(tables), manifest["content_hash"])
    return Publication(version, target, str(manifest["content_hash"]), missing)


def _name_version(as_of: dt.date, stamp: dt.datetime, settings: Settings) -> str:
    """Return a name that no version has yet: date of the figures, then the second of the publication or the next."""
    while (settings.published / (version := f"{as_of.isoformat()}_{stamp:%Y%m%dT%H%M%S}")).exists():
        stamp += dt.timedelta(seconds=1)
    return version


def is_complete(key: dt.date, settings: Settings) -> bool:
    """Tell whether a night has been published with every feed table in it."""
    latest = itertools.islice(ledger.read_last("publications", settings), _NIGHTS_LOOKED_BACK)
    return any(event["night"] == key.isoformat() and not event["missing"] for event in latest)


def _copy_tables(con: duckdb.DuckDBPyConnection, building: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Copy marts and ops tables into `tanhuan.duckdb` and Parquet; return their manifest entries.

    The content hash does not depend on the order of rows. The night's own `ops_` tables have none: they tell of runs,
    and no two runs are the same.
    """
    con.execute(f"attach '{building / 'tanhuan.duckdb'}' as out (storage_version '{STORAGE_VERSION}')")
    # One transaction: hundreds of comments are otherwise as many commits.
    con.execute("begin")
    tables: dict[str, Any] = {}
    ops: dict[str, int] = {}
    for schema, name in con.execute(
        """
        select schema_name, table_name from duckdb_tables() where database_name = current_database()
        and (schema_name = 'main' or (schema_name = 'ops' and table_name like 'ops\\_%' escape '\\'))
        union all
        select 'ops', unnest(['ops_freshness', 'ops_assessment_change'])
        order by table_name
        """
    ).fetchall():
        con.execute(f"create table out.main.{name} as select * from {schema}.{name} order by all")
        con.execute(
            f"copy (from out.main.{name}) to '{building / 'parquet' / name}.parquet' (format parquet, compression zstd)"
        )
        _copy_comments(con, schema, name)
        if schema == "ops":
            ops[name] = _count(con, name)
        else:
            tables[name] = _describe(con, name)
    con.execute("commit")
    con.execute("checkpoint out")
    con.execute("detach out")
    return tables, ops


def _copy_comments(con: duckdb.DuckDBPyConnection, schema: str, name: str) -> None:
    database = con.execute("select current_database()").fetchone()
    assert database is not None
    where = [database[0], schema, name]
    kind = con.execute(
        "select comment from duckdb_tables() where database_name = $1 and schema_name = $2 and table_name = $3 "
        "union all select comment from duckdb_views() where database_name = $1 and schema_name = $2 and view_name = $3",
        where,
    ).fetchone()
    comments = [(f"table out.main.{name}", kind[0])] if kind else []
    comments += [
        (f'column out.main.{name}."{column}"', comment)
        for column, comment in con.execute(
            "select column_name, comment from duckdb_columns() "
            "where database_name = $1 and schema_name = $2 and table_name = $3",
            where,
        ).fetchall()
    ]
    for what, comment in comments:
        if comment:
            con.execute(f"comment on {what} is '{comment.replace(chr(39), chr(39) * 2)}'")


def _read_as_of(con: duckdb.DuckDBPyConnection) -> dt.date:
    found = con.execute("select as_of from raw.night").fetchone()
    assert found is not None, "the warehouse has no night: load_lake comes first"
    return dt.date.fromisoformat(str(found[0]))


def _count(con: duckdb.DuckDBPyConnection, name: str) -> int:
    found = con.execute(f"select count(*) from out.main.{name}").fetchone()
    assert found is not None
    return int(found[0])


def _describe(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    columns = [row[0] for row in con.execute(f"describe out.main.{name}").fetchall()]
    basis = "list(distinct data_basis order by data_basis)" if "data_basis" in columns else "[]"
    found = con.execute(
        f"select count(*), bit_xor(md5_number(t::varchar)), {basis} from out.main.{name} as t"
    ).fetchone()
    assert found is not None
    rows, content, kinds = found
    # Twin rows would cancel each other out; the grain tests of dbt see to it that there are none.
    digest = hashlib.sha256(f"{columns}{rows}{content}".encode()).hexdigest()
    return {"rows": rows, "content_hash": digest, "data_basis": kinds}


def _hash_all(tables: dict[str, Any]) -> str:
    return hashlib.sha256("".join(f"{n}{t['content_hash']}" for n, t in sorted(tables.items())).encode()).hexdigest()


def _read_revision(root: Path) -> str | None:
    """Return the checkout's revision, None where the code runs without one (an image)."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return None
    answer = subprocess.run(  # noqa: S603 - fixed arguments
        [git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None


def _switch(link: Path, version: str) -> None:
    """Point readers to a version in one step; those who have the old one open keep it."""
    temporary = link.with_name(f"{_BUILDING}link")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(version)
    temporary.replace(link)


def _record(manifest: dict[str, Any], settings: Settings) -> None:
    event = {
        "version": manifest["version"],
        "as_of": manifest["as_of"],
        "night": manifest["night"],
        "published_at": manifest["published_at"],
        "content_hash": manifest["content_hash"],
        "tables": len(manifest["tables"]),
        "missing": manifest["missing_tables"],
    }
    ledger.record("publications", manifest["version"], event, settings)


def _remove_leftovers(settings: Settings) -> None:
    """Remove what a killed publication left behind; no reader has ever seen it."""
    for path in settings.published.glob(f"{_BUILDING}*"):
        path.unlink() if path.is_symlink() else shutil.rmtree(path)


def _remove_old(settings: Settings) -> None:
    # Frozen assessments lie beside the versions; they are none, and stay for ever.
    kept = archive_folder(settings)
    versions = sorted(
        (p for p in settings.published.iterdir() if p.is_dir() and not p.is_symlink() and p != kept),
        key=lambda p: p.name.rpartition("_")[2],
    )
    for path in versions[: -settings.publications_kept]:
        shutil.rmtree(path)
