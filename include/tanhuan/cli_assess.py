"""`tanhuan assess`: options and output of freezing, listing and verifying assessments (the work: `assess`)."""

from __future__ import annotations

import getpass
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings, get_settings

console = Console()
JsonOption = Annotated[bool, typer.Option("--json", help="给程序看的输出 Print JSON for programs.")]


def assess(
    point: Annotated[str | None, typer.Argument(help="考核时点 The assessment point, e.g. MID_2023.")] = None,
    plan: Annotated[str, typer.Option(help="规划编号 The plan.")] = "14",
    note: Annotated[str | None, typer.Option(help="说明 A note that is kept with it.")] = None,
    revise: Annotated[
        str | None, typer.Option(metavar="REASON", help="修订事由 Freeze once more, beside the first.")
    ] = None,
    who: Annotated[str | None, typer.Option(help="经办人 Who freezes; the login name if not given.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="列出 List all frozen assessments.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="复核 Hash all files again; 1 if any differs.")] = False,
    as_json: JsonOption = False,
) -> None:
    """冻结评估 Freeze an assessment point for ever from the current publication; it is never changed or overwritten.

    Later restatements are published beside it (ops_assessment, ind_plan_assessment).
    """
    settings = get_settings()
    if list_all:
        _list(settings, as_json)
    elif verify:
        _verify(settings, as_json)
    elif point is None:
        raise TanhuanError("No assessment point is named.", "name one, e.g. `tanhuan assess MID_2023`, or --list.")
    else:
        from tanhuan.assess.freeze import Request, freeze

        frozen = freeze(Request(point, plan, note, revise, who or getpass.getuser()), settings)
        if as_json:
            typer.echo(json.dumps({"path": str(frozen.path), **frozen.manifest}, ensure_ascii=False, indent=1))
            return
        console.print(f"[green]✓[/] 已冻结 frozen [bold]{frozen.name}[/]  {frozen.path}", soft_wrap=True)
        console.print(
            f"  {frozen.manifest['source_version']}  content {frozen.manifest['content_hash']}", soft_wrap=True
        )


def _list(settings: Settings, as_json: bool) -> None:
    from tanhuan.assess.archive import list_freezes

    freezes = list_freezes(settings)
    if as_json:
        told = [{k: v for k, v in f.manifest.items() if k not in ("files", "tables")} for f in freezes]
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    table = Table(title="冻结的评估 frozen assessments", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in ("评估 assessment", "截至 as of", "冻结于 frozen at", "结论 verdict", "版本 version", "事由 reason"):
        table.add_column(name, overflow="fold")
    for f in freezes:
        cells = (f.manifest[key] for key in ("as_of", "frozen_at", "verdict", "source_version", "reason"))
        table.add_row(f.name, *(escape(str(value or "–")) for value in cells))
    console.print(table if freezes else "尚无冻结 none is frozen yet: tanhuan assess MID_2023")


def _verify(settings: Settings, as_json: bool) -> None:
    from tanhuan.assess.archive import verify
    from tanhuan.assess.freeze import record_unrecorded

    recorded = record_unrecorded(settings)
    answer = verify(settings)
    if as_json:
        typer.echo(json.dumps({"assessments": answer, "recorded": recorded}, ensure_ascii=False, indent=1))
    else:
        for name, wrong in answer.items():
            mark = "[red]✗[/]" if wrong else "[green]✓[/]"
            console.print(f"{mark} {name} {escape('; '.join(wrong))}", highlight=False, soft_wrap=True)
        console.print(f"复核 verified {len(answer)}")
    if any(answer.values()):
        raise typer.Exit(1)
