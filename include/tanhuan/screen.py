"""What a person sees at the end of a night: the plan's indicators, the gates, where the published files are.

Belongs here: reading the publication and laying it out. Does not belong here: computing anything that is published.
"""

from __future__ import annotations

import json
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from tanhuan.duck import open_published
from tanhuan.errors import TanhuanError
from tanhuan.files import read_json
from tanhuan.settings import Settings

_STATUS_COLOUR = {
    "attained": "green",
    "on_track": "green",
    "at_risk": "yellow",
    "not_attained": "red",
    "data_insufficient": "yellow",
}

_INDICATORS = """
select
    indicator_no, indicator, value, unit, kind, target_value, target_raw, target_metric, status, data_basis,
    status_reason_zh, status_reason_en
from ind_plan_indicator
where plan_id = '14' and region_code = '430300' and assessment_point = 'FINAL_2025'
order by indicator_no
"""

_PREVIOUS_PLAN = """
select status, count(*) from ind_plan_indicator where plan_id = '13' group by status order by count(*) desc
"""

_BASELINE = """
select basis, judged_days, good_days, good_ratio_pct, pm25_valid_days, pm25_mean_ug_m3, is_sufficient,
    insufficient_reason_zh, insufficient_reason_en, data_basis
from mart_air_period
where region_code = '430300' and period_kind = 'year' and year = 2019
order by basis desc
"""

_PLAN_BASELINE = """
select indicator_no, coalesce(
    case when baseline_year = 2019 then baseline_value end,
    case when other_baseline_year = 2019 then other_baseline_value end
)
from ind_plan_indicator
where plan_id = '14' and indicator_no in (1, 2) and assessment_point = 'FINAL_2025'
order by indicator_no
"""

# The answers of this night; a load that had not changed was not asked again, its last answers stand.
_GATES = """
select
    table_name, gate, count(*), count(*) filter (not passed), count(*) filter (not passed and action <> 'flag'),
    max(night_date)
from (
    from ops_gate_result
    qualify recorded_at = max(recorded_at) over (partition by gate, table_name)
)
group by gate, table_name
order by gate desc, table_name
"""

_LOADS = """
select
    table_name, max_by(state, load_id), sum(row_count) filter (night_date = $night),
    coalesce(sum(refused_count) filter (night_date = $night), 0)
from ops_load
group by table_name
"""


def list_indicators(settings: Settings) -> list[dict[str, Any]]:
    """Return the 14th plan's indicators at its final assessment, as published."""
    return _read(settings, _INDICATORS)


def show_publication(settings: Settings, console: Console) -> None:
    """Print indicators, baseline, gates and where the files are.

    Raises:
        TanhuanError: nothing is published yet.
    """
    manifest = _read_manifest(settings)
    console.print(_lay_out_indicators(_read(settings, _INDICATORS), manifest))
    previous = ", ".join(f"{r['status']} {r['count_star()']}" for r in _read(settings, _PREVIOUS_PLAN))
    console.print(f"“十三五” 13th plan, 27 indicators as the plan's table 1 states them (FINAL_2020): {previous}\n")
    _print_baseline(settings, console)
    console.print(_lay_out_gates(settings, manifest["as_of"]))
    _print_place(settings, manifest, console)


def show_quarantine(
    settings: Settings, load_id: str | None, limit: int, as_json: bool, console: Console
) -> None:
    """Print refused rows of one load, or how many rows are held for each load."""
    files = [str(p) for p in settings.quarantine.rglob(f"{load_id or '*'}.parquet")]
    if not files:
        known = "" if load_id is None else f" of load {load_id}"
        raise TanhuanError(f"There are no refused rows{known}.", "`tanhuan quarantine` without a load counts them all.")
    query = (
        "select source_file, source_row, reason_ids, detail, row_json from read_parquet($files) limit $limit"
        if load_id
        else "select load_id, table_name, count(*) as rows, list(distinct state) as states, any_value(detail) as detail "
        "from read_parquet($files) group by all order by load_id desc limit $limit"
    )
    rows = _fetch(duckdb.connect(), query, {"files": files, "limit": limit})
    if as_json:
        console.print_json(json.dumps(rows, ensure_ascii=False, default=str))
        return
    for row in rows:
        console.print(*(f"[bold]{name}[/] {value}" for name, value in row.items()), sep="\n  ", soft_wrap=True)


def _read_manifest(settings: Settings) -> dict[str, Any]:
    path = settings.published / "current" / "manifest.json"
    if not path.exists():
        raise TanhuanError(f"Nothing is published under {settings.published} yet.", "run `make night`.")
    return dict(read_json(path))


