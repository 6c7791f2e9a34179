"""Freeze a point of a plan from the current publication: built under a temporary name, synced, made read-only, renamed.

Whatever a reader needs to understand the assessment without this system is in the folder: figures as Parquet and as one
DuckDB file, evidence, the gates' answers, the rules as CSV.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tanhuan import ledger
from tanhuan.assess.archive import (
    DATABASE,
    KIND,
    MANIFEST,
    Freeze,
    archive_folder,
    hash_file,
    hash_files,
    hash_whole,
    list_freezes,
)
from tanhuan.duck import open_memory, quote
from tanhuan.errors import TanhuanError
from tanhuan.files import sync_tree, write_json
from tanhuan.settings import Settings, now
from tanhuan.warehouse.before import Before, find_before
from tanhuan.warehouse.build import hash_rules
from tanhuan.warehouse.publish import STORAGE_VERSION

log = logging.getLogger(__name__)

_BUILDING = ".building-"
_SQL = Path(__file__).parent / "sql"
_READ_ONLY_FILE, _READ_ONLY_FOLDER = 0o444, 0o555

_REDUCTIONS = ("cod", "nh3n", "vocs", "nox")
#: frozen table → what is taken of the publication; $plan, $point and $due are those of the request
_TABLES = {
    "ind_plan_indicator": "from pub.ind_plan_indicator where plan_id = $plan and assessment_point = $point",
    # What led there: the figures of earlier points as they stood on the day of the freeze.
    "ind_plan_indicator_path": "from pub.ind_plan_indicator where plan_id = $plan and due_date <= $due",
    "ind_plan_verdict": "from pub.ind_plan_verdict where plan_id = $plan and assessment_point = $point",
    "ind_plan_commitment": "from pub.ind_plan_commitment where plan_id = $plan",
    "ind_plan_note": "from pub.ind_plan_note where plan_id = $plan",
    "ind_plan_evidence": "from pub.ind_plan_evidence where plan_id = $plan",
    "dim_indicator": "from pub.dim_indicator where plan_id = $plan",
    "dim_region": "from pub.dim_region",
    **{f"mart_reduction_{p}": f"from pub.mart_reduction_{p}" for p in _REDUCTIONS},
    "mart_reduction_project": "from pub.mart_reduction_project",
    "mart_air_period": "from pub.mart_air_period",
    "mart_water_period": "from pub.mart_water_period",
    # The answers that stood when the version was published.
    "ops_gate_result": (
        "from pub.ops_gate_result qualify recorded_at = max(recorded_at) over (partition by gate, table_name)"
    ),
    "ops_reconciliation": (
        "from pub.ops_reconciliation where night_date = (select max(night_date) from pub.ops_reconciliation)"
    ),
}


@dataclass(frozen=True)
class Request:
    """What somebody asks to be frozen. `revise`: why a point that is frozen already is frozen once more."""

    point: str
    plan_id: str = "14"
    note: str | None = None
    revise: str | None = None
    who: str | None = None


@dataclass(frozen=True)
class PlanPoint:
    """An assessment point of a plan: MID_2023, its year, and the day it falls due."""

    name: str
    year: int
    due: dt.date

    @classmethod
    def of(cls, frozen: Freeze) -> PlanPoint:
        """Return the point that was frozen."""
        return cls(frozen.point, int(frozen.manifest["year"]), dt.date.fromisoformat(frozen.manifest["due_date"]))


def freeze(request: Request, settings: Settings) -> Freeze:
    """Freeze an assessment point from the current publication.

    Raises:
        TanhuanError: nothing is published; the point is unknown, not due, or frozen already; a table is missing; the
            rules on disk are not those of the publication.
    """
    source = find_before(settings)
    if source is None:
        raise TanhuanError(f"Nothing is published under {settings.published} yet.", "run `tanhuan night` first.")
    with open_memory() as con:
        con.execute(f"attach {quote(source.path / 'tanhuan.duckdb')} as pub (read_only)")
        check_tables(con, source)
        point = find_point(con, request.plan_id, request.point, source)
        number = _choose_number(request, settings)
        _check_rules(source, settings)
        folder = archive_folder(settings) / request.plan_id / point.name
        target = folder / str(number)
        _remove_leftovers(folder)
        building = folder / f"{_BUILDING}{number}"
        building.mkdir(parents=True)
        con.execute(f"attach {quote(building / DATABASE)} as out (storage_version '{STORAGE_VERSION}')")
        take_tables(con, request.plan_id, point, source)
        tables = _write_parquet(con, building)
        facts = _read_facts(con, request)
    _copy_rules(building, source, settings)
    files = hash_files(building)
    manifest = {
        "plan_id": request.plan_id,
        "assessment_point": point.name,
        "freeze_no": number,
        "year": point.year,
        "due_date": point.due.isoformat(),
        "frozen_at": now().isoformat(),
        "frozen_by": request.who,
        "note": request.note,
        "reason": request.revise,
        "as_of": source.manifest["as_of"],
        "source_version": source.version,
        "source_content_hash": source.manifest["content_hash"],
        "source_published_at": source.manifest.get("published_at"),
        "rules_digest": source.manifest["rules_digest"],
        "code_revision": source.manifest.get("code_revision"),
        "storage_version": STORAGE_VERSION,
        **facts,
        "tables": tables,
        "files": files,
        "content_hash": hash_whole(files),
    }
    write_json(building / MANIFEST, manifest)
    _close(building)
    _appear(building, target)
    _record(Freeze(target, manifest), settings)
    log.info("froze %s/%s/%d from %s", request.plan_id, point.name, number, source.version)
    return Freeze(target, manifest)


def check_tables(con: duckdb.DuckDBPyConnection, source: Before) -> None:
    """Refuse a publication that lacks a table an assessment must hold."""
    found = con.execute("select table_name from duckdb_tables() where database_name = 'pub'").fetchall()
    there = {name for (name,) in found}
    needed = {statement.split()[1].removeprefix("pub.") for statement in _TABLES.values()}
    if missing := sorted(needed - there):
        raise TanhuanError(
            f"The published version {source.version} lacks {', '.join(missing)}, which an assessment must hold.",
            "let a night publish a whole version with the rules of today, then freeze again.",
        )


def list_points(con: duckdb.DuckDBPyConnection, plan_id: str) -> dict[str, PlanPoint]:
    """Return the points of a plan that the publication attached as `pub` has figures of, in order of time."""
    rows = con.execute(
        "select assessment_point, min(year), max(due_date) from pub.ind_plan_indicator where plan_id = $1 "
        "group by all order by 3, 1",
        [plan_id],
    ).fetchall()
    return {row[0]: PlanPoint(*row) for row in rows}


def find_point(con: duckdb.DuckDBPyConnection, plan_id: str, name: str, source: Before) -> PlanPoint:
    """Return a point of a plan that is due.

    Raises:
        TanhuanError: plan or point are unknown, or the point is not due at the date of the publication.
    """
    known = list_points(con, plan_id)
    if not known:
        plans = con.execute("select distinct plan_id from pub.ind_plan_indicator order by 1").fetchall()
        raise TanhuanError(
            f"No plan {plan_id!r} is published.", f"choose one of {', '.join(p for (p,) in plans)} with --plan."
        )
    point = known.get(name)
    if point is None:
        raise TanhuanError(f"Plan {plan_id} has no assessment point {name!r}.", f"choose one of {', '.join(known)}.")
    if point.due > source.as_of:
        raise TanhuanError(
            f"{point.name} falls due on {point.due}, the published figures reach to {source.as_of}: it is not due.",
            f"wait for a version as of {point.due} or later.",
        )
    return point


def _choose_number(request: Request, settings: Settings) -> int:
    earlier = list_freezes(settings, request.plan_id, request.point)
    if earlier and not (request.revise or "").strip():
        last = earlier[-1]
        raise TanhuanError(
            f"{last.name} was frozen at {last.manifest['frozen_at']} and stays as it is.",
            "if it must be assessed anew, say why with --revise REASON: that is kept beside the first.",
        )
    if request.revise and not earlier:
        raise TanhuanError(
            f"{request.plan_id}/{request.point} has not been frozen, so there is nothing to revise.",
            "freeze it without --revise.",
        )
    return earlier[-1].number + 1 if earlier else 1


def _check_rules(source: Before, settings: Settings) -> None:
    if hash_rules(settings.dbt_project) != source.manifest["rules_digest"]:
        raise TanhuanError(
            f"The rules in dbt_project/ are not those that {source.version} was made with.",
            "publish with the rules of today (`tanhuan rebuild` or the next night), then freeze.",
        )


def take_tables(con: duckdb.DuckDBPyConnection, plan_id: str, point: PlanPoint, source: Before) -> None:
    """Make the tables of an assessment in the database attached as `out`, from the publication attached as `pub`.

    Raises:
        TanhuanError: a table or column is missing; the sentence names it.
    """
    check_tables(con, source)
    given = {"plan": plan_id, "point": point.name, "due": point.due}
    con.execute("begin")
    try:
        for name, statement in _TABLES.items():
            used = {key: value for key, value in given.items() if f"${key}" in statement}
            con.execute(f"create table out.main.{name} as select * {statement} order by all", used)
            _copy_comments(con, statement.split()[1].removeprefix("pub."), name)
        con.execute(f"create table out.main.evidence_indicator as {(_SQL / 'evidence.sql').read_text('utf-8')}")
    except duckdb.BinderException as lacking:
        raise TanhuanError(
            f"The published version {source.version} lacks a column that an assessment must hold: "
            f"{str(lacking).splitlines()[0]}",
            "let a night publish a whole version with the rules of today, then try again.",
        ) from lacking
    con.execute("commit")


def _write_parquet(con: duckdb.DuckDBPyConnection, building: Path) -> dict[str, dict[str, Any]]:
    (building / "parquet").mkdir()
    found = con.execute("select table_name from duckdb_tables() where database_name = 'out' order by 1").fetchall()
    tables = {}
    for (name,) in found:
        con.execute(
            f"copy (from out.main.{name}) to {quote(building / 'parquet' / f'{name}.parquet')} "
            "(format parquet, compression zstd)"
        )
        [(rows,)] = con.execute(f"select count(*) from out.main.{name}").fetchall()
        tables[name] = {"rows": rows}
    con.execute("checkpoint out")
    return tables


def _copy_comments(con: duckdb.DuckDBPyConnection, source: str, name: str) -> None:
    told = con.execute(
        "select column_name, comment from duckdb_columns() "
        "where database_name = 'pub' and table_name = $1 and comment is not null",
        [source],
    ).fetchall()
    for column, comment in told:
        con.execute(f'comment on column out.main.{name}."{column}" is {quote(comment)}')


def _read_facts(con: duckdb.DuckDBPyConnection, request: Request) -> dict[str, Any]:
    """Return what the list of assessments tells of one without opening it."""
    basis = con.execute("select distinct data_basis from out.ind_plan_indicator order by 1").fetchall()
    verdicts = con.execute(
        "select verdict from out.ind_plan_verdict where region_code in "
        "(select region_code from out.dim_region where level = 'city') order by 1"
    ).fetchall()
    gates = con.execute(
        "select gate, count(*), count(*) filter (not passed) from out.ops_gate_result group by gate order by gate"
    ).fetchall()
    [(compared, apart)] = con.execute(
        "select count(*), count(*) filter (not is_within) from out.ops_reconciliation"
    ).fetchall()
    statuses = con.execute(
        "select status, count(*) from out.ind_plan_indicator where region_code in "
        "(select region_code from out.dim_region where level = 'city') group by status order by status"
    ).fetchall()
    return {
        "verdict": verdicts[0][0] if verdicts else None,
        "data_basis": [row[0] for row in basis],
        "statuses": dict(statuses),
        "gates": {gate: {"checks": checks, "not_passed": failed} for gate, checks, failed in gates},
        "reconciliation": {"compared": compared, "apart": apart},
    }


def _copy_rules(building: Path, source: Before, settings: Settings) -> None:
    shutil.copytree(settings.dbt_project / "seeds", building / "rules", ignore=_all_but_seeds)
    shutil.copyfile(source.path / MANIFEST, building / "publication.json")


def _all_but_seeds(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".csv") and not (Path(folder) / name).is_dir()]


def _close(building: Path) -> None:
    """Sync everything and take away the right to write, before anybody can see it."""
    sync_tree(building)
    for path in sorted(building.rglob("*"), reverse=True):
        path.chmod(_READ_ONLY_FOLDER if path.is_dir() else _READ_ONLY_FILE)
    building.chmod(_READ_ONLY_FOLDER)


def _appear(building: Path, target: Path) -> None:
    try:
        building.rename(target)
    except OSError as taken:
        _remove(building)
        raise TanhuanError(
            f"{target} has been frozen meanwhile by somebody else.", "look at it with `tanhuan assess --list`."
        ) from taken
    sync_tree(target.parent)


def _record(frozen: Freeze, settings: Settings) -> None:
    kept = ("plan_id", "assessment_point", "freeze_no", "frozen_at", "frozen_by", "note", "reason", "source_version")
    event = {
        "name": frozen.name,
        **{key: frozen.manifest[key] for key in (*kept, "content_hash")},
        "manifest_sha256": hash_file(frozen.path / MANIFEST),
    }
    ledger.record(KIND, _name_event(frozen), event, settings)


def record_unrecorded(settings: Settings) -> list[str]:
    """Write the ledger's events of freezes whose process died between the rename and the ledger; return their names."""
    known = set(ledger.list_names(KIND, settings))
    lost = [frozen for frozen in list_freezes(settings) if _name_event(frozen) not in known]
    for frozen in lost:
        _record(frozen, settings)
    return [frozen.name for frozen in lost]


def _name_event(frozen: Freeze) -> str:
    stamp = dt.datetime.fromisoformat(frozen.manifest["frozen_at"])
    return f"{stamp:%Y%m%dT%H%M%S}-{frozen.plan_id}-{frozen.point}-{frozen.number}"


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed freeze left behind; nobody has ever seen it."""
    for path in folder.glob(f"{_BUILDING}*"):
        _remove(path)


def _remove(folder: Path) -> None:
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        path.chmod(0o755)
    shutil.rmtree(folder)
