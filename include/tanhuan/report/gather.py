"""What a report tells, in one shape: read from a frozen assessment or, as a draft, from the current publication."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tanhuan.assess.archive import DATABASE, Freeze, list_freezes
from tanhuan.assess.freeze import PlanPoint, find_point, list_points, take_tables
from tanhuan.duck import open_memory, quote
from tanhuan.errors import TanhuanError
from tanhuan.report.words import BASIS_ZH, DRAFT_ZH, is_synthetic, name_point
from tanhuan.settings import Settings
from tanhuan.warehouse.before import Before, find_before

Row = dict[str, Any]
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Assessment:
    """Everything a report tells. `frozen` is None for a draft; `compared` is empty for one."""

    plan_id: str
    plan_zh: str
    region_code: str
    point: PlanPoint
    version: str
    as_of: str
    content_hash: str
    code_revision: str | None
    rules_digest: str
    frozen: Freeze | None
    now_version: str | None
    #: when what is told here was frozen or, of a draft, published
    stamp: str
    verdicts: list[Row]
    indicators: list[Row]
    path: dict[int, list[Row]]
    evidence: dict[tuple[int, str], Row]
    documents: list[Row]
    reductions: list[Row]
    projects: list[Row]
    commitments: list[Row]
    notes: list[Row]
    compared: list[Row]
    formulas: dict[int, Row]
    status_zh: dict[str, str]
    gates: list[Row] = field(default_factory=list)

    @property
    def lead(self) -> list[Row]:
        """The indicators of the region that the plan is for, in the plan's order."""
        return [row for row in self.indicators if row["region_code"] == self.region_code]

    @property
    def categories(self) -> list[str]:
        """The plan's groups of indicators, in its order."""
        return list(dict.fromkeys(row["category"] for row in self.lead))

    @property
    def is_synthetic(self) -> bool:
        """Whether any figure rests on invented rows."""
        told = (self.indicators, self.reductions, self.commitments, *self.path.values())
        return any(is_synthetic(row["data_basis"]) for rows in told for row in rows)

    @property
    def verdict(self) -> Row | None:
        """The overall verdict of the region that the plan is for."""
        return next((row for row in self.verdicts if row["region_code"] == self.region_code), None)

    @property
    def title(self) -> str:
        """What the report is called."""
        return f"{self.plan_zh} {name_point(self.point.name, self.point.year)}"

    @property
    def state_zh(self) -> str:
        """Whether this is a frozen assessment or a draft, in a sentence."""
        if self.frozen is None:
            return f"{DRAFT_ZH}：数值随每夜发布而变，不得作为考核依据引用。"
        reason = f"，修订事由：{self.frozen.manifest['reason']}" if self.frozen.manifest["reason"] else ""
        return f"已冻结：第 {self.frozen.number} 次，冻结于 {self.stamp[:16].replace('T', ' ')}{reason}。"

    @property
    def state_en(self) -> str:
        """The same in English."""
        if self.frozen is None:
            return "Draft, not frozen: the figures change with every night's publication and may not be quoted."
        return f"Frozen, number {self.frozen.number}, at {self.stamp[:16].replace('T', ' ')}."

    def others(self, indicator_no: int) -> list[Row]:
        """Return an indicator's rows of the other regions, the counties."""
        found = (r for r in self.indicators if r["indicator_no"] == indicator_no)
        return [row for row in found if row["region_code"] != self.region_code]

    def in_category(self, category: str) -> list[Row]:
        """Return a group's rows of every region, indicator by indicator."""
        return [row for row in self.indicators if row["category"] == category]

    def count_statuses(self, attribute: str | None = None) -> dict[str, int]:
        """Count the plan's indicators by status, all or those of an attribute."""
        counts: dict[str, int] = {}
        for row in self.lead:
            if attribute in (None, row["attribute"]):
                counts[row["status"]] = counts.get(row["status"], 0) + 1
        return counts

    def describe_basis(self) -> str:
        """Return in a sentence on what kinds of data the figures rest."""
        counts: dict[str, int] = {}
        for row in self.lead:
            counts[row["data_basis"]] = counts.get(row["data_basis"], 0) + 1
        return "，".join(f"{BASIS_ZH.get(basis, basis)} {n} 项" for basis, n in sorted(counts.items()))


def gather(plan_id: str, point_name: str | None, number: int | None, settings: Settings) -> Assessment:
    """Read an assessment: frozen, if it is, else from the current publication.

    Raises:
        TanhuanError: nothing is published or frozen; the point or the freeze is unknown; a table is missing.
    """
    source = find_before(settings)
    point_name = point_name or _choose_point(plan_id, source, settings)
    freezes = list_freezes(settings, plan_id, point_name)
    if number is not None and number not in {f.number for f in freezes}:
        known = ", ".join(f.name for f in list_freezes(settings, plan_id)) or "none is frozen"
        raise TanhuanError(f"{plan_id}/{point_name} has no freeze {number}.", f"choose one of: {known}.")
    frozen = next((f for f in freezes if f.number == number), freezes[-1] if freezes and number is None else None)
    with _open(plan_id, point_name, frozen, source) as (con, point):
        return _read(con, plan_id, point, frozen, source, settings)