def _read(settings: Settings, query: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    with open_published(settings) as con:
        return _fetch(con, query, parameters)


def _fetch(
    con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    answer = con.execute(query, parameters)
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _lay_out_indicators(rows: list[dict[str, Any]], manifest: dict[str, Any]) -> Table:
    table = Table(
        title=f"“十四五”指标 14th plan, 28 indicators · FINAL_2025 · 截至 as of {manifest['as_of']}",
        title_justify="left",
        show_lines=False,
        pad_edge=False,
    )
    for name, justify in (("#", "right"), ("指标 indicator", "left"), ("值 value", "right"), ("目标 target", "right")):
        table.add_column(name, justify=justify, ratio=3 if "indicator" in name else None)  # type: ignore[arg-type]
    table.add_column("状态 status")
    table.add_column("依据 basis")
    for row in rows:
        colour = _STATUS_COLOUR.get(row["status"], "dim")
        table.add_row(
            str(row["indicator_no"]),
            row["indicator"],
            _format(row["value"], row["unit"]),
            _format(row["target_value"], "") if row["target_value"] is not None else f"[dim]{row['target_raw']}[/]",
            f"[{colour}]{row['status']}[/]",
            row["data_basis"] or "–",
        )
    return table


def _format(value: Any, unit: str | None) -> str:
    if value is None:
        return "–"
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{text} {unit or ''}".strip()


def _print_baseline(settings: Settings, console: Console) -> None:
    rows = _read(settings, _BASELINE)
    if not rows:
        console.print("[dim]2019 air hours are not loaded; the plan's baseline cannot be compared.[/]")
        return
    (ratio, pm25) = (r[1] for r in [tuple(r.values()) for r in _read(settings, _PLAN_BASELINE)])
    table = Table(
        title="2019 实测数据与规划表2基线 the real hours of 2019 beside the plan's baseline (table 2)",
        title_justify="left",
        pad_edge=False,
    )
    for name in ("口径 basis", "PM2.5 μg/m3", "有效天 valid days", "优良天 good days", "优良率 %", "结论 verdict"):
        table.add_column(name, justify="left" if "basis" in name or "verdict" in name else "right")
    table.add_row("规划 plan", f"{pm25:.0f}", "365", f"{ratio * 365 / 100:.0f}", f"{ratio:.1f}", "as printed in the plan")
    for row in rows:
        verdict = "sufficient" if row["is_sufficient"] else f"data_insufficient: {row['insufficient_reason_zh']}"
        table.add_row(
            {"strict": "严格 strict (≥75 % stations)", "archive": "存档 archive (≥50 % stations)"}[row["basis"]],
            f"{row['pm25_mean_ug_m3']:.1f}",
            f"{row['pm25_valid_days']} PM2.5, {row['judged_days']} AQI",
            str(row["good_days"]),
            str(row["good_ratio_pct"]),
            verdict,
        )
    console.print(table)


def _lay_out_gates(settings: Settings, night: str) -> Table:
    loads = {r["table_name"]: list(r.values()) for r in _read(settings, _LOADS, {"night": night})}
    table = Table(title="闸门 gates: one line each", title_justify="left", pad_edge=False)
    for name in ("闸门 gate", "表 table", "本夜 this night", "行 rows", "拒收 refused", "检查 checks", "提示 flags"):
        table.add_column(name, justify="left" if name[0] in "闸表本" else "right")
    for row in _read(settings, _GATES):
        name, gate, checks, failed, refused, _ = row.values()
        _, state, rows, held = loads.get(name, (name, "passed", None, 0)) if gate == "source" else (name, "passed", None, 0)
        table.add_row(
            "1 source" if gate == "source" else "2 mart",
            name,
            f"[{'red' if refused else 'green'}]{state}[/]",
            "–" if rows is None else f"{rows:,}",
            "–" if gate == "mart" else f"{held:,}",
            str(checks),
            str(failed) if failed else "–",
        )
    return table


def _print_place(settings: Settings, manifest: dict[str, Any], console: Console) -> None:
    path = settings.published / "current"
    missing = manifest["missing_tables"]
    console.print(f"\n发布 published  [bold]{manifest['version']}[/]  content {manifest['content_hash'][:16]}…")
    if missing:
        console.print(f"[yellow]未到的表 tables that did not arrive: {', '.join(missing)}[/]")
    console.print(f"位置 where      {path}/  (tanhuan.duckdb, parquet/, manifest.json)")
    console.print("试一试 try this:")
    command = (
        f"python -c \"import duckdb; print(duckdb.connect('{path}/tanhuan.duckdb', read_only=True)"
        ".sql(\"\"\"select indicator_no, indicator, value, unit, status, data_basis from ind_plan_indicator "
        "where assessment_point = 'FINAL_2025'\"\"\"))\""
    )
    console.print(command, soft_wrap=True, highlight=False, markup=False)
