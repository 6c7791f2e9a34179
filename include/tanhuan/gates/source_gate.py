"""Gate 1: splits a staged batch into accepted and refused rows, then lets Great Expectations answer for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from tanhuan.contracts import Contract
from tanhuan.formats.rows import PLACE, RECEIVED
from tanhuan.gates import results as answers
from tanhuan.gates.results import CheckResult
from tanhuan.gates.row_rules import compile_failing, quote
from tanhuan.gates.suites import Check, Suite


@dataclass(frozen=True)
class Verdict:
    """What gate 1 answered for one batch; `refusal` is the sentence why nothing of it may enter, if so."""

    results: list[CheckResult]
    refusal: str | None


def split_rows(
    con: duckdb.DuckDBPyConnection, batch: str, target: str, suite: Suite, days: tuple[str, str] | None
) -> list[CheckResult]:
    """Create the relation `target` = batch + `_refused_by`, `_flagged_by`; return the row checks' answers.

    `days` are the first and last day that were asked for, if any were.

    One pass over the rows counts what fails, whatever the number of checks; reasons are listed only for checks that
    some row fails.
    """
    checks = [c for c in suite.at("row") if days or not c.needs_days]
    asked_for = dict(zip(("first", "last"), days or (), strict=False)) if any(c.needs_days for c in checks) else None
    counts = ", ".join(f"count(*) filter (where {compile_failing(c)})" for c in checks)
    found = con.execute(f"select count(*), {counts} from {batch}", asked_for).fetchone()
    assert found is not None
    rows, failed = int(found[0]), dict(zip([c.id for c in checks], found[1:], strict=True))
    failing = [c for c in checks if failed[c.id]]
    refusing = _reasons([c for c in failing if c.action != "flag"])
    flagging = _reasons([c for c in failing if c.action == "flag"])
    kind = "table" if failing else "view"
    con.execute(
        f"create or replace {kind} {target} as "
        f"select *, {refusing} as _refused_by, {flagging} as _flagged_by from {batch}",
        asked_for if any(c.needs_days for c in failing) else None,
    )
    samples = _sample_reasons(con, target) if failing else {}
    return [answers.from_counts(c, rows, failed[c.id], samples.get(c.id, [])) for c in checks]


def judge(
    contract: Contract,
    suite: Suite,
    row_results: list[CheckResult],
    rows: int,
    refused: int,
    accepted: str | None,
    parameters: dict[str, Any],
) -> Verdict:
    """Let Great Expectations answer for the accepted rows and the batch, and decide.

    Args:
        rows: how many rows the refused ones are held against.
        accepted: the Parquet files (a pattern) of the rows that no row check refused, None if there are none.
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


def _sample_reasons(con: duckdb.DuckDBPyConnection, judged: str) -> dict[str, list[str]]:
    """Return up to 20 failing rows of each check, as they were received."""
    rows = con.execute(
        f"""
        with reasons as (
            select unnest(_refused_by || _flagged_by) as reason, {PLACE}
            from {judged}
            where len(_refused_by) + len(_flagged_by) > 0
        ),
        failing as (
            from reasons
            qualify row_number() over (partition by reason order by {PLACE}) <= {answers.SAMPLES}
        )
        select
            failing.reason,
            array_agg(
                failing._source_file || ' row ' || failing._source_row || ' ' || received._raw
                order by failing._source_file, failing._source_row
            )
        from failing
        inner join {RECEIVED} as received using ({PLACE})
        group by failing.reason
        """
    ).fetchall()
    return dict(rows)


def _ask_great_expectations(
    suite: Suite, accepted: str, parameters: dict[str, Any]
) -> tuple[list[CheckResult], list[str]]:
    """Return the batch checks' answers, and the row checks on which Great Expectations contradicts the split."""
    from tanhuan.gates.engine import get_validator

    validator = get_validator()
    refusing = [c for c in suite.at("row") if c.action == "refuse_row" and c.expectation]
    with validator.open_parquet(accepted) as batch:
        found = validator.check(batch, suite, [*refusing, *suite.at("batch")], parameters)
    row_answers, batch_answers = found[: len(refusing)], found[len(refusing) :]
    return batch_answers, [r.id for r in row_answers if not r.passed]


def _share_sentence(contract: Contract, row_results: list[CheckResult], rows: int, refused: int) -> str:
    worst = sorted((r for r in row_results if r.failed_rows), key=lambda r: -(r.failed_rows or 0))[:3]
    reasons = "; ".join(f"{r.id} ({r.failed_rows} rows): {r.zh} {r.en}" for r in worst)
    return (
        f"{refused} of {rows} rows are refused, more than the {contract.refused_share_max:.0%} that the contract "
        f"of {contract.table} allows; foremost {reasons}"
    )
