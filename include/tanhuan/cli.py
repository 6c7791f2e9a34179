"""The `tanhuan` command: what a person at a terminal can ask for.

Belongs here: options, output, exit codes (0 only if the command did what it says). Does not belong here: the work.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from tanhuan import cli_assess, cli_quarantine, cli_report, cli_returns
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings, get_settings

if TYPE_CHECKING:
    from tanhuan.mutations.bench import GatesRequest

app = typer.Typer(
    help="潭环 tanhuan: the nightly environmental data platform. 每夜拉取、把关、建模、发布。",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
hj212_app = typer.Typer(help="HJ 212 报文 Packets of HJ 212.", no_args_is_help=True)
app.add_typer(hj212_app, name="hj212")
app.add_typer(cli_quarantine.app, name="quarantine")
app.command()(cli_assess.assess)
app.command()(cli_report.report)
app.add_typer(cli_returns.app, name="returns")
console = Console()

KeyOption = Annotated[
    str | None,
    typer.Option("--date", metavar="YYYY-MM-DD", help="数据日 The business date to report on; yesterday if not given."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="给程序看的输出 Print JSON for programs.")]


def _resolve(date: str | None) -> dt.date:
    from tanhuan.nights import resolve_key

    return resolve_key(date, None)


def _read_day(text: str | None) -> dt.date:
    try:
        return dt.date.fromisoformat(str(text))
    except ValueError as exc:
        raise TanhuanError(f"{text!r} is not a date.", "name days as YYYY-MM-DD.") from exc


def _as_if_waited_for(settings: Settings) -> Settings:
    """Shorten Airflow's retries, unless they were set: somebody sits at the terminal."""
    short = {"land_retries": 1, "land_retry_delay_s": 5.0}
    return settings.model_copy(update={k: v for k, v in short.items() if k not in settings.model_fields_set})


@app.command()
def night(
    date: KeyOption = None,
    report: Annotated[bool, typer.Option(help="结束后显示指标 Show the indicators afterwards.")] = True,
) -> None:
    """运行一整夜 Run one whole night through the real Airflow DAGs and show what was published.

    Uses the Airflow of `tanhuan up` if that is running, else starts one for the moment. Without TANHUAN_UPSTREAM_URL
    the feeds come from the stand-in (synthetic rows say so). The first night loads the history and takes longer.
    """
    from tanhuan.night_run import run_night
    from tanhuan.screen import show_publication
    from tanhuan.services import use_airflow

    settings, key = _as_if_waited_for(get_settings()), _resolve(date)
    console.rule(f"潭环 tanhuan · 夜次 night of {key}")
    started = time.monotonic()
    with console.status("启动 Airflow … starting Airflow"), use_airflow(settings) as airflow:
        console.print(f"  Airflow {airflow.url} [dim]({time.monotonic() - started:.1f} s)[/]")
        result = run_night(airflow.api, key, settings, console)
    for failure in result.failures:
        console.print(f"[red]✗[/] {escape(failure)}", highlight=False, soft_wrap=True)
    if not result.published:
        console.print("[red]未发布 Nothing was published; readers keep the version they had.[/]")
        raise typer.Exit(1)
    console.print(f"  夜间流程 the night took [bold]{result.seconds:.1f} s[/]")
    if report:
        show_publication(settings, console)


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="UI 端口 Port of the UI; TANHUAN_AIRFLOW_PORT if not given.")] = None,
) -> None:
    """启动 Airflow Start Airflow (scheduler, API server, DAG processor, triggerer) on loopback until Ctrl-C."""
    from tanhuan.services import use_airflow

    settings = get_settings()
    with use_airflow(settings, port or settings.airflow_port) as airflow:
        console.print(f"[bold]Airflow[/]  {airflow.url}")
        console.print(f"登录 login  {airflow.user} / {airflow.password}")
        console.print("打开一夜 open a night: trigger the DAG `night` in the UI, or `make night` in another terminal")
        console.print("[dim]Ctrl-C 结束 ends it all[/]")
        try:
            signal.pause()
        except KeyboardInterrupt:
            console.print("停止 stopping …")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def airflow(context: typer.Context) -> None:
    """执行 airflow 命令 Run any airflow command in this installation, e.g. `tanhuan airflow dags test pull_permits`.

    Without TANHUAN_UPSTREAM_URL the stand-in serves as upstream. The night is yesterday, or `-c '{"date": "…"}'`.
    """
    from tanhuan.services import run_airflow

    raise typer.Exit(run_airflow(context.args, get_settings()))


