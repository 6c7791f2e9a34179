"""Checks that follow from a contract, so that nobody writes them twice: type, key, days, volume, what stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tanhuan.contracts import Contract
from tanhuan.gates.checks import Action, Check
from tanhuan.known import SCHEMA

#: what a value that does not fit its column's type does, by the column's drift policy
_UNFIT: dict[str, tuple[Action, str, str]] = {
    "freeze": ("refuse_batch", "整批拒收，请核对平台口径", "the whole batch is refused, ask the platform what changed"),
    "refuse_row": ("refuse_row", "请上报单位更正后重报", "ask the reporting unit to correct and resend it"),
    "discard_value": ("flag", "该值弃用，其余照收", "the value is discarded, the rest of the row is kept"),
    "evolve": ("flag", "该值弃用，其余照收", "the value is discarded, the rest of the row is kept"),
}


def list_contract_checks(contract: Contract) -> list[Check]:
    """Return the checks that a contract implies, those of rows first."""
    checks = []
    for column in contract.columns:
        name = column.name
        if column.type != "VARCHAR":
            action, zh, en = _UNFIT[column.drift]
            checks.append(
                _contract_check(
                    contract,
                    f"TYPE-{name}",
                    f"list_contains(_unfit, '{name}')",
                    f"{column.zh}（{name}）不是 {column.type}，{zh}",
                    f"{name} is not a {column.type}; {en}",
                    action=action,
                )
            )
        if column.required:
            checks.append(
                _contract_check(
                    contract,
                    f"REQUIRED-{name}",
                    f"{name} is null and not list_contains(_unfit, '{name}')",
                    f"缺少必填项 {column.zh}（{name}），请上报单位补报",
                    f"{name} is required and missing; ask the reporting unit to supply it",
                    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}},
                )
            )
    key = ", ".join(contract.key)
    checks.append(
        _contract_check(
            contract,
            "DUPLICATE",
            "_duplicate",
            f"主键（{key}）在本批中重复而内容不同，保留第一条",
            f"the key ({key}) occurs more than once in this batch with other contents; the first row is kept",
        )
    )
    if contract.day is not None:
        checks.append(
            _contract_check(
                contract,
                "DAY",
                "business_date is not null and business_date not between $first::date and $last::date",
                "数据日不在请求的日期范围内，整批时刻不可信；请核对平台时区或请求范围",
                "a row's day is not among the days asked for, so no moment of this answer can be trusted; check the "
                "platform's time zone and what it was asked for",
                action="refuse_batch",
                needs_days=True,
            )
        )
    checks.append(_check_volume(contract))
    if contract.settled is not None:
        checks.append(_check_settled(contract))
    return checks


def make_days_check(contract: Contract) -> Check:
    """Return the check that every day that was asked for brought rows, where a day usually has many (G14).

    Only who knows what was asked for can answer it, so it is no expectation.
    """
    check = _contract_check(
        contract,
        "DAYS",
        "",
        "所请求的日期中有的整日没有一行数据，请向数据提供方核实是否漏报，补齐后回补（backfill）",
        "days were asked for and not one row of them came; ask the source, and pull these days again (backfill)",
        action="flag",
    )
    return replace(check, level="batch", failing=None)


def _check_volume(contract: Contract) -> Check:
    """Rows of each day beside the median of the last seven known days, or of the snapshot beside the last one (G14)."""
    day = "'snapshot'" if contract.day is None else f"CAST({contract.day.column}{contract.day.shift} AS DATE)::VARCHAR"
    before = (
        f"SELECT count(*) AS rows_before FROM {SCHEMA}.{contract.table}"
        if contract.day is None
        else "SELECT median(row_count) AS rows_before FROM (SELECT business_date, count(*) AS row_count "
        f"FROM {SCHEMA}.{contract.table} WHERE business_date < (SELECT min(CAST(day AS DATE)) FROM arrived) "
        "GROUP BY business_date ORDER BY business_date DESC LIMIT 7)"
    )
    query = (
        f"WITH arrived AS (SELECT {day} AS day, count(*) AS row_count FROM {{batch}} GROUP BY 1), before AS ({before}) "
        "SELECT day, row_count, rows_before FROM arrived, before "
        f"WHERE rows_before >= {contract.volume_min_rows} "
        f"AND abs(row_count - rows_before) > {contract.volume_tolerance} * rows_before"
    )
    return _batch_check(
        contract,
        "VOLUME",
        query,
        f"行数与近7日中位数（快照为上次）相差超过 {contract.volume_tolerance:.0%}，请向数据提供方核实是否缺报或重报",
        f"the number of rows differs by more than {contract.volume_tolerance:.0%} from the median of the last seven "
        "known days (or the last snapshot); ask the source whether rows are missing or repeated",
    )


def _check_settled(contract: Contract) -> Check:
    """Final hours, and what one document says, are as they were admitted."""
    assert contract.settled is not None, contract.table
    query = _query_final_rows(contract) if contract.settled.when else _query_documents(contract, contract.settled.by)
    return _batch_check(
        contract,
        "SETTLED",
        query,
        "已定稿的数据（同一文号、版本或审核后的小时值）与此前入湖的不一致，请核对依据文件后由责任人确认",
        "what had been final (one document, version or reviewed hour) now says something else; check it against the "
        "document and have the responsible person confirm it",
    )


def _list_changes(contract: Contract, old: str, new: str) -> str:
    """Return SQL that tells which columns of a row changed, and how."""
    told = (
        f"CASE WHEN {old}.{name} IS DISTINCT FROM {new}.{name} THEN '{name}: ' "
        f"|| coalesce({old}.{name}::VARCHAR, 'NULL') || ' -> ' || coalesce({new}.{name}::VARCHAR, 'NULL') END"
        for name in contract.names
        if name not in contract.key
    )
    return f"concat_ws(', ', {', '.join(told)})"


def _query_final_rows(contract: Contract) -> str:
    assert contract.settled is not None, contract.table
    final = " AND ".join(f"old.{name} = '{value}'" for name, value in contract.settled.when.items())
    keys = ", ".join(f"new.{name}" for name in contract.key)
    return (
        f"SELECT {keys}, {_list_changes(contract, 'old', 'new')} AS changes FROM (SELECT * FROM {{batch}}) AS new "
        f"INNER JOIN {SCHEMA}.{contract.table} AS old USING ({', '.join(contract.key)}) "
        f"WHERE {final} AND old._row_hash <> new._row_hash::VARCHAR"
    )


def _query_documents(contract: Contract, by: list[str]) -> str:
    """Rows of known documents that are other, gone or more than they were; or changed in nothing but their document."""
    keys, table = ", ".join(contract.key), f"{SCHEMA}.{contract.table}"
    place = ", ".join(f"coalesce(old.{name}, new.{name}) AS {name}" for name in contract.key)
    same, others = (
        " AND ".join(f"old.{name} IS NOT DISTINCT FROM new.{name}" for name in names)
        for names in (by, [name for name in contract.names if name not in (*contract.key, *by)])
    )
    return (
        f"SELECT {place}, CASE WHEN new._row_hash IS NULL THEN 'gone' WHEN old._row_hash IS NULL THEN 'added' "
        f"ELSE {_list_changes(contract, 'old', 'new')} END AS changes "
        f"FROM {table} AS old FULL JOIN (SELECT * FROM {{batch}}) AS new USING ({keys}) "
        f"WHERE (old._row_hash IS NOT NULL AND new._row_hash IS NULL) "
        f"OR (old._row_hash IS NULL AND ({_coalesce('new', by)}) IN (SELECT ({_coalesce(None, by)}) FROM {table})) "
        f"OR (old._row_hash <> new._row_hash::VARCHAR AND (({same}) OR ({others})))"
    )


def _coalesce(relation: str | None, columns: list[str]) -> str:
    """Return columns as texts that compare equal where both are NULL."""
    prefix = f"{relation}." if relation else ""
    return "concat_ws('|', " + ", ".join(f"coalesce({prefix}{name}::VARCHAR, '')" for name in columns) + ")"


def _batch_check(contract: Contract, what: str, query: str, zh: str, en: str) -> Check:
    check = _contract_check(
        contract, what, "", zh, en, {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}}
    )
    return replace(check, level="batch", action="flag", severity="warning", failing=None, needs_whole=True)


def _contract_check(
    contract: Contract,
    what: str,
    failing: str,
    zh: str,
    en: str,
    expectation: dict[str, Any] | None = None,
    action: Action = "refuse_row",
    needs_days: bool = False,
) -> Check:
    identity = f"CONTRACT-{contract.table}-{what}"
    if expectation is not None:
        expectation = {**expectation, "severity": "critical", "meta": {"id": identity}}
    return Check(
        id=identity,
        level="row",
        action=action,
        severity="warning" if action == "flag" else "critical",
        zh=zh,
        en=en,
        source=f"include/tanhuan/contracts/{contract.table}.yml",
        expectation=expectation,
        failing=failing,
        needs_days=needs_days,
    )
