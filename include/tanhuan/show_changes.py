"""What the last publication changed and why, for a person: what nobody explains first, then verdicts, then figures.

Belongs here: reading `changes.json` and laying it out. Does not belong here: finding changes (warehouse/changes.py).
"""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tanhuan.errors import TanhuanError
from tanhuan.files import read_json
from tanhuan.settings import Settings

_KINDS = {
    "unexplained": "[red]无原因 unexplained[/]",
    "load": "新批次 load",
    "correction": "更正 correction",
    "release": "隔离放行 release",
    "rule": "规则 rule",
    "calendar": "日期推移 calendar",
}
_CHANGES = {"added": "新增 added", "removed": "消失 removed", "changed": "改变 changed"}


def read_changes(settings: Settings) -> dict[str, Any]:
    """Return `changes.json` of the version that readers see.

    Raises:
        TanhuanError: nothing is published, or by a version that did not tell changes yet.
    """
    folder = settings.published / "current"
    path = folder / "changes.json"
    if not folder.exists():
        raise TanhuanError(f"Nothing is published under {settings.published} yet.", "run `make night`.")
    if not path.exists():
        raise TanhuanError(f"{folder.resolve().name} does not tell what it changed.", "the next publication will.")
    return dict(read_json(path))


def show_changes(settings: Settings, limit: int, as_json: bool, console: Console) -> None:
    """Print what the last publication changed, the most important first, or all of it as JSON."""
    changes = read_changes(settings)
    if as_json:
        console.print_json(json.dumps(changes, ensure_ascii=False))
        return
    console.print(f"[bold]{changes['version']}[/]  截至 as of {changes['as_of']}", highlight=False)
    if changes["version_before"] is None:
        console.print("首次发布，无可比较 The first publication: there is nothing to compare it with.")
        return
    console.print(f"对比 against {changes['version_before']}  截至 as of {changes['as_of_before']}\n", highlight=False)
    if not changes["tables"]:
        console.print("[green]✓[/] 无变化 Nothing has changed.")
        return
    _print_causes(changes["causes"], console)
    console.print(_lay_out_tables(changes["tables"]))
    _print_values(changes["changes"][:limit], console)
    shown = min(limit, changes["listed"])
    console.print(
        f"\n指标与专题变化 {changes['total']} 项，列出 {shown} 项。 {shown} of {changes['total']} shown;", end=" "
    )
    console.print("全部见 all in changes.json, ops_change.", highlight=False)


def _new_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_causes(causes: list[dict[str, Any]], console: Console) -> None:
    console.print("[bold]原因 causes[/]")
    for cause in causes:
        counts = f"{cause['changes']:,} 项 changes, 已结束时段 in closed periods {cause['in_closed_periods']:,}"
        for line in (
            f"{_KINDS[cause['cause_kind']]}  {counts}",
            f"  表 tables {', '.join(cause['tables'])}",
            f"  来源 from {escape(cause['cause'] or '–')}",
        ):
            console.print(line, soft_wrap=True, highlight=False)


def _lay_out_tables(tables: dict[str, dict[str, int]]) -> Table:
    table = _new_table("\n表 tables", "表 table", *(label.replace(" ", "\n") for label in _CHANGES.values()))
    for name, counts in tables.items():
        table.add_row(name, *(f"{counts[kind]:,}" if kind in counts else "–" for kind in _CHANGES))
    return table


def _print_values(changes: list[dict[str, Any]], console: Console) -> None:
    console.print("\n[bold]指标与专题 indicators and marts[/]")
    for change in changes:
        moved = change["relative_change"]
        row = " ".join(str(v) for v in json.loads(change["row_key"]).values()) if change["row_key"] else "–"
        place = f"{change['table_name']} {row} {change['column_name'] or _CHANGES[change['change']]}"
        share = "" if moved is None else f" ({100 * moved:+,.1f} %)"
        closed = " [dim](已结束 closed)[/]" if change["is_closed_period"] else ""
        line = f"{escape(place)}: {escape(_describe_value(change))}{share}  {_KINDS[change['cause_kind']]}{closed}"
        console.print(line, soft_wrap=True, highlight=False)


def _describe_value(change: dict[str, Any]) -> str:
    if change["row_key"] is None:
        return f"另有 {change['change_count']:,} 项 more"
    if change["change"] != "changed":
        return "整行 whole row"
    return f"{_shorten(change['old_value'])} → {_shorten(change['new_value'])}"


def _shorten(value: str | None, width: int = 40) -> str:
    text = "–" if value is None else value
    return text if len(text) <= width else f"{text[: width - 1]}…"