@app.command()
def pull(
    feed: Annotated[str, typer.Argument(help="来源 monitoring, permits, credit or returns.")],
    date: KeyOption = None,
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="起始日 These days again …")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="截止日 … up to this one.")] = None,
    table: Annotated[list[str] | None, typer.Option(help="只拉这些表 Only these tables; repeat for more.")] = None,
    form: Annotated[
        str | None,
        typer.Option(help="来件形式 pages, ndjson, parquet, cnemc_air, cnemc_water, hj212; as configured if none."),
    ] = None,
    inbox: Annotated[bool, typer.Option("--inbox", help="只收投递 Only files dropped under inbox/<table>/.")] = False,
    as_json: JsonOption = False,
) -> None:
    """拉取一路数据 Pull one feed outside Airflow, take it through gate 1 and say where every row went.

    For a night: its window, missing history and the inbox. With --from and --to: just these days. The next refresh
    takes in what was admitted. Ends with 0 only if all came and was let in.
    """
    from tanhuan.pull_run import PullRequest, run_pull, show_pull

    days = (_read_day(first), _read_day(last or first)) if first else None
    request = PullRequest(feed, _resolve(date), table or [], form, days, inbox)
    result = run_pull(request, get_settings(), Console(stderr=True))
    if as_json:
        typer.echo(json.dumps(result.as_record(), ensure_ascii=False, indent=1))
    else:
        show_pull(result, console)
    if not result.is_whole:
        raise typer.Exit(1)


@app.command()
def backfill(
    feed: Annotated[str, typer.Argument(help="来源 monitoring, permits, credit, returns or all.")] = "all",
    first: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="起始日 First day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="截止日 Last day.")] = None,
    reason: Annotated[str, typer.Option(help="事由 Why; goes into the ledger.")] = "",
    who: Annotated[str, typer.Option(help="经办人 Who asks; the login name if not given.")] = "",
    table: Annotated[list[str] | None, typer.Option(help="只补这些表 Only these tables; repeat for more.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="ID", help="续办 Go on with a request cut off.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="列出申请 List all requests and how far each got.")] = False,
    as_json: JsonOption = False,
) -> None:
    """回补 Pull past days again, recorded with reason and name, through the DAG `backfill` in chunks.

    Readers keep the published version until the new one has passed its gates. A request that was cut off goes on with
    --resume where it stopped. Ends with 0 only if everything came and was published.
    """
    from tanhuan.backfill import list_requests, new_request, read_request
    from tanhuan.backfill_run import run_backfill, show_requests
    from tanhuan.services import use_airflow

    settings = _as_if_waited_for(get_settings())
    if list_all:
        states = list_requests(settings)
        if as_json:
            typer.echo(json.dumps([state.as_record() for state in states], ensure_ascii=False, indent=1))
        else:
            show_requests(states, console)
        return
    request = (
        read_request(resume, settings)
        if resume
        else new_request(feed, first, last, reason, who or getpass.getuser(), table or [])
    )
    progress = Console(stderr=True) if as_json else console
    with progress.status("启动 Airflow … starting Airflow"), use_airflow(settings) as airflow:
        result = run_backfill(airflow.api, request, settings, progress)
    if as_json:
        typer.echo(json.dumps(result.as_record(), ensure_ascii=False, indent=1))
    for failure in result.failures:
        progress.print(f"[red]✗[/] {escape(failure)}", highlight=False, soft_wrap=True)
    if not result.published:
        progress.print(f"[red]未完成 Not finished.[/] 续办 go on with: tanhuan backfill --resume {request.id}")
        raise typer.Exit(1)
    progress.print(f"[green]✓[/] 已补并发布 pulled and published, [bold]{result.seconds:.1f} s[/]")


