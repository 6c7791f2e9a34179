"""What a measure is, how it is repeated and shown, and the place that is thrown away afterwards."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tanhuan.landing import Arrival
from tanhuan.settings import Settings

_ROUNDS = 3
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Measure:
    """One figure: how much was done in how long, and how long plain DuckDB took for the same, if it can.

    `others` are figures that belong to it, each with its unit in its name.
    """

    name: str
    amount: int
    unit: str
    seconds: float
    floor_s: float | None
    steps: dict[str, float]
    others: dict[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """How much in a second."""
        return self.amount / self.seconds

    @property
    def ratio(self) -> float | None:
        """How many times as long as plain DuckDB."""
        return None if self.floor_s is None else self.seconds / self.floor_s

    def as_record(self) -> dict[str, Any]:
        """Return the figure for programs."""
        ratio = None if self.ratio is None else round(self.ratio, 2)
        return asdict(self) | {"per_second": round(self.per_second), "ratio_to_floor": ratio}


def measure_rounds(measure: Callable[[], Measure], rounds: int = _ROUNDS) -> Measure:
    """Measure several times and return the round in the middle: the first one also pays for the machine waking up."""
    return sorted((measure() for _ in range(rounds)), key=lambda measured: measured.seconds)[rounds // 2]


def show_measures(measures: list[Measure], console: Console) -> None:
    """Print the figures as a table, and below it what else was measured."""
    table = Table(title="测速 bench")
    for column in ("项目 what", "数量 amount", "秒 s", "每秒 per s", "对照 plain DuckDB s", "倍数 ratio", "分步 steps"):
        table.add_column(column, justify="right" if column != "项目 what" else "left")
    for measure in measures:
        told = measure.as_record()
        steps = " ".join(f"{name} {took:.2f}" for name, took in measure.steps.items())
        figures = (f"{measure.amount:,}", f"{measure.seconds:.2f}", f"{told['per_second']:,} {measure.unit}")
        table.add_row(measure.name, *figures, str(measure.floor_s or ""), str(told["ratio_to_floor"] or ""), steps)
    console.print(table)
    for measure in measures:
        for what, figure in measure.others.items():
            console.print(f"{measure.name}: {figure:,} {what}", highlight=False)


@contextmanager
def throw_away(settings: Settings) -> Iterator[Settings]:
    """Give a TANHUAN_HOME inside the real one, which is gone afterwards."""
    settings.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.root, prefix=".bench-") as folder:
        yield settings.model_copy(update={"home": Path(folder)})


def take_time(work: Callable[[], object]) -> float:
    """Return the seconds that a piece of work took."""
    started = time.monotonic()
    work()
    return round(time.monotonic() - started, 3)


def land_file(arrival: Arrival, made: Path) -> Path:
    """Put a file into landing, as a platform would have sent it; return the payload."""
    with arrival.stream(arrival.load.form) as sink, made.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sink.write(chunk)
    arrival.close()
    return arrival.load.folder(arrival.settings) / arrival.payloads[0]["file"]
