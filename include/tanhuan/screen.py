"""What a person sees at the end of a night: the plan's indicators, the gates, where the published files are.

Belongs here: reading the publication and laying it out. Does not belong here: computing anything that is published.
"""

from __future__ import annotations

import sys
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from tanhuan.duck import open_published
from tanhuan.errors import TanhuanError
from tanhuan.files import read_json
from tanhuan.settings import Settings

#: the plan's own region: what is shown unless another is asked for
CITY = "430300"

_STATUS_COLOUR = {
    "attained": "green",
    "on_track": "green",
    "at_risk": "yellow",
    "not_attained": "red",
    "data_insufficient": "yellow",
}

#: columns of sentences and their least width; all others hold codes, which are never broken
_PROSE = {"指标 indicator": 16, "目标 target": 8, "口径 basis": 18}

_BASES = {
    "strict": "严格 strict: ≥75 % of stations (HJ 663-2013 6.1.4)",
    "archive": "存档 archive: ≥50 % of stations",
}

_INDICATORS = """
select
    indicator_no, indicator, value, unit, kind, target_value, target_raw, target_metric, status, data_basis,
    status_reason_zh, status_reason_en
from ind_plan_indicator
where plan_id = '14' and region_code = $region and assessment_point = 'FINAL_2025'
order by indicator_no
"""

_VERDICT = """
select verdict, binding_count, binding_attained_count, binding_failed_count, binding_open_count, reason_zh, reason_en
from ind_plan_verdict
where plan_id = '14' and region_code = $region and assessment_point = 'FINAL_2025'
"""

_REGIONS = """
select indicators.region_code, region.name_zh, region.name_en
from (
    select distinct region_code
    from ind_plan_indicator
    where plan_id = '14' and assessment_point = 'FINAL_2025'
) as indicators
inner join dim_region as region on indicators.region_code = region.region_code
order by indicators.region_code
"""

_PREVIOUS_PLAN = """
select status, count(*) as indicators
from ind_plan_indicator
where plan_id = '13'
group by status
order by indicators desc
"""

_BASELINE = """
select basis, judged_days, good_days, good_ratio_pct, pm25_valid_days, pm25_mean_ug_m3, is_sufficient,
    insufficient_reason_zh, insufficient_reason_en, data_basis
from mart_air_period
where region_code = '430300' and series = 'all' and period_kind = 'year' and year = 2019
order by basis desc
"""

_PLAN_BASELINE = """
select indicator_no, coalesce(
    case when baseline_year = 2019 then baseline_value end,
    case when other_baseline_year = 2019 then other_baseline_value end
) as baseline
from ind_plan_indicator
where plan_id = '14' and indicator_no in (1, 2) and assessment_point = 'FINAL_2025' and region_code = '430300'
order by indicator_no
"""

# The answers of this night; a load that had not changed was not asked again, its last answers stand.
_GATES = """
select
    table_name,
    gate,
    count(*) as checks,
    count(*) filter (not passed) as failed,
    count(*) filter (not passed and action <> 'flag') as refusals
from (
    from ops_gate_result
    qualify recorded_at = max(recorded_at) over (partition by gate, table_name)
)
group by gate, table_name
order by gate desc, table_name
"""

_LOADS = """
select
    table_name,
    max_by(state, load_id) as state,
    max_by(received_count, load_id) as rows,
    max_by(quarantined_count, load_id) as refused
from ops_load
where night_date = $night and kind = 'night'
group by table_name
"""


def list_indicators(settings: Settings, region: str = CITY) -> list[dict[str, Any]]:
    """Return the 14th plan's indicators of a region at its final assessment, as published.

    Raises:
        TanhuanError: nothing is published yet, or nothing for that region.
    """
    _read_manifest(settings)
    _name_region(settings, region)
    return _read(settings, _INDICATORS, {"region": region})


def show_publication(settings: Settings, console: Console, region: str = CITY) -> None:
    """Print the indicators and the verdict of a region, the baseline, gates and where the files are.

    Raises:
        TanhuanError: nothing is published yet, or nothing for that region.
    """
    manifest = _read_manifest(settings)
    name = _name_region(settings, region)
    rows = _read(settings, _INDICATORS, {"region": region})
    console.print(_lay_out_indicators(rows, f"{name} · FINAL_2025 · 截至 as of {manifest['as_of']}"))
    _print_verdict(settings, console, region)
    previous = ", ".join(f"{r['status']} {r['indicators']}" for r in _read(settings, _PREVIOUS_PLAN))
    console.print(f"“十三五” 13th plan, 27 indicators as the plan's table 1 states them (FINAL_2020): {previous}\n")
    _print_baseline(settings, console)
    console.print(_lay_out_gates(settings, manifest["as_of"]))
    _print_place(settings, manifest, console)


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