def _choose_point(plan_id: str, source: Before | None, settings: Settings) -> str:
    """Return the newest point that is due; of two on the same day the plan's own goes before the year's."""
    if source is None:
        freezes = list_freezes(settings, plan_id)
        if not freezes:
            raise TanhuanError(f"Nothing is published under {settings.published} yet.", "run `tanhuan night` first.")
        return freezes[-1].point
    with open_memory() as con:
        _attach(con, source.path / "tanhuan.duckdb", "pub")
        points = list_points(con, plan_id)
    due = [point for point in points.values() if point.due <= source.as_of]
    if not due:
        raise TanhuanError(f"No point of plan {plan_id!r} is due at {source.as_of}.", "name a plan with --plan.")
    return max(due, key=lambda p: (p.due, not p.name.startswith("ANNUAL"))).name


@contextmanager
def _open(
    plan_id: str, point_name: str, frozen: Freeze | None, source: Before | None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, PlanPoint]]:
    """Show the tables of an assessment as schema `out`, and the current publication as `now`, if there is one."""
    with open_memory() as con:
        if source is not None:
            _attach(con, source.path / "tanhuan.duckdb", "now")
        if frozen is not None:
            _attach(con, frozen.path / DATABASE, "out")
            yield con, PlanPoint.of(frozen)
            return
        if source is None:
            raise TanhuanError(
                f"{plan_id}/{point_name} is not frozen and nothing is published.", "run `tanhuan night`."
            )
        _attach(con, source.path / "tanhuan.duckdb", "pub")
        point = find_point(con, plan_id, point_name, source)
        con.execute("attach ':memory:' as out")
        take_tables(con, plan_id, point, source)
        yield con, point


def _attach(con: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    con.execute(f"attach {quote(path)} as {name} (read_only)")


def _read(
    con: duckdb.DuckDBPyConnection,
    plan_id: str,
    point: PlanPoint,
    frozen: Freeze | None,
    source: Before | None,
    settings: Settings,
) -> Assessment:
    told = frozen.manifest if frozen else source.manifest if source else {}
    rules = frozen.path / "rules" if frozen else settings.dbt_project / "seeds"
    compared = _compare(con, plan_id, frozen) if frozen and source else []
    [(lead,)] = con.execute(_read_sql("lead")).fetchall()
    path: dict[int, list[Row]] = {}
    for row in _fetch(con, _read_sql("path"), {"point": point.name, "lead": lead}):
        path.setdefault(row["indicator_no"], []).append(row)
    [(plan_zh,)] = con.execute("select any_value(plan_zh) from out.dim_indicator").fetchall()
    return Assessment(
        plan_id=plan_id,
        plan_zh=plan_zh,
        region_code=lead,
        point=point,
        version=str(told["source_version" if frozen else "version"]),
        as_of=str(told["as_of"]),
        content_hash=str(told["content_hash"]),
        code_revision=told.get("code_revision"),
        rules_digest=str(told["rules_digest"]),
        frozen=frozen,
        now_version=source.version if source else None,
        stamp=str(told["frozen_at" if frozen else "published_at"]),
        verdicts=_fetch(
            con,
            "select v.*, r.name_zh as region_zh from out.ind_plan_verdict as v "
            "left join out.dim_region as r using (region_code) order by r.level <> 'city', r.sort_no, v.region_code",
        ),
        indicators=_fetch(con, _read_sql("indicators"), {"lead": lead}),
        path=path,
        evidence={(r["indicator_no"], r["region_code"]): r for r in _fetch(con, "from out.evidence_indicator")},
        documents=_fetch(con, "from out.ind_plan_evidence where year <= $year order by all", {"year": point.year}),
        reductions=_fetch(con, _read_sql("reductions"), {"year": point.year}),
        projects=_fetch(
            con,
            "from out.mart_reduction_project where year = $year order by pollutant_id, project_id",
            {"year": point.year},
        ),
        commitments=_fetch(
            con,
            "select c.*, r.name_zh as region_zh from out.ind_plan_commitment as c "
            "left join out.dim_region as r using (region_code) order by c.commitment_id, c.region_code, c.year",
        ),
        notes=_fetch(con, "from out.ind_plan_note order by note_id"),
        compared=compared,
        formulas={int(r["indicator_no"]): r for r in _read_rule(rules, "plan_indicator_formula", plan_id)},
        status_zh={r["status"]: r["status_zh"] for r in _read_rule(rules, "assessment_cause")},
        gates=_fetch(
            con,
            "select gate, count(*) as checks, count(*) filter (not passed) as failed from out.ops_gate_result "
            "group by gate order by gate desc",
        ),
    )


def _compare(con: duckdb.DuckDBPyConnection, plan_id: str, frozen: Freeze) -> list[Row]:
    """Return every frozen figure beside the one published now, with the causes told since."""
    rows = _fetch(con, _read_sql("compared"))
    there = con.execute(
        "select 1 from duckdb_tables() where database_name = 'now' and table_name = 'ops_assessment_change'"
    ).fetchone()
    given = {"plan": plan_id, "point": frozen.point, "number": frozen.number}
    causes = {r["indicator_no"]: r["causes"] for r in _fetch(con, _read_sql("causes"), given)} if there else {}
    return [row | {"causes": causes.get(row["indicator_no"]) if row["is_restated"] else None} for row in rows]


def _fetch(con: duckdb.DuckDBPyConnection, query: str, given: dict[str, Any] | None = None) -> list[Row]:
    try:
        answer = con.execute(query, given)
    except (duckdb.BinderException, duckdb.CatalogException) as lacking:
        raise TanhuanError(
            f"The assessment lacks what the report tells: {str(lacking).splitlines()[0]}",
            "report from a version that was published with the rules of today.",
        ) from lacking
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _read_rule(folder: Path, name: str, plan_id: str | None = None) -> list[dict[str, str]]:
    path = folder / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return [row for row in csv.DictReader(handle) if plan_id in (None, row.get("plan_id"))]


def _read_sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")
