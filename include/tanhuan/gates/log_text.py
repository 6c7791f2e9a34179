"""A gate run as one message of a task log: what failed with its rows, a line per check, what to do next.

Plain monospace text without colours. Chinese characters are two columns wide, so the laying out is left to rich.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tanhuan.gates.page import page_folder
from tanhuan.gates.results import CheckResult, sort_failing
from tanhuan.gates.samples import Sample, choose_columns, count_texts, read_sample, show_plain
from tanhuan.landing import Load
from tanhuan.settings import Settings

WIDTH = 160
#: failing rows shown of each check, the width of one of their values, and of a check's name
_ROWS, _VALUE_WIDTH, _ID_WIDTH = 10, 36, 44
#: checks told in the sentence of an error; the log has them all
_FOREMOST = 3
_MARKS = {"flag": "⚑", "refuse_row": "✗", "refuse_batch": "✗"}


@dataclass(frozen=True)
class GateRun:
    """What is to be told of a run: its heading, its answers, the key by which a row of the table is known, the way on.

    `brief`: that all passed takes one line instead of one a check.
    """

    heading: str
    results: Sequence[CheckResult]
    key: Sequence[str] = ()
    way_on: Sequence[str] = field(default_factory=list)
    brief: bool = False


def render_run(run: GateRun) -> str:
    """Return the message."""
    failing = sort_failing(run.results)
    parts = [_print(_lay_out_failing(failing))] if failing else []
    parts += [_render_rows(result, run.key) for result in failing if result.samples]
    if run.results:
        parts.append(_render_lines(run.results, brief=run.brief and not failing))
    if run.way_on:
        parts.append("\n".join(run.way_on))
    return f"{run.heading}\n" + "\n\n".join(parts)


def find_way_on(load: Load, refused_batch: bool, settings: Settings) -> list[str]:
    """Return the lines that lead from a refusal of gate 1 to its rows, their raw payload and the runbook."""
    runbook = "rows-in-quarantine.md"
    if refused_batch:
        runbook = "dropped-file-not-taken.md" if load.kind == "file" else "batch-refused.md"
    return [
        f"→ 下一步 next: tanhuan quarantine show {load.load_id} · 手册 runbook: docs/runbooks/{runbook}",
        f"  原始数据 raw payload: {load.folder(settings)}",
        _name_page(settings),
    ]


def find_way_on_2(settings: Settings) -> list[str]:
    """Return the lines that lead on from a refusal of gate 2."""
    return ["→ 手册 runbook: docs/runbooks/gate-2-refused.md", _name_page(settings)]


def _name_page(settings: Settings) -> str:
    return f"  各夜一览 page of the nights: {page_folder(settings) / 'index.html'}"


def name_foremost(results: Sequence[CheckResult]) -> str:
    """Return the refusing checks for the sentence of an error: the first with what they mean, the rest by name."""
    told = [f"[{r.action}] {r.id}{_count(r)}: {r.zh} {r.en}" for r in results[:_FOREMOST]]
    rest = [f"[{r.action}] {r.id}" for r in results[_FOREMOST:]]
    return "\n".join([*told, *([f"and {', '.join(rest)}"] if rest else [])])


def _count(result: CheckResult) -> str:
    return "" if result.failed_rows is None else f" ({result.failed_rows} rows)"


def _lay_out_failing(failing: list[CheckResult]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("处置 action", no_wrap=True)
    table.add_column("检查 check", overflow="fold", max_width=_ID_WIDTH)
    for name in ("行 rows", "占比 share"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("观测 observed", overflow="fold", max_width=24)
    table.add_column("含义 what it means", overflow="fold", ratio=1)
    for r in failing:
        rows = "–" if r.failed_rows is None else f"{r.failed_rows:,}"
        share = "–" if r.failed_share is None else f"{r.failed_share:.2%}"
        meaning = f"{r.zh}\n{r.en}\n({r.source})"
        cells = (r.action, r.id, rows, share, show_plain(r.observed or "–"), meaning)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _render_rows(result: CheckResult, key: Sequence[str]) -> str:
    samples = [read_sample(text, result.level) for text in result.samples[:_ROWS]]
    of = "" if result.failed_rows is None else f" / {result.failed_rows:,}"
    heading = f"[{result.action}] {result.id}: 未通过的行 failing rows {len(samples)}{of}"
    if any(sample.row is None for sample in samples):
        return "\n".join([heading, *(f"  {f'{place} {text}'.strip()}" for place, text in count_texts(samples))])
    names = choose_columns(samples, key, result.columns)
    columns = _choose_fitting(samples, names)
    left_out = f" （另有 {len(names) - len(columns)} 列 more columns）" if len(columns) < len(names) else ""
    return f"{heading}{left_out}\n{_print(_lay_out_rows(samples, columns))}"


def _choose_fitting(samples: list[Sample], names: list[str]) -> list[str]:
    """Return the first columns that fit beside each other, one at least."""
    room = WIDTH - max(cell_len(sample.place) for sample in samples)
    chosen: list[str] = []
    for name in names:
        widest = max(cell_len(text) for text in [name, *((sample.row or {}).get(name, "") for sample in samples)])
        room -= min(widest, _VALUE_WIDTH) + 2
        if room < 0 and chosen:
            break
        chosen.append(name)
    return chosen


def _lay_out_rows(samples: list[Sample], columns: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    placed = any(sample.place for sample in samples)
    for name in (*(["来处 place"] if placed else []), *columns):
        table.add_column(Text(name), no_wrap=True, overflow="ellipsis", max_width=_VALUE_WIDTH)
    for sample in samples:
        values = [(sample.row or {}).get(name, "") for name in columns]
        table.add_row(*(Text(value) for value in ([sample.place] if placed else []) + values))
    return table


def _render_lines(results: Sequence[CheckResult], brief: bool) -> str:
    if brief:
        return f"✓ {len(results)} 项检查全部通过 checks, all passed"
    width = max((cell_len(r.id) for r in results), default=0)
    lines = []
    for r in results:
        mark = "✓" if r.passed else _MARKS[r.action]
        lines.append(_cut(f"{mark} {set_cell_size(r.id, width)}  {r.level:<5}  {r.action:<12}  {r.zh}"))
    return "\n".join(lines)


def _cut(line: str) -> str:
    return line if cell_len(line) <= WIDTH else set_cell_size(line, WIDTH - 1).rstrip() + "…"


def _print(table: Table) -> str:
    out = StringIO()
    # Nothing of the environment: a colour or a width of somebody's terminal has no place in a log.
    console = Console(file=out, width=WIDTH, color_system=None, markup=False, emoji=False, highlight=False, _environ={})
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines() if line.strip())
