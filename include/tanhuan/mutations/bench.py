"""`tanhuan bench gates`: the mutation test in full, with progress, in a place that is thrown away or kept by name."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tanhuan.mutations.base import Base, open_base
from tanhuan.mutations.catalogue import Kind, read_kinds
from tanhuan.mutations.report import Report
from tanhuan.mutations.run import Trial, open_trials
from tanhuan.settings import Settings

#: the last of the clean nights: the one on which the plan falls due, so that every figure has its data
NIGHT = dt.date(2025, 12, 31)


@dataclass(frozen=True)
class GatesRequest:
    """What is to be tried: which tables and kinds (all if none), at how many seeds, after how many clean nights."""

    tables: Sequence[str] = ()
    kinds: Sequence[str] = ()
    seeds: int = 3
    nights: int = 20
    #: where the clean base is kept and found again; thrown away if None
    base: Path | None = None
    #: whether to leave out the builds that tell harmless from missed
    gate1_only: bool = False
    history: bool = True


def try_gates(request: GatesRequest, settings: Settings, console: Console) -> Report:
    """Make the clean base, try every kind at every seed and return what came of it."""
    kinds = read_kinds(settings, request.tables, request.kinds)
    with (
        _place(request, settings) as folder,
        Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        ) as progress,
    ):
        task = progress.add_task("净夜 clean nights", total=request.nights)
        base = open_base(
            folder,
            settings,
            NIGHT,
            request.nights,
            lambda text: progress.update(task, advance=1, description=text),
            request.history,
        )
        progress.update(task, completed=request.nights)
        trials = list(_try_all(request, kinds, base, progress))
    return Report(kinds, trials, base.nights)


def _try_all(request: GatesRequest, kinds: Sequence[Kind], base: Base, progress: Progress) -> Iterator[Trial]:
    task = progress.add_task("错误 kinds", total=len(kinds) * request.seeds)
    with open_trials(base, request.gate1_only) as trials:
        for kind in kinds:
            for seed in range(1, request.seeds + 1):
                progress.update(task, description=f"{kind.id} · {seed}")
                trial = trials.try_kind(kind, seed)
                if trial.result in ("MISSED", "error"):
                    told = ", ".join([*trial.tables, *trial.by])
                    progress.console.print(f"{kind.id} · {seed}: {trial.result} {escape(told)}", highlight=False)
                progress.advance(task)
                yield trial


@contextmanager
def _place(request: GatesRequest, settings: Settings) -> Iterator[Path]:
    if request.base is not None:
        yield request.base
        return
    settings.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.root, prefix=".gates-") as folder:
        yield Path(folder)