def _new_table(title: str, left: tuple[str, ...], right: tuple[str, ...] = ()) -> Table:
    """Return an empty table whose text wraps rather than being cut: a narrow terminal must not hide a verdict."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    for name in left:
        table.add_column(name, overflow="fold", no_wrap=name not in _PROSE, min_width=_PROSE.get(name))
    for name in right:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _name_region(settings: Settings, region: str) -> str:
    """Return the names of a region the plan is assessed for.

    Raises:
        TanhuanError: the plan is not assessed for it.
    """
    names = {r["region_code"]: f"{r['name_zh']} {r['name_en']}" for r in _read(settings, _REGIONS)}
    if region not in names:
        listed = ", ".join(f"{code} {name}" for code, name in names.items())
        raise TanhuanError(f"The plan has no indicators for region {region!r}.", f"choose one of {listed}.")
    return names[region]


def _print_verdict(settings: Settings, console: Console, region: str) -> None:
    for row in _read(settings, _VERDICT, {"region": region}):
        colour = _STATUS_COLOUR.get(row["verdict"], "yellow")
        console.print(f"总体结论 overall: [{colour}]{row['verdict']}[/]  {row['reason_zh']}", highlight=False)
        console.print(f"  {row['reason_en']}\n", highlight=False)


def _lay_out_indicators(rows: list[dict[str, Any]], title: str) -> Table:
    table = _new_table(
        f"“十四五”指标 14th plan, {len(rows)} indicators · {title}",
        ("#", "指标 indicator", "值 value", "目标 target", "状态 status", "依据\nbasis"),
    )
    for row in rows:
        colour = _STATUS_COLOUR.get(row["status"], "dim")
        target = row["target_raw"] if row["target_value"] is None else _format(row["target_value"], None)
        table.add_row(
            str(row["indicator_no"]),
            row["indicator"],
            _format(row["value"], row["unit"]),
            target,
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
    ratio, pm25 = (r["baseline"] for r in _read(settings, _PLAN_BASELINE))
    table = _new_table(
        "2019 实测数据与规划表2基线 the real hours of 2019 beside the plan's baseline (table 2)",
        ("口径 basis",),
        ("PM2.5\nμg/m3", "有效日\nvalid days", "判定日\njudged days", "优良\ngood", "优良率\n%"),
    )
    good = f"{ratio * 365 / 100:.0f}"
    table.add_row("规划 the plan", f"{pm25:.0f}", "", "365", good, f"{ratio:.1f}")
    for row in rows:
        table.add_row(
            _BASES[row["basis"]],
            f"{row['pm25_mean_ug_m3']:.1f}",
            str(row["pm25_valid_days"]),
            str(row["judged_days"]),
            str(row["good_days"]),
            str(row["good_ratio_pct"]),
        )
    console.print(table)
    for row in rows:
        verdict = "[green]sufficient[/]" if row["is_sufficient"] else "[yellow]data_insufficient[/]"
        reason = (
            f": {row['insufficient_reason_zh']} {row['insufficient_reason_en']}" if not row["is_sufficient"] else ""
        )
        console.print(f"  {row['basis']} {verdict}{reason}", highlight=False)
    console.print()


def _lay_out_gates(settings: Settings, night: str) -> Table:
    loads = {r["table_name"]: r for r in _read(settings, _LOADS, {"night": night})}
    table = _new_table(
        "闸门 gates: one line each",
        ("闸门\ngate", "表\ntable", "结果\nanswer"),
        ("行\nrows", "拒收\nrefused", "检查\nchecks", "提示\nflags"),
    )
    for row in _read(settings, _GATES):
        load = loads.get(row["table_name"]) if row["gate"] == "source" else None
        table.add_row(
            "1 source" if load else "2 mart",
            row["table_name"],
            f"[{'red' if row['refusals'] else 'green'}]{load['state'] if load else 'passed'}[/]",
            f"{load['rows']:,}" if load else "–",
            f"{load['refused']:,}" if load else "–",
            str(row["checks"]),
            str(row["failed"] or "–"),
        )
    return table


def _print_place(settings: Settings, manifest: dict[str, Any], console: Console) -> None:
    path = settings.published / "current"
    missing = manifest["missing_tables"]
    console.print(f"\n发布 published  [bold]{manifest['version']}[/]  content {manifest['content_hash'][:16]}…")
    if missing:
        console.print(f"[yellow]未到的表 tables that did not arrive: {', '.join(missing)}[/]")
    console.print(f"位置 where      {path}/  (tanhuan.duckdb, parquet/, manifest.json)")
    query = (
        "select indicator_no, indicator, value, unit, status, data_basis from ind_plan_indicator "
        "where assessment_point = $$FINAL_2025$$ and region_code = $$430300$$"
    )
    program = f'import duckdb; duckdb.connect("{path}/tanhuan.duckdb", read_only=True).sql("{query}").show(max_rows=40)'
    console.print("试一试 paste this:")
    console.print(f"{sys.executable} -c '{program}'", soft_wrap=True, highlight=False, markup=False)
