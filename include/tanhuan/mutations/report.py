"""The table of the mutation test: a line a kind, a line a table, and what the gates said on clean nights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tanhuan.mutations.base import CleanNight
from tanhuan.mutations.catalogue import Kind
from tanhuan.mutations.run import Trial

#: what issue and decision ask for: of the corruptions that change a published figure, this share is refused or flagged
GOAL = 0.99
_CAUGHT = ("refused", "flagged")
_COLOURS = {
    "refused": "green",
    "flagged": "yellow",
    "harmless": "dim",
    "silent": "cyan",
    "MISSED": "red",
    "error": "red",
}
_BY_SHOWN = 3


@dataclass(frozen=True)
class Report:
    """Everything a run of the mutation test found out."""

    kinds: Sequence[Kind]
    trials: Sequence[Trial]
    nights: Sequence[CleanNight]

    @property
    def score(self) -> float | None:
        """Caught among those that are caught or change a figure; None if there are none."""
        counts = _count(self._spoiling())
        caught = counts["refused"] + counts["flagged"]
        return caught / (caught + counts["MISSED"]) if caught + counts["MISSED"] else None

    def list_faults(self) -> list[str]:
        """Return why the run does not pass, a sentence each; none if it does."""
        faults = [f"{t.kind} seed {t.seed}: {'; '.join(t.by)}" for t in self.trials if t.result == "error"]
        harmless = {kind.id for kind in self.kinds if kind.expect == "passed"}
        faults += [
            f"{t.kind} seed {t.seed}: {t.result} by {', '.join(t.by)}, though nothing is wrong with it"
            for t in self.trials
            if t.kind in harmless and t.result in _CAUGHT
        ]
        faults += [f"clean night {n.night} was refused: {batch}" for n in self.nights for batch in n.refused]
        if self.score is not None and self.score < GOAL:
            faults.append(f"{self.score:.1%} are caught of what changes a figure; {GOAL:.0%} are asked for")
        return faults

    def count_alarms(self) -> list[dict[str, Any]]:
        """Return every check that failed on clean nights: on how many, and with how many rows at most."""
        found: dict[tuple[int, str, str, str], list[tuple[str, int]]] = {}
        for night in self.nights:
            for check in night.failing:
                named = (check["gate"], check["table"], check["id"], check["action"])
                found.setdefault(named, []).append((night.night, check["rows"] or 0))
        return [
            {
                **dict(zip(("gate", "table", "id", "action"), named, strict=True)),
                "nights": len({night for night, _ in seen}),
                "rows_max": max(rows for _, rows in seen),
            }
            for named, seen in sorted(found.items())
        ]

    def as_record(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "score": self.score,
            "goal": GOAL,
            "results": _count(self.trials),
            "kinds": [kind.model_dump(exclude={"sql"}) for kind in self.kinds],
            "trials": [trial.as_record() for trial in self.trials],
            "nights": [asdict(night) for night in self.nights],
            "alarms": self.count_alarms(),
            "faults": self.list_faults(),
        }

    def _spoiling(self) -> list[Trial]:
        harmless = {kind.id for kind in self.kinds if kind.expect == "passed"}
        return [trial for trial in self.trials if trial.kind not in harmless]


def _count(trials: Iterable[Trial]) -> Counter[str]:
    return Counter(str(trial.result) for trial in trials)


def show_report(report: Report, console: Console) -> None:
    """Print it for people: kinds, then tables, then clean nights, then the verdict."""
    _show_kinds(report, console)
    _show_tables(report, console)
    _show_nights(report, console)
    for fault in report.list_faults():
        console.print(f"[red]✗[/] {escape(fault)}", highlight=False, soft_wrap=True)
    score = "–" if report.score is None else f"{report.score:.2%}"
    console.print(f"改变了发布数字的错误中被拦截或标记 caught of what changes a published figure: [bold]{score}[/]")


def _show_kinds(report: Report, console: Console) -> None:
    table = Table(title="闸门的变异测试 mutation test of the gates", box=SIMPLE_HEAD)
    for column in ("错误 kind", "内容 what", "应 promised", "结果 result", "谁发现 by / 漏到 reaches"):
        table.add_column(column, overflow="fold")
    for kind in report.kinds:
        trials = [trial for trial in report.trials if trial.kind == kind.id]
        counts = _count(trials)
        results = " ".join(f"[{_COLOURS[result]}]{result} {count}[/]" for result, count in counts.items())
        table.add_row(kind.id, escape(f"{kind.zh} {kind.en}"), kind.expect, results, escape(_name_finders(trials)))
    console.print(table)


def _name_finders(trials: Sequence[Trial]) -> str:
    """Return the checks that spoke most often, or where a missed corruption shows."""
    finders = Counter(name for trial in trials for name in trial.by)
    reached = sorted({table for trial in trials for table in trial.tables})
    told = [f"{name} ×{count}" for name, count in finders.most_common(_BY_SHOWN)]
    return ", ".join(told + ([f"→ {', '.join(reached)}"] if reached else []))


def _show_tables(report: Report, console: Console) -> None:
    table = Table(title="按表 by table", box=SIMPLE_HEAD)
    table.add_column("表 table")
    for result in _COLOURS:
        table.add_column(result, justify="right")
    for name in dict.fromkeys(trial.table for trial in report.trials):
        counts = _count(trial for trial in report.trials if trial.table == name)
        table.add_row(name, *(str(counts[result] or "") for result in _COLOURS))
    console.print(table)


def _show_nights(report: Report, console: Console) -> None:
    refused = sum(len(night.refused) for night in report.nights)
    batches = sum(night.batches for night in report.nights)
    table = Table(
        title=f"净夜 {len(report.nights)} clean nights: {batches} batches, {refused} refused; checks that failed",
        box=SIMPLE_HEAD,
    )
    for column in ("闸门 gate", "表 table", "检查 check", "动作 action", "夜数 nights", "最多行 rows at most"):
        table.add_column(column)
    for alarm in report.count_alarms():
        table.add_row(*(str(alarm[name]) for name in ("gate", "table", "id", "action", "nights", "rows_max")))
    console.print(table)
