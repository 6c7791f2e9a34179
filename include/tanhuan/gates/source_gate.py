"""Gate 1: splits a staged batch into accepted and refused rows, then lets Great Expectations answer for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tanhuan.contracts import Contract
from tanhuan.gates import results as answers
from tanhuan.gates.results import CheckResult
from tanhuan.gates.row_rules import compile_failing, quote
from tanhuan.gates.suites import Check, Suite
from tanhuan.landing import Load


@dataclass(frozen=True)
class Verdict:
    """What gate 1 answered for one batch; `refusal` is the sentence why nothing of it may enter, if so."""

    results: list[CheckResult]
    refusal: str | None


def split_rows(con: duckdb.DuckDBPyConnection, staged: str, target: str, suite: Suite, load: Load) -> list[CheckResult]:
    """Create the temporary table `target` = staged rows + `_refused_by`, `_flagged_by`; return the row checks' answers.

    One pass over the rows, whatever the number of checks.
    """
    checks = suite.at("row")
    refusing, flagging = _reasons(checks, "refuse_row"), _reasons(checks, "flag")
    asked_for = {"first": load.first, "last": load.last}
    con.execute(
        f"create or replace temp table {target} as "
        f"select *, {refusing} as _refused_by, {flagging} as _flagged_by from {staged}",
        asked_for if "$first" in refusing else None,
    )
    counted = con.execute(f"select count(*) from {target}").fetchone()
    assert counted is not None
    failing = _count_reasons(con, target)
    return [answers.from_counts(c, counted[0], *failing.get(c.id, (0, []))) for c in checks]


def judge(
    contract: Contract,
    suite: Suite,
    row_results: list[CheckResult],
    rows: int,
    refused: int,
    accepted: Path,
    parameters: dict[str, Any],
) -> Verdict:
    """Let Great Expectations answer for the accepted rows and the batch, and decide.

    Args:
        accepted: a Parquet file of the rows that no row check refused.
        parameters: values for `$PARAMETER` in batch checks (`days`, `as_of`).
    """
    results = list(row_results)
    share = refused / rows if rows else 0.0
    refusals = []
    if share > contract.refused_share_max:
        refusals.append(_share_sentence(contract, row_results, rows, refused))
    elif rows > refused:
        batch_results, disagreements = _ask_great_expectations(suite, accepted, parameters)
        results += batch_results
        refusals += [f"{r.id}: {r.zh} {r.en} {' '.join(r.samples[:3])}" for r in batch_results if r.refuses_batch]
        refusals += [f"{check_id}: rule and Great Expectations disagree" for check_id in disagreements]
    return Verdict(results, "; ".join(refusals) or None)


def _reasons(checks: list[Check], action: str) -> str:
    cases = [f"case when {compile_failing(c)} then {quote(c.id)} end" for c in checks if c.action == action]
    return f"list_filter([{', '.join(cases)}]::varchar[], lambda reason: reason is not null)"


def _count_reasons(con: duckdb.DuckDBPyConnection, judged: str) -> dict[str, tuple[int, list[str]]]:
    rows = con.execute(
        f"""
        with failing as (
            select unnest(_refused_by || _flagged_by) as reason, _received, _source_file, _source_row
            from {judged}
            where len(_refused_by) + len(_flagged_by) > 0
        )
        select
            reason,
            count(*),
            (array_agg(
                _source_file || ' row ' || _source_row || ' ' || to_json(_received) order by _source_file, _source_row
            ))[1:{answers.SAMPLES}]
        from failing
        group by reason
        """
    ).fetchall()
    return {reason: (count, samples) for reason, count, samples in rows}


def _ask_great_expectations(
    suite: Suite, accepted: Path, parameters: dict[str, Any]
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
