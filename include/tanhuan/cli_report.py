"""`tanhuan report`: options and output of the report of an assessment (the work: `report`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tanhuan.settings import get_settings

console = Console()


def report(
    point: Annotated[
        str | None, typer.Argument(help="考核时点 The assessment point; the newest that is due if not given.")
    ] = None,
    plan: Annotated[str, typer.Option(help="规划编号 The plan.")] = "14",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="写到 Where to write; reports/ if not given.")] = None,
    freeze: Annotated[
        int | None, typer.Option(metavar="N", help="第几次冻结 Which freeze of the point; the last if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="给程序看的输出 Print JSON for programs.")] = False,
) -> None:
    """评估报告 Write the assessment as a workbook (report.xlsx) and as a page for printing (report.html).

    From the frozen assessment if the point is frozen, else a draft from the current publication, marked as one.
    """
    from tanhuan.report.produce import Request, write_report

    written = write_report(Request(plan, point, freeze, out), get_settings())
    if as_json:
        typer.echo(json.dumps(written.describe(), ensure_ascii=False, indent=1))
        return
    told = written.told
    console.print(f"[bold]{told.title}[/]", highlight=False, soft_wrap=True)
    colour = "green" if told.frozen else "yellow"
    console.print(f"[{colour}]{told.state_zh}[/] {told.version}", highlight=False, soft_wrap=True)
    if told.is_synthetic:
        console.print("[red]含合成数据 contains synthetic figures[/]", highlight=False)
    for path in (written.page, written.workbook):
        console.print(f"  {path}", highlight=False, soft_wrap=True)
