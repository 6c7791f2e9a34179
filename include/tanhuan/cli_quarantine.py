"""`tanhuan quarantine …`: what is held and why, and what a person does with it.

Belongs here: options, and laying out for a terminal. Does not belong here: the work (`quarantine.py`, `release.py`,
`corrections.py`).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from tanhuan.contracts import Text, get_contract
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings, get_settings

#: reasons named of each load in the list
_FOREMOST = 3
#: loads looked at for what a correction did last
_LOADS_LOOKED_BACK = 60
_STATES = ("held", "released", "dropped")
console = Console()


class _LoadsToo(TyperGroup):
    """A group that takes the name of a load for `show`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Resolve a subcommand; what is none is a load."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_LoadsToo,
    help="隔离区 Rows in quarantine: list, show, release or drop them; corrections. Without a command all are listed.",
    invoke_without_command=True,
)

LoadArgument = Annotated[str, typer.Argument(help="批次号 The load whose rows were refused.")]
RowOption = Annotated[
    list[str] | None, typer.Option("--row", metavar="N", help="行 Only this row, or FILE:N; repeat for more.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="CHECK_ID", help="原因 Only rows refused for this reason.")
]
WhyOption = Annotated[str, typer.Option("--why", help="事由（必填） Why; goes into the ledger.")]
WhoOption = Annotated[str | None, typer.Option("--who", help="经办人 Who acts; the login name if not given.")]
DocumentOption = Annotated[str | None, typer.Option("--document", help="依据文号 The document it rests on.")]
JsonOption = Annotated[bool, typer.Option("--json", help="给程序看的输出 Print JSON for programs.")]
LimitOption = Annotated[int, typer.Option(min=1, help="至多多少条 At most so many.")]


@app.callback()
def _list_if_alone(context: typer.Context) -> None:
    """隔离区 Rows in quarantine: list, show, release or drop them; corrections. Without a command all are listed."""
    if context.invoked_subcommand is None:
        list_loads()


@app.command("list")
def list_loads(
    table: Annotated[str | None, typer.Option(help="表 Only this table.")] = None,
    reason: ReasonOption = None,
    night: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="夜次 Only loads of this night.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="起 Nights from this …")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="止 … up to this one.")] = None,
    state: Annotated[str | None, typer.Option(help="状态 held, released or dropped.")] = None,
    load: Annotated[str | None, typer.Option(help="批次 Only this load.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """列出隔离批次 List loads with refused rows, newest first: how many rows, foremost reasons, present state."""
    if state not in (None, *_STATES):
        raise TanhuanError(f"There is no state {state!r}.", f"choose one of {', '.join(_STATES)}.")
    nights = (_read_day(night or first), _read_day(night or last))
    rows = summarise_loads(Filters(table, load, nights, reason, state), limit, get_settings())
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
    else:
        _print_loads(rows, limit)


@app.command()
def show(
    load_id: LoadArgument,
    row: RowOption = None,
    reason: ReasonOption = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """查看隔离行 Show refused rows as received, every reason with its sentence and clause, and where the bytes lie."""
    held = describe_load(load_id, row or [], reason, limit, get_settings())
    if as_json:
        typer.echo(json.dumps(held, ensure_ascii=False, indent=1, default=str))
    else:
        _print_load(held)


@app.command()
def release(
    load_id: LoadArgument,
    why: WhyOption,
    row: RowOption = None,
    reason: ReasonOption = None,
    document: DocumentOption = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK_ID", help="豁免 Waive this check for these rows; repeat for more."),
    ] = None,
    who: WhoOption = None,
    as_json: JsonOption = False,
) -> None:
    """放行 Take held rows through the gate again; those that pass reach the marts with the next refresh.

    They become a load of their own; corrections and row checks apply. What fails again stays held, and the command
    says why and ends with 1.
    """
    from tanhuan.release import Selection, Word, release_rows

    with console.status("过闸 … passing the gate"):
        result = release_rows(
            Selection(load_id, row or [], reason), Word(why, who, document), accept or [], get_settings()
        )
    texts = explain(result.outcome.load.table, get_settings())
    if as_json:
        typer.echo(json.dumps(_record_release(result), ensure_ascii=False, indent=1))
    else:
        _print_release(result, load_id, texts)
    if not result.is_whole:
        raise typer.Exit(1)


@app.command()
def drop(
    load_id: LoadArgument,
    why: WhyOption,
    row: RowOption = None,
    reason: ReasonOption = None,
    document: DocumentOption = None,
    who: WhoOption = None,
) -> None:
    """作废 Mark held rows as dropped: somebody has decided that they will not enter. They stay where they are."""
    from tanhuan.release import Selection, Word, drop_rows

    act = drop_rows(Selection(load_id, row or [], reason), Word(why, who, document), get_settings())
    console.print(
        f"[green]✓[/] 已作废 dropped: {act.rows} rows of load {load_id}, by {escape(act.who)}", soft_wrap=True
    )


@app.command()
def reopen(
    load_id: LoadArgument,
    why: WhyOption,
    row: RowOption = None,
    reason: ReasonOption = None,
    document: DocumentOption = None,
    who: WhoOption = None,
) -> None:
    """撤回 Take a mark back: the rows are held again. Not for released rows that have entered the lake."""
    from tanhuan.release import Selection, Word, reopen_rows

    act = reopen_rows(Selection(load_id, row or [], reason), Word(why, who, document), get_settings())
    console.print(f"[green]✓[/] 已撤回 held again: {act.rows} rows of load {load_id}", soft_wrap=True)


@app.command()
def corrections(as_json: JsonOption = False) -> None:
    """更正规则 List all corrections, what each did in the last load it met, and which are stale or malformed.

    Ends with 1 if any is.
    """
    rows, wrong = list_corrections(get_settings())
    if as_json:
        typer.echo(json.dumps({"corrections": rows, "malformed": wrong}, ensure_ascii=False, indent=1, default=str))
    else:
        _print_corrections(rows, wrong)
    if wrong or any(row["is_stale"] for row in rows):
        raise typer.Exit(1)


# What is told


@dataclass(frozen=True)
class Filters:
    """Which loads are listed; the nights are the first and the last one, ISO texts."""

    table: str | None = None
    load_id: str | None = None
    nights: tuple[str | None, str | None] = (None, None)
    reason: str | None = None
    state: str | None = None


def _read_day(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError as exc:
        raise TanhuanError(f"{text!r} is not a date.", "name days as YYYY-MM-DD.") from exc


def summarise_loads(filters: Filters, limit: int, settings: Settings) -> list[dict[str, Any]]:
    """Return the loads with refused rows, newest first: rows, rows by state, foremost reasons.

    Raises:
        TanhuanError: nothing is in quarantine, or nothing that fits.
    """
    from tanhuan.duck import open_memory
    from tanhuan.quarantine import list_files, show_held

    files = list_files(settings, filters.table, filters.load_id)
    if not files:
        if filters != Filters():
            raise TanhuanError("There are no refused rows that fit.", "`tanhuan quarantine list` lists all.")
        raise TanhuanError("There are no refused rows. 隔离区为空。", "`tanhuan gates` shows what the gates answered.")
    first, last = filters.nights
    files = [f for f in files if (first or "") <= f.parent.name.removeprefix("dt=") <= (last or "9999")]
    if filters.reason is None and filters.state is None:
        files = files[:limit]
    if not files:
        raise TanhuanError("There are no refused rows that fit.", "`tanhuan quarantine list` lists all.")
    with open_memory() as con:
        show_held(con, files, settings)
        rows = _fetch(
            con,
            """
            with fitting as (
                from held
                where ($reason::varchar is null or list_contains(reason_ids, $reason::varchar))
                    and ($state::varchar is null or state = $state::varchar)
            ),
            counted as (
                select load_id, table_name, night, count(*) as rows, any_value(detail) as detail,
                    count(*) filter (state = 'held') as held,
                    count(*) filter (state = 'released') as released,
                    count(*) filter (state = 'dropped') as dropped
                from fitting
                group by all
            ),
            reasons as (
                select load_id, list({'id': id, 'rows': rows} order by rows desc, id) as reasons
                from (
                    select load_id, id, count(*) as rows
                    from (select load_id, unnest(reason_ids) as id from fitting)
                    group by all
                )
                group by load_id
            )
            select counted.*, coalesce(reasons[1:$foremost], []) as reasons
            from counted left join reasons using (load_id)
            order by load_id desc
            limit $limit
            """,
            {"reason": filters.reason, "state": filters.state, "foremost": _FOREMOST, "limit": limit},
        )
    texts = {name: explain(name, settings) for name in {row["table_name"] for row in rows}}
    for row in rows:
        row["reasons"] = [{**found, **_explain_one(texts[row["table_name"]], found["id"])} for found in row["reasons"]]
    return rows


def describe_load(
    load_id: str, rows: Sequence[str], reason: str | None, limit: int, settings: Settings
) -> dict[str, Any]:
    """Return one load's refused rows with every reason, where their bytes lie, and what can be done.

    Raises:
        TanhuanError: the load has no refused rows, or none that fit.
    """
    from tanhuan import ledger
    from tanhuan.duck import open_memory
    from tanhuan.quarantine import list_files, show_held

    files = list_files(settings, load_id=load_id)
    if not files or files[0].stem != load_id:
        raise TanhuanError(f"There are no refused rows of load {load_id}.", "`tanhuan quarantine list` names them all.")
    named = [text.rpartition(":") for text in rows]
    with open_memory() as con:
        show_held(con, files, settings)
        found = _fetch(
            con,
            """
            select source_file, source_row, reason_ids, detail, row_json, state, acted_by, acted_at, why, document,
                released_as, count(*) over () as fitting
            from held
            where ($reason::varchar is null or list_contains(reason_ids, $reason::varchar))
                and (len($places::varchar[]) = 0 or list_contains($places::varchar[], source_row::varchar)
                    or list_contains($places::varchar[], source_file || ':' || source_row))
            order by source_file, source_row, ordinal
            limit $limit
            """,
            {"reason": reason, "places": [f"{file}:{row}" if file else row for file, _, row in named], "limit": limit},
        )
    if not found:
        raise TanhuanError(f"No row of load {load_id} fits.", f"`tanhuan quarantine show {load_id}` shows all.")
    known = load_id in ledger.list_names("loads", settings)
    event = ledger.read("loads", load_id, settings) if known else {}
    return _lay_down(load_id, files[0], found, event, settings)


def _lay_down(
    load_id: str, file: Path, found: list[dict[str, Any]], event: dict[str, Any], settings: Settings
) -> dict[str, Any]:
    """Return what `show` tells, in the order in which it is told."""
    table, night = file.parent.parent.name, file.parent.name.removeprefix("dt=")
    form, landed = event.get("form") or "pages", settings.landing / table / f"dt={night}" / load_id
    texts = explain(table, settings)
    fitting = found[0]["fitting"]
    for row in found:
        del row["fitting"]
        row["reasons"] = [{"id": id_, **_explain_one(texts, id_)} for id_ in row.pop("reason_ids")]
        path = landed / row["source_file"]
        row["raw"] = {"path": str(path), "read_with": _tell_reading(path, form, row["source_row"])}
    batch = event.get("state") == "refused"
    book = "batch-refused.md" if batch else "rows-in-quarantine.md"
    return {
        **{"load_id": load_id, "table": table, "night": night, "kind": event.get("kind"), "form": form},
        **{"rows": fitting, "batch_reason": event.get("reason") if batch else None},
        **{"refused_by": event.get("refused_by") or [], "shown": found},
        "runbook": f"docs/runbooks/{book}",
        "next": _tell_next(load_id, event, found, settings),
    }


def _tell_reading(path: Path, form: str, row: int) -> str:
    """Return the command that prints the very row from the payload."""
    unpack = f"zstd -dc {path}" if path.suffix == ".zst" else f"cat {path}"
    if form == "pages":
        return f"{unpack} | jq '.rows[{row - 1}]'"
    if form == "parquet":
        return f"duckdb -c \"select * from read_parquet('{path}') limit 1 offset {row - 1}\""
    if form == "hj212":
        return f"{unpack} | tail -c +{row + 1} | head -n 1"
    if form == "cnemc_water":
        return unpack
    return f"{unpack} | sed -n '{row}p'"


def _tell_next(load_id: str, event: dict[str, Any], found: list[dict[str, Any]], settings: Settings) -> list[str]:
    """Return the commands that make sense now."""
    if event.get("kind") == "release":
        from tanhuan.landing import read_receipt
        from tanhuan.release import rebuild_load
        from tanhuan.terms import read_terms

        terms = read_terms(read_receipt(rebuild_load(event), settings))
        return [f"tanhuan quarantine show {terms.load_id}"] if terms else []
    quarantine, states = "tanhuan quarantine", {row["state"] for row in found}
    held = [f"{quarantine} {act} {load_id} --why …" for act in ("release", "drop") if "held" in states]
    if held and event.get("refused_by"):
        from tanhuan.terms import is_acceptable

        accepted = [name for name in event["refused_by"] if is_acceptable(name, event["table"])]
        held[0] += "".join(f" --accept {name}" for name in accepted)
    marked = [f"{quarantine} reopen {load_id} --why …"] if "dropped" in states else []
    return held + marked


def explain(table: str, settings: Settings) -> dict[str, dict[str, str]]:
    """Return what the reasons of a table mean, by id: sentence in both languages and source.

    From the suite and the contract, the corrections and what readers meet.
    """
    from tanhuan.corrections import read_corrections
    from tanhuan.forms import DAILY_FILES, TABLE_FILE, get_form
    from tanhuan.gates.suites import load_source_suite
    from tanhuan.terms import list_release_checks

    contract = get_contract(table)
    checks = [*load_source_suite(contract, settings).checks, *list_release_checks(contract)]
    told = {c.id: {"zh": c.zh, "en": c.en, "source": c.source} for c in checks}
    for form in (TABLE_FILE, *DAILY_FILES):
        told |= {id_: _as_told(text, "docs/feeds.md") for id_, text in get_form(form, settings).faults.items()}
    found, _ = read_corrections(settings)
    return told | {c.id: _as_told(c.reason, f"expectations/corrections/{c.id}.yml") for c in found}


def _as_told(text: Text, source: str) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en, "source": source}


def _explain_one(texts: dict[str, dict[str, str]], id_: str) -> dict[str, str]:
    # A check may have gone since; what it said that night is in the ledger.
    return texts.get(id_) or {
        "zh": "该检查现已不存在",
        "en": "this check no longer exists",
        "source": "ops_gate_result",
    }


def list_corrections(settings: Settings) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return all corrections with what each did in the last load that it met, and what is wrong with malformed ones."""
    from tanhuan.corrections import read_corrections

    found, wrong = read_corrections(settings)
    rows = []
    for correction in found:
        last = _find_last(correction.id, correction.table, settings) if correction.acts else None
        told = correction.model_dump(mode="json", include={"id", "table", "status", "action", "document", "valid_to"})
        told |= {"zh": correction.reason.zh, "en": correction.reason.en, "last": last}
        rows.append({**told, "is_stale": last is not None and last["acted"] == 0})
    return rows, wrong


def _find_last(id_: str, table: str, settings: Settings) -> dict[str, Any] | None:
    """Return what a correction did in the newest load of which it matched rows."""
    from tanhuan import ledger

    names = [name for name in ledger.list_names("gates", settings) if name.endswith(f"-{table}")]
    for name in reversed(names[-_LOADS_LOOKED_BACK:]):
        for applied in ledger.read("gates", name, settings).get("corrections", []):
            if applied["id"] == id_ and applied["matched"]:
                return {"load_id": name, "matched": applied["matched"], "acted": applied["acted"]}
    return None


def _fetch(con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    answer = con.execute(query, parameters)
    names = [column[0] for column in answer.description or []]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


# How it is laid out


def _print_loads(rows: list[dict[str, Any]], limit: int) -> None:
    _say("[bold]隔离批次 loads with refused rows, newest first[/]")
    for row in rows:
        states = f"在押 held {row['held']:,}  放行 released {row['released']:,}  作废 dropped {row['dropped']:,}"
        _say(f"\n[bold]{row['load_id']}[/]  夜次 night {row['night']}  {row['rows']:,} 行 rows  ({states})")
        reasons = [f"{found['id']} × {found['rows']:,} {found['zh']}" for found in row["reasons"]]
        for told in reasons or [row["detail"] or ""]:
            _say(f"  {escape(told)}")
    if len(rows) == limit:
        console.print(f"[dim]只列最新 {limit} 批 only the newest {limit}; --limit for more[/]")
    _say("\n下一步 next: tanhuan quarantine show LOAD")


def _print_load(held: dict[str, Any]) -> None:
    head = f"[bold]{held['load_id']}[/]  {held['table']}  夜次 night {held['night']}  {held['kind']}  {held['form']}"
    _say(f"{head}  {held['rows']:,} 行 rows")
    if held["batch_reason"]:
        _say(f"[red]整批被拒 refused as a whole:[/] {escape(held['batch_reason'])}")
    for row in held["shown"]:
        _print_row(row)
    if len(held["shown"]) < held["rows"]:
        _say(f"[dim]… {len(held['shown'])} / {held['rows']:,}; --limit, --row, --reason[/]")
    _say(f"\n手册 runbook: {held['runbook']}")
    for command in held["next"]:
        _say(f"下一步 next: {escape(command)}")


def _print_row(row: dict[str, Any]) -> None:
    state = f"[bold]{row['state']}[/]"
    if row["acted_by"]:
        state += escape(f" · {row['acted_by']} · {row['acted_at']:%Y-%m-%d %H:%M} · {row['why']}")
        state += escape("".join(f" · {row[name]}" for name in ("document", "released_as") if row[name]))
    _say(f"\n[bold]{escape(row['source_file'])} row {row['source_row']}[/]  {state}")
    # What an upstream sent is text, whatever brackets it holds.
    _say(f"  {escape(row['row_json'])}")
    for reason in row["reasons"]:
        _say(f"  [red]✗ {escape(reason['id'])}[/] {escape(reason['zh'])}")
        _say(f"    {escape(reason['en'])} ({escape(reason['source'])})")
    if row["detail"] and not row["reasons"]:
        _say(f"  [red]✗[/] {escape(row['detail'])}")
    _say(f"  [dim]原始数据 raw:[/] {escape(row['raw']['read_with'])}")


def _record_release(result: Any) -> dict[str, Any]:
    outcome = result.outcome
    return {
        **{"load_id": outcome.load.load_id, "state": outcome.state, "released": result.released},
        **{"admitted": outcome.admitted, "unchanged": outcome.unchanged, "reason": outcome.reason},
        "held": [vars(row) for row in result.held],
    }


def _print_release(result: Any, load_id: str, texts: dict[str, dict[str, str]]) -> None:
    outcome = result.outcome
    if result.released:
        _say(f"[green]✓[/] 已放行 released: {result.released:,} rows as load {outcome.load.load_id}")
        _say("  下次刷新进入集市 in the marts with the next refresh")
    for note in outcome.notes:
        _say(f"[yellow]·[/] {escape(note)}")
    if not result.held:
        return
    _say(f"[red]✗[/] 仍隔离 still held: {len(result.held):,} rows of load {load_id}")
    if outcome.reason:
        _say(f"  {escape(outcome.reason)}")
    for row in result.held[:20]:
        _say(f"  {escape(row.source_file)} row {row.source_row}: {escape(', '.join(row.reasons))}")
    for id_ in sorted({id_ for row in result.held for id_ in row.reasons}):
        told = _explain_one(texts, id_)
        _say(f"  {escape(id_)}: {escape(told['zh'])} {escape(told['en'])} ({escape(told['source'])})")
    _say(f"下一步 next: tanhuan quarantine show {load_id}")


def _print_corrections(rows: list[dict[str, Any]], wrong: dict[str, str]) -> None:
    table = Table(title="更正规则 corrections", title_justify="left", box=None)
    for name in ("编号 id", "表 table", "状态 status", "动作 action"):
        table.add_column(name, no_wrap=True)
    table.add_column("最近一批 last load it met", overflow="fold")
    table.add_column("事由 reason", overflow="fold", ratio=1)
    for row in rows:
        last = row["last"]
        told = f"{last['acted']} / {last['matched']} rows, {last['load_id']}" if last else "–"
        if row["is_stale"]:
            told = f"[red]已过时 stale[/] {told}"
        cells = (row["id"], row["table"], row["status"], row["action"], told)
        table.add_row(*cells, escape(f"{row['zh']} {row['en']}（{row['document']}）"))
    console.print(table) if rows else _say("没有更正规则 There are no corrections.")
    for name, what in wrong.items():
        _say(f"[red]✗[/] expectations/corrections/{escape(name)}: {escape(what)}")
    if any(row["is_stale"] for row in rows):
        _say("过时的请改为 status: retired；Set stale ones to status: retired (expectations/corrections/README.md).")


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)
