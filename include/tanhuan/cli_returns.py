"""`tanhuan returns …`: forms for those who report, and what has come in.

Belongs here: options and laying out. Does not belong here: the work (`return_forms.py`, `return_list.py`).
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tanhuan.settings import get_settings

app = typer.Typer(help="报送 Returns of departments: forms to fill, and which are in.", no_args_is_help=True)
console = Console()

PlanOption = Annotated[str, typer.Option(help="规划 The plan, e.g. 14.")]
RegionOption = Annotated[str | None, typer.Option(help="行政区 Only this region (430300 or a county).")]


@app.command()
def template(
    table: Annotated[str | None, typer.Argument(help="表 A table of the feed returns; all if not given.")] = None,
    indicator: Annotated[int | None, typer.Option(help="指标 Only this indicator.")] = None,
    plan: PlanOption = "14",
    region: RegionOption = None,
    year: Annotated[int | None, typer.Option(help="年度 The year reported on; last year if not given.")] = None,
    out: Annotated[Path, typer.Option(help="目录 Where the workbooks are written.")] = Path(),
) -> None:
    """生成报送模板 Write the workbooks that departments fill in and drop into the inbox."""
    from tanhuan.return_forms import Wish, write_forms

    for path in write_forms(table, Wish(indicator, plan, region, year), out, get_settings()):
        typer.echo(path)


@app.command("list")
def list_(
    year: Annotated[int | None, typer.Option(help="年度 The year reported on; last year if not given.")] = None,
    plan: PlanOption = "14",
    region: RegionOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="给程序看的输出 Print JSON for programs.")] = False,
) -> None:
    """列出已报、未报 List which returns of a year are in, from whom, by which document; then what is missing."""
    from tanhuan.return_list import list_returns

    rows = list_returns(plan, year or dt.datetime.now(dt.UTC).year - 1, region, get_settings())
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
        return
    names = (
        "#",
        "分项 part",
        "地区 region",
        "单位 issuer",
        "文号 document",
        "数据截至 as of",
        "报送 issued",
        "应报 due",
    )
    laid = Table(*names, box=None, header_style="bold underline")
    for row in rows:
        keys = ("indicator_no", "part", "region_code", "issuer", "doc_no", "as_of_date", "issued_date", "due")
        laid.add_row(*("" if row[key] is None else str(row[key]) for key in keys), style="yellow" if row["due"] else "")
    console.print(laid)
