"""Corrections: known faults of a source, mended or kept out by reviewed rule, until the source mends them itself.

One YAML file each under `expectations/corrections/`. A reviewed correction acts on staged rows before the row checks,
and only on rows that show the fault it expects; when rows match and none shows it any more, it fails and asks to be
retired. A corrected row gets a hash of its own, so that a new, changed or retired correction makes it a changed row.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tanhuan.contracts import Contract, Text, get_contract, load_contracts
from tanhuan.duck import open_memory
from tanhuan.errors import TanhuanError
from tanhuan.formats.rows import PLACE, STAGED
from tanhuan.gates.checks import Check
from tanhuan.gates.results import SAMPLES, CheckResult
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import Suite, load_source_suite
from tanhuan.settings import Settings

#: what a factor may be, so that its product with any column of a contract is exact
_FACTOR_LIMIT, _FACTOR_DECIMALS = 10**9, 9
_FACTOR = "DECIMAL(18,9)"
#: what a predicate never needs; with them it could be more than one expression
_NO_EXPRESSION = re.compile(r";|--|/\*")
#: columns of a staged row that a check of a correction may not ask for: they are not there yet
_NOT_STAGED = re.compile(r"_duplicate\b|\bknown\.")

Scalar = bool | int | float | dt.datetime | dt.date | str | None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Strict):
    """Values between two ends, both included."""

    from_: Scalar = Field(alias="from")
    to: Scalar


class Correction(_Strict):
    """One correction, as its file says it; the schema is explained in expectations/corrections/README.md.

    `match` names the rows, `expected_fault` the fault that they must show: a predicate over the row's columns, or ids
    of row checks of which every one must fail. `valid_to`: the last business day (of a snapshot: night) it acts on.
    """

    id: str = Field(pattern=r"^COR-\d{4}-\d{3}$")
    table: str
    status: Literal["proposed", "reviewed", "retired"]
    action: Literal["drop", "override", "scale", "flag"]
    match: dict[str, Scalar | list[Scalar] | Range] = Field(min_length=1)
    column: str | None = None
    value: Scalar = None
    factor: Decimal | None = None
    expected_fault: str | list[str] = Field(min_length=1)
    reason: Text
    document: str = Field(min_length=1)
    proposed_by: str = Field(min_length=1)
    reviewed_by: str | None = None
    reviewed_on: dt.date | None = None
    valid_to: dt.date | None = None

    @property
    def acts(self) -> bool:
        """Whether it is in force."""
        return self.status == "reviewed"

    @model_validator(mode="after")
    def _check(self) -> Correction:
        assert self.table in load_contracts(), f"there is no table {self.table}"
        contract = get_contract(self.table)
        unknown = {*self.match, *filter(None, (self.column,))} - set(contract.names)
        assert not unknown, f"columns {', '.join(sorted(unknown))} are not in the contract of {self.table}"
        given = {"column", "value", "factor"} & self.model_fields_set
        needed = {"override": {"column", "value"}, "scale": {"column", "factor"}}.get(self.action, set())
        assert given == needed, f"action {self.action} needs {sorted(needed) or 'neither column, value nor factor'}"
        self._check_column(contract)
        self._check_review()
        return self

    def _check_column(self, contract: Contract) -> None:
        day = contract.day.column if contract.day else None
        assert self.column not in ({"data_basis", day} - {None}), (
            f"{self.column} is not to be corrected: it says what a row is, or which day it belongs to"
        )
        if self.action == "scale":
            assert self.column is not None
            kind = contract.type_of(self.column)
            assert kind.startswith(("DECIMAL", "INTEGER")), f"{self.column} is no number"
            assert self.factor, "a factor of 0 would empty the column; use override"
            fits = abs(self.factor) < _FACTOR_LIMIT and round(self.factor, _FACTOR_DECIMALS) == self.factor
            assert fits, f"a factor is less than {_FACTOR_LIMIT} and has at most {_FACTOR_DECIMALS} decimals"

    def _check_review(self) -> None:
        if self.status == "proposed":
            return
        reviewer = (self.reviewed_by or "").strip() if self.reviewed_on else ""
        assert reviewer, f"status {self.status} needs reviewed_by and reviewed_on"
        assert reviewer != self.proposed_by.strip(), "who proposes a correction does not review it"


@dataclass(frozen=True)
class Applied:
    """What a correction did to one load: how many rows it matched, on how many it acted, and up to 20 of these."""

    correction: Correction
    matched: int
    acted: int
    samples: list[str]

    @property
    def is_stale(self) -> bool:
        """Whether rows matched, but none shows the fault any more."""
        return self.matched > 0 and self.acted == 0

    @property
    def note(self) -> str:
        """What it did, as a sentence."""
        c = self.correction
        where = f" {c.column}" if c.column else ""
        return f"correction {c.id} ({c.action}{where}) acted on {self.acted} of {self.matched} matching rows"

    def as_record(self) -> dict[str, Any]:
        """Return it for the ledger."""
        c = self.correction
        return {
            **{"id": c.id, "action": c.action, "column": c.column, "matched": self.matched, "acted": self.acted},
            **{"samples": self.samples, "document": c.document, "why": c.reason.zh},
            **{"who": f"{c.proposed_by}, {c.reviewed_by}", "reviewed_on": str(c.reviewed_on)},
        }


def folder(settings: Settings) -> Path:
    """Return where corrections lie."""
    return settings.expectations / "corrections"


def load_corrections(settings: Settings) -> list[Correction]:
    """Read all corrections, by id.

    Raises:
        TanhuanError: a file is malformed; the sentence names every such file and what is wrong in it.
    """
    found, wrong = read_corrections(settings)
    if wrong:
        listed = "\n".join(f"- expectations/corrections/{name}: {what}" for name, what in wrong.items())
        raise TanhuanError(
            f"更正规则有误 {len(wrong)} corrections cannot be read:\n{listed}\n",
            "mend the files as expectations/corrections/README.md says, then `tanhuan quarantine corrections`.",
        )
    return found


def read_corrections(settings: Settings) -> tuple[list[Correction], dict[str, str]]:
    """Return the corrections that can be read, and for every other file what is wrong with it."""
    found, wrong = [], {}
    for path in sorted(folder(settings).glob("*.y*ml")):
        try:
            found.append(_read(path, settings))
        except ValidationError as refusal:
            wrong[path.name] = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in refusal.errors())
        except (yaml.YAMLError, ValueError, duckdb.Error) as refusal:
            wrong[path.name] = " ".join(str(refusal).split())
    return found, wrong


def _read(path: Path, settings: Settings) -> Correction:
    correction = Correction.model_validate(yaml.safe_load(path.read_text("utf-8")))
    if path.stem != correction.id:
        raise ValueError(f"the file is to be named {correction.id}.yml")
    contract = get_contract(correction.table)
    fault = _compile_fault(correction, load_source_suite(contract, settings))
    _try_out(correction, contract, fault)
    return correction


def _try_out(correction: Correction, contract: Contract, fault: str) -> None:
    """Let DuckDB read the predicate and all values, on no rows; raises its error."""
    columns = ", ".join(f"null::{c.type} as {c.name}" for c in contract.columns)
    match, values = _compile_match(correction, contract)
    with open_memory() as con:
        con.execute(
            f"select 1 from (select {columns}, []::varchar[] as _unfit, null::date as business_date where false) "
            f"where ({match}) and ({fault})",
            values,
        )
        if correction.action == "override":
            new, parameters = _compile_new(correction, contract)
            con.execute(f"select {new}", parameters)


def _compile_fault(correction: Correction, suite: Suite) -> str:
    """Return the predicate of a row that shows the expected fault.

    Raises:
        ValueError: it is no single expression, or names a check that a staged row cannot be asked for.
    """
    if isinstance(correction.expected_fault, str):
        text = correction.expected_fault
        statements = [] if _NO_EXPRESSION.search(text) else duckdb.extract_statements(f"select {text}")
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise ValueError("expected_fault is not one SQL expression")
        return text
    checks = {c.id: c for c in suite.at("row") if not c.needs_days}
    failing = {id_: compile_failing(checks[id_]) if id_ in checks else None for id_ in correction.expected_fault}
    unusable = [id_ for id_, predicate in failing.items() if predicate is None or _NOT_STAGED.search(predicate)]
    if unusable:
        raise ValueError(f"expected_fault: {', '.join(unusable)} are no checks of single rows of {correction.table}")
    return " and ".join(f"({predicate})" for predicate in failing.values())


def _compile_match(correction: Correction, contract: Contract) -> tuple[str, dict[str, Any]]:
    """Return the predicate of a row that a correction names, and its values; they never become SQL."""
    predicates: list[str] = []
    values: dict[str, Any] = {}
    for number, (column, wanted) in enumerate(correction.match.items()):
        kind, name = contract.type_of(column), f"m{number}"
        if isinstance(wanted, Range):
            predicates.append(f"{column} between ${name}a::{kind} and ${name}b::{kind}")
            values |= {f"{name}a": _as_text(wanted.from_), f"{name}b": _as_text(wanted.to)}
        elif isinstance(wanted, list):
            predicates.append(f"list_contains(${name}::varchar[]::{kind}[], {column})")
            values[name] = [_as_text(value) for value in wanted]
        else:
            predicates.append(f"{column} is not distinct from ${name}::varchar::{kind}")
            values[name] = _as_text(wanted)
    if correction.valid_to and contract.mode == "window":
        predicates.append("business_date <= $valid_to::varchar::date")
        values["valid_to"] = correction.valid_to.isoformat()
    return " and ".join(predicates), values


def _as_text(value: Scalar) -> str | None:
    return None if value is None else str(value)


def list_in_force(contract: Contract, night: str, settings: Settings) -> list[Correction]:
    """Return the reviewed corrections of a table that a load of this night is to meet."""
    of_table = [c for c in load_corrections(settings) if c.table == contract.table and c.acts]
    # Rows of a window have days of their own, which the match looks at.
    return [c for c in of_table if contract.mode == "window" or not c.valid_to or c.valid_to.isoformat() >= night]


def mark_suite(suite: Suite, corrections: Sequence[Correction]) -> Suite:
    """Return the suite with a hash that tells of the corrections, too.

    What is remembered of a day holds this hash: after a change of a correction, days that come again are judged anew.
    """
    if not corrections:
        return suite
    content = [c.model_dump(mode="json", exclude={"reason", "document"}) for c in corrections]
    return replace(suite, digest=hashlib.sha256(suite.digest.encode() + msgspec.json.encode(content)).hexdigest())


def list_drop_checks(applied: Sequence[Applied]) -> list[Check]:
    """Return the checks that refuse what corrections keep out."""
    return [
        _as_check(a.correction, f"list_contains(_dropped_by, '{a.correction.id}')")
        for a in applied
        if a.correction.action == "drop" and a.acted
    ]


def _as_check(correction: Correction, failing: str | None = None) -> Check:
    zh = f"更正规则（{correction.document}）：{correction.reason.zh}"
    action: Literal["refuse_row", "flag"] = "refuse_row" if correction.action == "drop" else "flag"
    place = f"expectations/corrections/{correction.id}.yml"
    return Check(correction.id, "row", action, "warning", zh, correction.reason.en, place, failing=failing)


def apply_corrections(
    con: duckdb.DuckDBPyConnection, contract: Contract, suite: Suite, corrections: Sequence[Correction]
) -> list[Applied]:
    """Correct the staged rows that show their expected fault; return what each correction did.

    Corrections act in the order of their ids, each on what the one before left. `staged` gets the column `_dropped_by`:
    ids of the corrections that keep a row out.
    """
    if any(c.action == "drop" for c in corrections):
        _rewrite(con, "*, []::varchar[] as _dropped_by", STAGED)
    return [_apply(con, contract, suite, correction) for correction in corrections]


def _apply(con: duckdb.DuckDBPyConnection, contract: Contract, suite: Suite, correction: Correction) -> Applied:
    match, values = _compile_match(correction, contract)
    fault = _compile_fault(correction, suite)
    con.execute(
        "create or replace temp table matched as "
        f"select {PLACE}, coalesce(({fault})::boolean, false) as shows from {STAGED} where {match}",
        values,
    )
    found = con.execute("select count(*), count(*) filter (shows) from matched").fetchone()
    assert found is not None
    if not found[1]:
        return Applied(correction, found[0], 0, [])
    con.execute(f"create or replace temp table hit as select {PLACE} from matched where shows")
    new, parameters = _compile_new(correction, contract)
    samples = _sample(con, correction, new, parameters)
    if correction.action != "flag":
        changed = (
            f"from (select s.*, h._ordinal is not null as _hit from {STAGED} as s left join hit as h using ({PLACE}))"
        )
        _rewrite(con, f"* exclude (_hit) replace ({_list_changes(correction, new)})", changed, parameters)
    return Applied(correction, found[0], found[1], samples)


def _compile_new(correction: Correction, contract: Contract) -> tuple[str, dict[str, Any]]:
    """Return the SQL of the corrected value and its parameter."""
    if correction.column is None:
        return "null", {}
    kind = contract.type_of(correction.column)
    if correction.action == "override":
        return f"$new::varchar::{kind}", {"new": _as_text(correction.value)}
    # Wide enough that no product overflows; whether it fits its column is another question.
    scale = kind.rpartition(",")[2].rstrip(")") if kind.startswith("DECIMAL") else "0"
    wide = f"{correction.column}::DECIMAL(38,{scale})"
    return f"try_cast({wide} * $new::varchar::{_FACTOR} as {kind})", {"new": f"{correction.factor:f}"}


def _list_changes(correction: Correction, new: str) -> str:
    mixed = f"if(_hit, hash(_row_hash, '{correction.id}', {new}), _row_hash) as _row_hash"
    if correction.action == "drop":
        return f"if(_hit, list_append(_dropped_by, '{correction.id}'), _dropped_by) as _dropped_by, {mixed}"
    column = correction.column
    others = f"list_filter(_unfit, lambda name: name <> '{column}')"
    # What has been named fits; what a factor makes too large for its column does not.
    fit = others if correction.action == "override" else f"if({new} is null, list_append({others}, '{column}'), _unfit)"
    return f"if(_hit, {new}, {column}) as {column}, if(_hit, {fit}, _unfit) as _unfit, {mixed}"


def _sample(con: duckdb.DuckDBPyConnection, correction: Correction, new: str, parameters: dict[str, Any]) -> list[str]:
    column = correction.column
    values = f"' {column} ', coalesce({column}::varchar, 'NULL'), ' → ', coalesce(({new})::varchar, 'NULL')"
    rows = con.execute(
        f"select concat(_source_file, ' row ', _source_row, {values if column else 'null'}) "
        f"from {STAGED} inner join hit using ({PLACE}) order by {PLACE} limit {SAMPLES}",
        parameters,
    ).fetchall()
    return [text for (text,) in rows]


def _rewrite(
    con: duckdb.DuckDBPyConnection, columns: str, source: str, parameters: dict[str, Any] | None = None
) -> None:
    """Make `staged` anew, whether it was a table or a view over one."""
    rows = source if source.startswith("from ") else f"from {source}"
    con.execute(f"create table corrected as select {columns} {rows}", parameters)
    [(is_view,)] = con.execute("select count(*) > 0 from duckdb_views() where view_name = $1", [STAGED]).fetchall()
    con.execute(f"drop {'view' if is_view else 'table'} {STAGED}")
    con.execute(f"alter table corrected rename to {STAGED}")


def answer_for(applied: Sequence[Applied], rows: int, is_release: bool) -> list[CheckResult]:
    """Return what the corrections did as answers of checks, failing ones first; those that met no row say nothing.

    Rows that were kept out are told by the check that refused them.
    A stale correction never keeps good rows of a night out; a person who releases rows by it is stopped.
    """
    told = [a for a in applied if a.is_stale or (a.acted and a.correction.action != "drop")]
    answers = [_answer(a, rows, is_release) for a in told]
    return sorted(answers, key=lambda a: a.passed)


def _answer(applied: Applied, rows: int, is_release: bool) -> CheckResult:
    correction = applied.correction
    check = _as_check(correction)
    action, passed = "flag", not applied.is_stale and correction.action != "flag"
    if applied.is_stale:
        action = "refuse_batch" if is_release else "flag"
        check = replace(
            check,
            zh=f"更正规则已过时：{applied.matched} 行符合其条件，但都不再有所述错误；"
            f"请停用（status: retired）{check.source}",
            en=f"the correction is stale: {applied.matched} rows match it and none shows the fault any more; retire it "
            f"(status: retired) in {check.source}",
        )
    return CheckResult(
        id=check.id,
        level="row",
        severity="warning",
        action=action,
        passed=passed,
        failed_rows=0 if passed else applied.acted,
        failed_share=0.0 if passed else round(applied.acted / rows, 6),
        observed=f"{correction.action}: {applied.acted} of {applied.matched} matching rows",
        samples=applied.samples,
        zh=check.zh,
        en=check.en,
        source=check.source,
    )