@hj212_app.command()
def decode(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="报文档案 An archive of raw packets.")],
) -> None:
    """解码报文档案 Print one JSON object per packet: offset, verdict, error, head, items.

    Editions 2005, 2017 and 2025; encrypted packets need their logger's key in TANHUAN_PACKET_KEYS. How many are good,
    flagged and bad is said at the end, on standard error.
    """
    from tanhuan.formats.hj212_packets import decode_file

    verdicts: Counter[str] = Counter()
    for packet in decode_file(file, get_settings().list_packet_keys()):
        verdicts[packet["verdict"]] += 1
        sys.stdout.write(json.dumps(packet, ensure_ascii=False) + "\n")
    sys.stderr.write(f"{file.name}: {', '.join(f'{n} {verdict}' for verdict, n in verdicts.items()) or 'empty'}\n")


@app.command()
def show(
    region: Annotated[str, typer.Option(help="全市或县区代码 code of the city or a county")] = "430300",
    as_json: JsonOption = False,
) -> None:
    """查看当前发布 Show the published indicators, the gates and where the files are."""
    from tanhuan.screen import list_indicators, show_publication

    if as_json:
        rows = list_indicators(get_settings(), region)
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1, default=str))
    else:
        show_publication(get_settings(), console, region)


@app.command()
def gates(
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="夜次 The night to tell of; the newest if none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """两道闸门的结果 What the gates answered: writes the page of the last 14 nights and says where it is.

    With --json one night as data: every table's state and loads, every check with counts and failing rows.
    """
    from tanhuan.gates.nights import read_night
    from tanhuan.gates.page import summarise, write_page

    settings = get_settings()
    night = read_night(_read_day(date) if date else None, settings)
    if as_json:
        typer.echo(json.dumps(night.as_record(), ensure_ascii=False, indent=1))
        return
    index = write_page(settings)
    page = index.with_name(f"{night.key}.html")
    for sentence in (f"[bold]{night.key}[/]", *summarise(night)):
        console.print(sentence, highlight=False, soft_wrap=True)
    console.print(f"页面 page  {index}", highlight=False, soft_wrap=True)
    if page.exists():
        console.print(f"本夜 night {page}", highlight=False, soft_wrap=True)


@app.command()
def changes(
    limit: Annotated[int, typer.Option(help="行数 Values to show.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """查看变化及原因 Show what the last publication changed against the one before, and why."""
    from tanhuan.show_changes import show_changes

    show_changes(get_settings(), limit, as_json, console)


@app.command()
def rebuild() -> None:
    """重建数仓 Make the private warehouse anew from the lake and publish it under the newest night's date."""
    from tanhuan.warehouse.rebuild import rebuild_warehouse

    publication = rebuild_warehouse(get_settings(), console)
    console.print(f"[green]✓[/] {publication.path}\n  content {publication.content_hash}")


@app.command()
def standin(
    port: Annotated[int, typer.Option(help="端口 Port on loopback; 0 takes a free one.")] = 8085,
    today: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="扮演哪一天 Play this day; what came later is unknown.")
    ] = None,
) -> None:
    """启动替身平台 Serve the stand-in for the upstream platforms on loopback until Ctrl-C.

    The login is TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD.
    """
    from tanhuan.standin.server import serve

    settings = get_settings()
    password = settings.upstream_password.get_secret_value()
    if not password:
        raise TanhuanError("The stand-in needs a password.", "set TANHUAN_UPSTREAM_PASSWORD.")
    serve("127.0.0.1", port, settings.upstream_user, password, today=_read_day(today) if today else None)


