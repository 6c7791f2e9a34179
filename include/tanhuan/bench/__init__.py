"""What this machine does in a second, beside what plain DuckDB does in the same run: `tanhuan bench`.

Belongs here: measuring the real code on made rows, in a TANHUAN_HOME that is thrown away. Does not belong here: bounds
(docs/decisions/0003-speed.md); a test that depends on the clock would be red for no reason.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tanhuan.bench.emissions import measure_emissions
from tanhuan.bench.gate import measure_gate
from tanhuan.bench.measures import Measure, measure_rounds, show_measures
from tanhuan.bench.packets import measure_packets
from tanhuan.bench.reading import measure_reading
from tanhuan.errors import TanhuanError
from tanhuan.forms import NDJSON, PARQUET
from tanhuan.settings import Settings

__all__ = ["Measure", "list_measures", "show_measures"]

#: rows of a measure for which none are named
_READING_ROWS, _GATE_ROWS = 2_000_000, 1_000_000
#: how many outlets and years of hours the emissions are built from, three factors each
_OUTLETS, _YEARS = 60, 6
#: a gate over more rows than this is measured once: it runs for minutes
_ROWS_FOR_ROUNDS = 2_000_000


def list_measures(what: list[str], rows: int | None, packets: int, threads: int, settings: Settings) -> list[Measure]:
    """Measure what is named, or everything; TanhuanError with the known names for another."""
    read, judged = rows or _READING_ROWS, rows or _GATE_ROWS
    known: dict[str, Callable[[], list[Measure]]] = {
        "reading": lambda: [
            measure_rounds(partial(measure_reading, form, read, threads, settings)) for form in (NDJSON, PARQUET)
        ],
        "gate": lambda: [
            measure_rounds(partial(measure_gate, judged, settings), 3 if judged <= _ROWS_FOR_ROUNDS else 1)
        ],
        "emissions": lambda: measure_emissions(_OUTLETS, _YEARS, settings),
        "packets": lambda: [measure_rounds(partial(measure_packets, packets))],
    }
    if strange := set(what) - set(known):
        raise TanhuanError(f"Nothing is measured under {', '.join(sorted(strange))}.", f"name {' or '.join(known)}.")
    return [measure for name in what or known for measure in known[name]()]
