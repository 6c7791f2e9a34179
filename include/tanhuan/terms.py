"""The terms of a release: which held rows come again, from where, and which checks a person has waived for them.

They travel in the receipt of the release's own load, so that the gate's answer can be made again from landing alone.
Belongs here: how terms change what the gate asks of such a load. Does not belong here: the act (`release.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import duckdb

from tanhuan.contracts import Contract
from tanhuan.formats.rows import Form
from tanhuan.gates.checks import Check
from tanhuan.gates.suites import Suite
from tanhuan.quarantine import Places

#: the key of a receipt's payload under which the terms lie
FACT = "release"


@dataclass(frozen=True)
class Terms:
    """What is released, of which load, and on whose word.

    `places` names the rows in the order of the released payload's lines. `is_whole`: all rows of a batch that was
    refused as a whole come again, so it can be asked everything that a batch is asked.
    """

    load_id: str
    places: Places
    is_whole: bool
    accepted: list[str]
    who: str
    why: str
    document: str | None

    def as_fact(self) -> dict[str, Any]:
        """Return the terms for a receipt."""
        return {FACT: asdict(self)}


def read_terms(receipt: dict[str, Any]) -> Terms | None:
    """Return the terms in a receipt; None if the load is no release."""
    payload: dict[str, Any] = next(iter(receipt["payloads"]), {})
    return Terms(**payload[FACT]) if FACT in payload else None


def share_id(table: str) -> str:
    """Return the id of the answer that too many rows were refused."""
    return f"CONTRACT-{table}-SHARE"


def emptied_id(table: str) -> str:
    """Return the id of the answer that columns came without a single value."""
    return f"CONTRACT-{table}-EMPTIED"


def older_id(table: str) -> str:
    """Return the id of the check that no released row goes over a newer one."""
    return f"CONTRACT-{table}-OLDER"


def is_acceptable(check_id: str, table: str) -> bool:
    """Tell whether a person may waive a check: those of values and of whole batches, never type, required or key."""
    return check_id.startswith("SRC-") or check_id in (share_id(table), emptied_id(table))


def adapt_form(form: Form, terms: Terms) -> Form:
    """Return the form of a release: parts of days, so that each row is compared with the lake by itself.

    A source that leaves out what is empty names a column in some rows only, so a few rows need not name them all.
    """
    return replace(form, by_row=True, names_columns=terms.is_whole)


def adapt_contract(contract: Contract, terms: Terms) -> Contract:
    """Return the contract with the share of refused rows that a release may have.

    Rows that were refused one by one are answered one by one; the share says something of a whole batch only.
    """
    bound = terms.is_whole and share_id(contract.table) not in terms.accepted
    return contract if bound else contract.model_copy(update={"refused_share_max": 1.0})


def adapt_suite(suite: Suite, contract: Contract, terms: Terms) -> Suite:
    """Return the suite as it is asked of a release: waived checks only flag, a few rows are no batch."""
    asked = [_check_older(contract), *suite.checks]
    if not terms.is_whole:
        asked = [_ask_row(check) for check in asked if check.level == "row"]
    return replace(suite, checks=tuple(_waive(c) if c.id in terms.accepted else c for c in asked))


def _ask_row(check: Check) -> Check:
    """Return a check whose failure keeps out the row, not the others that a person releases with it."""
    return replace(check, action="refuse_row") if check.action == "refuse_batch" else check


def _waive(check: Check) -> Check:
    return replace(check, action="flag", severity="warning")


def list_release_checks(contract: Contract) -> list[Check]:
    """Return what a release may be refused for beside its suite, and what a whole batch was, so that it can be told."""
    older, table = _check_older(contract), contract.table
    place = f"include/tanhuan/contracts/{table}.yml"
    share = replace(
        older,
        id=share_id(table),
        level="batch",
        action="refuse_batch",
        zh=f"被拒的行超过本批的 {contract.refused_share_max:.0%}，整批拒收",
        en=f"more than {contract.refused_share_max:.0%} of the rows were refused, so the whole batch was",
        source=place,
        failing=None,
    )
    emptied = replace(
        share,
        id=emptied_id(table),
        zh="有的列整列为空，而此前这些日期有值",
        en="a column came without a single value, though earlier answers for these days had some",
    )
    return [older, share, emptied]


def _check_older(contract: Contract) -> Check:
    return Check(
        id=older_id(contract.table),
        level="row",
        action="refuse_row",
        severity="critical",
        zh="湖中已有同一主键、同批或更新批次的行，放行旧行会盖住它；请核对后作废（drop）本行",
        en="the lake has a row of the same key from the same load or a newer one, which this older row would cover; "
        "compare them and drop this one",
        source="docs/decisions/0017-quarantine-and-corrections.md",
        failing="_older",
    )


def mark_older(
    con: duckdb.DuckDBPyConnection, batch: str, contract: Contract, terms: Terms, files: Sequence[str]
) -> None:
    """Give the table `batch` the column `_older`: the lake holds the key from the row's own load or a newer one."""
    con.execute(f"alter table {batch} add column _older boolean default false")
    if not files:
        return
    same = " and ".join(f"known.{name} is not distinct from {batch}.{name}" for name in contract.key)
    con.execute(
        f"update {batch} set _older = true where exists ("
        "select 1 from read_parquet($files, union_by_name = true) as known "
        f"where known._load_id >= $load_id and {same})",
        {"files": list(files), "load_id": terms.load_id},
    )