@app.command()
def bench(
    what: Annotated[
        list[str] | None, typer.Argument(help="项目 reading, gate, emissions, packets; all if none is named.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="行数 Rows to read or to judge; 2 million and 1 million if none are named.")
    ] = None,
    packets: Annotated[int, typer.Option(help="报文数 Packets to decode.")] = 200_000,
    threads: Annotated[int, typer.Option(help="线程 Threads of DuckDB.")] = 2,
    seeds: Annotated[int, typer.Option(help="gates: 每类错误几次 How often each kind is tried.")] = 3,
    nights: Annotated[int, typer.Option(min=2, help="gates: 净夜数 Clean nights beforehand.")] = 20,
    table: Annotated[list[str] | None, typer.Option(help="gates: 只试这些表 Only these tables, or marts.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="gates: 只试这些错误 Only these kinds.")] = None,
    base: Annotated[Path | None, typer.Option(help="gates: 净底存放处 Keep the clean base here for next time.")] = None,
    gate1: Annotated[bool, typer.Option("--gate1", help="gates: 只试第一道闸门 Stop behind gate 1.")] = False,
    as_json: JsonOption = False,
) -> None:
    """测速 Measure this machine with the real code, beside plain DuckDB in the same run.

    reading: landed bytes to admitted Parquet, contract checks included, the suite's checks apart.
    gate: gate 1 with every check and quarantine, in a process of its own whose memory is told; Great Expectations'
    import apart. Beside it the same checks by hand in one pass of DuckDB, which finds the same rows.
    emissions: 60 outlets and six years of hours from the lake to the marts, then a night that restates its seven days,
    and one in which an hour of 2023 comes late. Takes some minutes.
    packets: decoding of HJ 212 on one core. Rows are made and thrown away; nothing of the installation is touched.
    gates: no speed, and only if named: clean nights, then spoilt ones, and whether the gates notice. Takes long.
    """
    if what == ["gates"]:
        from tanhuan.mutations.bench import GatesRequest

        _bench_gates(GatesRequest(table or [], kind or [], seeds, nights, base, gate1), as_json)
        return
    from tanhuan.bench import list_measures, show_measures

    measures = list_measures(what or [], rows, packets, threads, get_settings())
    if as_json:
        typer.echo(json.dumps([measure.as_record() for measure in measures], indent=1))
    else:
        show_measures(measures, console)


def _bench_gates(request: GatesRequest, as_json: bool) -> None:
    """Try the gates with spoilt nights; ends with 0 only if they hold."""
    from tanhuan.mutations.bench import try_gates
    from tanhuan.mutations.report import show_report

    report = try_gates(request, get_settings(), Console(stderr=True))
    if as_json:
        typer.echo(json.dumps(report.as_record(), ensure_ascii=False, indent=1))
    else:
        show_report(report, console)
    if report.list_faults():
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """体检 Check that this machine, the upstream and the published version are in order."""
    from tanhuan.doctor import examine

    findings = examine(get_settings())
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        console.print(f"{mark} {finding.what}: {finding.detail}", soft_wrap=True)
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; a known failure is a sentence, not a trace."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # Whoever ends this process ends what it started, too: the same way out as Ctrl-C.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    status = 0
    try:
        app()
    except ValidationError as refusal:
        wrong = "; ".join(f"TANHUAN_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in refusal.errors())
        console.print(f"[red]✗[/] 设置有误 A setting is wrong. {escape(wrong)}", highlight=False, soft_wrap=True)
        status = 1
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except TanhuanError as failure:
        console.print(f"[red]✗[/] {escape(str(failure))}", highlight=False, soft_wrap=True)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # DuckDB 2.0 prints a page of harmless "nanobind: leaked" lines when the interpreter takes itself down.
    os._exit(status)


if __name__ == "__main__":
    main()
