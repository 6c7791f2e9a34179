"""Gate 1: splits a staged batch into accepted and refused rows, then lets Great Expectations answer for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from tanhuan.contracts import Contract
from tanhuan.duck import quote
from tanhuan.formats.rows import PLACE, find_originals
from tanhuan.gates import results as answers
from tanhuan.gates.results import CheckResult
from tanhuan.gates.row_rules import compile_failing
from tanhuan.gates.suites import Check, Suite


@dataclass(frozen=True)
class Accepted:
    """The rows that no row check refused: Parquet files (a pattern).

    `prepare`: statements for whoever reads them, which bound its memory and show what is known beside the rows.
    `is_whole`: the batch brings all rows of its days, or the whole snapshot; only then it can be asked what is missing.
    """

    files: str
    prepare: list[str]
    is_whole: bool


@dataclass(frozen=True)
class Verdict:
    """What gate 1 answered for one batch; `refusal` is the sentence why nothing of it may enter, if so."""

    results: list[CheckResult]
    refusal: str | None


def split_rows(
    con: duckdb.DuckDBPyConnection, batch: str, target: str, suite: Suite, days: tuple[str, str] | None
) -> list[CheckResult]:
    """Create the view `target` = batch + `_refused_by`, `_flagged_by`; return the row checks' answers.

    `days` are the first and last day that were asked for, if any were.

    One pass over the rows finds those that fail any check, and lists reasons for these only. The others are neither
    copied nor looked at again.
    """
    checks = [c for c in suite.at("row") if days or not c.needs_days]
    asked_for = dict(zip(("first", "last"), days or (), strict=False)) if any(c.needs_days for c in checks) else None
    refusing = _reasons([c for c in checks if c.action != "flag"])
    flagging = _reasons([c for c in checks if c.action == "flag"])
    failing = f"{target}_failing"
    con.execute(
        f"create or replace table {failing} as select {PLACE}, {refusing} as _refused_by, {flagging} as _flagged_by "
        f"from {batch} where {' or '.join(f'({compile_failing(c)})' for c in checks) or 'false'}",
        asked_for,
    )
    _show_judged(con, batch, target, failing)
    [(rows,)] = con.execute(f"select count(*) from {batch}").fetchall()
    counts = con.execute(
        f"select reason, count(*) from (select unnest(_refused_by || _flagged_by) as reason from {failing}) group by 1"
    )
    failed: dict[str, int] = dict(counts.fetchall())
    samples = _sample_reasons(con, failing) if failed else {}
    return [answers.from_counts(c, rows, failed.get(c.id, 0), samples.get(c.id, [])) for c in checks]


def _show_judged(con: duckdb.DuckDBPyConnection, batch: str, target: str, failing: str) -> None:
    [(count,)] = con.execute(f"select count(*) from {failing}").fetchall()
    if not count:
        none = "[]::varchar[]"
        con.execute(
            f"create or replace view {target} as select *, {none} as _refused_by, {none} as _flagged_by from {batch}"
        )
        return
    con.execute(
        f"create or replace view {target} as "
        f"select batch.*, coalesce(_refused_by, []) as _refused_by, coalesce(_flagged_by, []) as _flagged_by "
        f"from {batch} as batch left join {failing} using ({PLACE})"
    )


def judge(
    contract: Contract,
    suite: Suite,
    row_results: list[CheckResult],
    rows: int,
    refused: int,
    accepted: Accepted | None,
    parameters: dict[str, Any],
) -> Verdict:
    """Let Great Expectations answer for the accepted rows and the batch, and decide.

    Args:
        rows: how many rows the refused ones are held against.
        accepted: the rows that no row check refused, None if there are none.
        parameters: values for `$PARAMETER` in batch checks (`days`, `as_of`).
    """
    results = list(row_results)
    share = refused / rows if rows else 0.0
    refusals = [f"{r.id} ({r.failed_rows} rows): {r.zh} {r.en}" for r in row_results if r.refuses_batch]
    refusals += _list_emptied_columns(contract, row_results, rows)
    if share > contract.refused_share_max:
        refusals.append(_share_sentence(contract, row_results, rows, refused))
    elif accepted and not refusals:
        batch_results, disagreements = _ask_great_expectations(suite, accepted, parameters)
        results += batch_results
        refusals += [f"{r.id}: {r.zh} {r.en} {' '.join(r.samples[:3])}" for r in batch_results if r.refuses_batch]
        refusals += [f"{check_id}: rule and Great Expectations disagree" for check_id in disagreements]
    return Verdict(results, "; ".join(refusals) or None)


def _list_emptied_columns(contract: Contract, row_results: list[CheckResult], rows: int) -> list[str]:
    """Return columns whose values are discarded more often than rows may be refused: the column is broken."""
    discarded = {f"CONTRACT-{contract.table}-TYPE-{c.name}" for c in contract.columns if c.drift == "discard_value"}
    return [
        f"{r.id}: {r.failed_rows} of {rows} values would be discarded. {r.zh} {r.en}"
        for r in row_results
        if r.id in discarded and (r.failed_rows or 0) > contract.refused_share_max * rows
    ]


def _reasons(checks: list[Check]) -> str:
    if not checks:
        return "[]::varchar[]"
    cases = [f"case when {compile_failing(c)} then {quote(c.id)} end" for c in checks]
    return f"list_filter([{', '.join(cases)}]::varchar[], lambda reason: reason is not null)"


def _sample_reasons(con: duckdb.DuckDBPyConnection, failing: str) -> dict[str, list[str]]:
    """Return up to 20 failing rows of each check, as they were received."""
    con.execute(
        f"""
        create or replace temp table sampled as
        from (select unnest(_refused_by || _flagged_by) as reason, {PLACE} from {failing})
        qualify row_number() over (partition by reason order by {PLACE}) <= {answers.SAMPLES}
        """
    )
    rows = con.execute(
        f"""
        select
            reason,
            array_agg(_source_file || ' row ' || _source_row || ' ' || _raw order by _source_file, _source_row)
        from sampled
        inner join {find_originals(con, "sampled")} as received using ({PLACE})
        group by reason
        """
    ).fetchall()
    return dict(rows)


def _ask_great_expectations(
    suite: Suite, accepted: Accepted, parameters: dict[str, Any]
) -> tuple[list[CheckResult], list[str]]:
    """Return the batch checks' answers, and the row checks on which Great Expectations contradicts the split."""
    from tanhuan.gates.engine import get_validator

    validator = get_validator()
    refusing = [c for c in suite.at("row") if c.action == "refuse_row" and c.expectation]
    asked = [c for c in suite.at("batch") if accepted.is_whole or not c.needs_whole]
    with validator.open_parquet(accepted.files, accepted.prepare) as batch:
        found = validator.check(batch, suite, [*refusing, *asked], parameters)
    row_answers, batch_answers = found[: len(refusing)], found[len(refusing) :]
    return batch_answers, [r.id for r in row_answers if not r.passed]


def _share_sentence(contract: Contract, row_results: list[CheckResult], rows: int, refused: int) -> str:
    worst = sorted((r for r in row_results if r.failed_rows), key=lambda r: -(r.failed_rows or 0))[:3]
    reasons = "; ".join(f"{r.id} ({r.failed_rows} rows): {r.zh} {r.en}" for r in worst)
    return (
        f"{refused} of {rows} rows are refused, more than the {contract.refused_share_max:.0%} that the contract "
        f"of {contract.table} allows; foremost {reasons}"
    )
