"""Reconciliations: two ways to one figure, compared. Read from `expectations/reconciliation/*.yml`, asked by gate 2.

A reconciliation either sets two queries side by side (`key`, `left`, `right`, `tolerance`) or names the rows that must
not be (`failing`). DuckDB writes both sides down once; Great Expectations judges what was written, with the suite of
the mart that it is about, and the same rows are published as `ops_reconciliation`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

import duckdb
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tanhuan.duck import quote
from tanhuan.errors import PublicationRefused, TanhuanError
from tanhuan.gates.checks import Action, Check
from tanhuan.gates.suites import Suite
from tanhuan.settings import Settings

_ACTIONS: dict[str, Action] = {"refuse_publication": "refuse_batch", "flag": "flag"}
_SEVERITIES = {"refuse_publication": "critical", "flag": "warning"}
#: decimals of the figures that a person reads; finer differences are noise of the addition
_DECIMALS = 6
#: libyaml's loader where it was built in: ten times quicker, and these files are read in every night
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: keys of one reconciliation that are kept as evidence, those furthest apart first; all are judged
_KEPT = 200


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Side(_Strict):
    """One way to the figure: what it is called, and the query that gives the key columns and `value`."""

    zh: str
    en: str
    sql: str


class Tolerance(_Strict):
    """How far two figures may lie apart: the greater of `absolute` and `relative` × the right figure."""

    absolute: Decimal = Field(default=Decimal(0), ge=0)
    relative: Decimal = Field(default=Decimal(0), ge=0)


class Reconciliation(_Strict):
    """One reconciliation.

    `table` is the mart it is about. `missing` says what it means when only one side knows a key or its figure. SQL sees
    the whole warehouse read-only: published tables by name, others as `staging.…`, `intermediate.…`, `rules.…`,
    `raw.…`, `ops.…`. `$night` is the date of the night, a constant: the newest days are found without reading history.
    """

    id: str = Field(pattern=r"^REC-[A-Z0-9]{2,4}-\d{3}$")
    table: str
    zh: str
    en: str
    source: str
    action: Literal["refuse_publication", "flag"]
    severity: Literal["critical", "warning", "info"] | None = None
    key: list[str] = []
    left: Side | None = None
    right: Side | None = None
    tolerance: Tolerance = Tolerance()
    missing: Literal["refuse", "ignore"] = "refuse"
    failing: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Reconciliation:
        compares = bool(self.key and self.left and self.right)
        assert compares != bool(self.failing), f"{self.id}: give either key, left and right, or failing"
        assert compares or not (self.key or self.left or self.right), f"{self.id}: failing stands alone"
        return self


class _File(_Strict):
    reconciliations: list[Reconciliation]


def load_reconciliations(settings: Settings) -> list[Reconciliation]:
    """Read all reconciliations, by file and in the order written.

    Raises:
        TanhuanError: a file is not as it must be, or an id is given twice; the sentence names both.
    """
    found = [r for path in sorted((settings.expectations / "reconciliation").glob("*.yml")) for r in _read_file(path)]
    twice = sorted(name for name, count in Counter(r.id for r in found).items() if count > 1)
    if twice:
        raise TanhuanError(
            f"expectations/reconciliation gives these ids twice: {', '.join(twice)}.", "give each a number of its own."
        )
    return found


def _read_file(path: Path) -> list[Reconciliation]:
    try:
        found = yaml.load(path.read_bytes(), Loader=_Loader)  # noqa: S506 - the safe loader, built in C or not
        return _File.model_validate(found).reconciliations
    except ValidationError as exc:
        raise TanhuanError(f"{path.name} is no file of reconciliations: {exc}", f"mend {path}.") from exc


@dataclass(frozen=True)
class Compared:
    """A reconciliation of a night and the Parquet file of what it found."""

    reconciliation: Reconciliation
    path: Path


def compare(
    con: duckdb.DuckDBPyConnection, reconciliations: list[Reconciliation], night: dt.date, folder: Path
) -> list[Compared]:
    """Write what each reconciliation finds in the warehouse into a Parquet file of its own.

    Raises:
        PublicationRefused: a query cannot be run; the sentence names the reconciliation.
    """
    found = [Compared(r, folder / f"{r.id}.parquet") for r in reconciliations]
    for one in found:
        try:
            con.execute(f"copy ({select_rows(one.reconciliation, night)}) to {quote(one.path)} (format parquet)")
        except duckdb.Error as exc:
            raise PublicationRefused(
                f"gate 2 refused the publication of {night}: {one.reconciliation.id} cannot be asked: {exc}",
                "mend its query in expectations/reconciliation/ or the model it names, then clear `gate`.",
            ) from exc
    return found


def keep_evidence(
    con: duckdb.DuckDBPyConnection, compared: list[Compared], night: dt.date, recorded_at: dt.datetime, path: Path
) -> None:
    """Write the rows of `ops_reconciliation` into one Parquet file: those that fail, and the widest of the rest."""
    if not compared:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = " union all ".join(_select_evidence(one) for one in compared)
    con.execute(
        f"copy (select date '{night.isoformat()}' as night_date, *, "
        f"timestamptz '{recorded_at.isoformat()}' as recorded_at from ({parts})) "
        f"to {quote(path)} (format parquet, compression zstd)"
    )


def _select_evidence(one: Compared) -> str:
    r, rows = one.reconciliation, f"read_parquet({quote(one.path)})"
    left, right = (quote(f"{side.zh} {side.en}" if side else None) + "::varchar" for side in (r.left, r.right))
    identity = f"'{r.id}' as reconciliation_id, '{r.table}' as table_name"
    if r.failing:
        key, order = "to_json(found)", ""
        figures = ["null::double"] * 4 + ["false"]
    else:
        key = "to_json(struct_pack({}))".format(", ".join(f'"{name}" := "{name}"' for name in r.key))
        order = "order by within, abs(difference) desc nulls first"
        figures = ["left_value", "right_value", "difference", "tolerance", "within"]
    columns = zip(figures, ("left_value", "right_value", "difference", "tolerance", "is_within"), strict=True)
    return (
        f"(select {identity}, {key}::varchar as row_key, {left} as left_name, {right} as right_name, "
        f"{', '.join(f'{figure} as {name}' for figure, name in columns)} from {rows} as found {order} limit {_KEPT})"
    )


def add_reconciliations(suites: list[Suite], compared: list[Compared]) -> list[Suite]:
    """Return the suites with each reconciliation added to that of its table.

    Raises:
        TanhuanError: a reconciliation is about a table that has no suite.
    """
    lost = [c.reconciliation for c in compared if c.reconciliation.table not in {s.table for s in suites}]
    if lost:
        names = ", ".join(f"{r.id} ({r.table})" for r in lost)
        raise TanhuanError(
            f"no suite in expectations/mart/ for {names}.",
            "name the published table that it is about, or add its suite.",
        )
    return [_complete(s, [c for c in compared if c.reconciliation.table == s.table]) for s in suites]


def _complete(suite: Suite, compared: list[Compared]) -> Suite:
    rules = "".join(c.reconciliation.model_dump_json() for c in compared)
    digest = hashlib.sha256((suite.digest + rules).encode()).hexdigest()
    return Suite(suite.name, suite.table, (*suite.checks, *map(as_check, compared)), digest)


def as_check(compared: Compared) -> Check:
    """Return a reconciliation as a check that Great Expectations can answer: rows in its file that fail."""
    r = compared.reconciliation
    zh, en, severity = r.zh, r.en, r.severity or _SEVERITIES[r.action]
    if r.left and r.right:
        zh += f"（left_value：{r.left.zh}；right_value：{r.right.zh}）"
        en += f" (left_value: {r.left.en}; right_value: {r.right.en})"
    rows = f"read_parquet({quote(compared.path)})"
    failing = (
        f"SELECT * FROM {rows}"
        if r.failing
        else f"SELECT * EXCLUDE (within) FROM {rows} WHERE NOT within ORDER BY abs(difference) DESC NULLS FIRST"
    )
    expectation = {
        "type": "unexpected_rows_expectation",
        # Great Expectations wants every query to name its batch; a relation that nothing reads costs nothing.
        "kwargs": {"unexpected_rows_query": f"WITH about AS (SELECT * FROM {{batch}}) {failing}"},
        "severity": severity,
        "meta": {"id": r.id},
    }
    return Check(r.id, "batch", _ACTIONS[r.action], severity, zh, en, r.source, expectation)


def select_rows(reconciliation: Reconciliation, night: dt.date) -> str:
    """Return the query of the rows that fail, or of every key with both figures and whether they agree."""
    r = reconciliation
    if r.failing:
        return _of_night(r.failing, night)
    assert r.left is not None, f"{r.id} has no left side"
    assert r.right is not None, f"{r.id} has no right side"
    keys = ", ".join(f'"{name}"' for name in r.key)
    # Two unknown figures agree; one that only one side knows is a matter of `missing`.
    one_sided = str(r.missing == "ignore").lower()
    return f"""
        select {keys}, left_value, right_value,
            round(left_value - right_value, {_DECIMALS}) as difference,
            greatest({r.tolerance.absolute}, {r.tolerance.relative} * abs(right_value)) as tolerance,
            case
                when left_value is null and right_value is null then true
                when left_value is null or right_value is null then {one_sided}
                else abs(difference) <= tolerance
            end as within
        from (select {keys}, value::double as left_value from ({_of_night(r.left.sql, night)})) as left_side
        full join (select {keys}, value::double as right_value from ({_of_night(r.right.sql, night)})) as right_side
            using ({keys})
    """


def _of_night(sql: str, night: dt.date) -> str:
    """Return the query of a night so that it may stand in brackets, even if its last line is a comment."""
    return sql.strip().rstrip(";").replace("$night", f"date '{night.isoformat()}'") + "\n"
