"""What this machine does in a second, beside what plain DuckDB does in the same run: `tanhuan bench`.

Belongs here: measuring the real code on made rows, in a TANHUAN_HOME that is thrown away. Does not belong here: bounds
(docs/decisions/0003-speed.md); a test that depends on the clock would be red for no reason.
"""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from tanhuan.batch import Batch
from tanhuan.contracts import Contract, get_contract
from tanhuan.duck import open_memory
from tanhuan.errors import TanhuanError
from tanhuan.formats.hj212_packets import decode_file
from tanhuan.forms import NDJSON, PARQUET, get_form
from tanhuan.gates.suites import load_source_suite
from tanhuan.landing import Arrival, new_load
from tanhuan.settings import Settings
from tanhuan.standards.hj212 import encode_packet

_TABLE = "source_hour"
_FIRST_DAY = dt.date(2025, 1, 1)
_DAYS = 31
_CHUNK_BYTES = 1 << 20
_ROUNDS = 3


@dataclass(frozen=True)
class Measure:
    """One figure: how much was done in how long, and how long plain DuckDB took for the same bytes, if it can."""

    name: str
    amount: int
    unit: str
    seconds: float
    floor_s: float | None
    steps: dict[str, float]

    @property
    def per_second(self) -> float:
        """How much in a second."""
        return self.amount / self.seconds

    def as_record(self) -> dict[str, Any]:
        """Return the figure for programs."""
        ratio = None if self.floor_s is None else round(self.seconds / self.floor_s, 2)
        return asdict(self) | {"per_second": round(self.per_second), "ratio_to_floor": ratio}


def measure_rounds(measure: Callable[[], Measure]) -> Measure:
    """Measure several times and return the round in the middle: the first one also pays for the machine waking up."""
    return sorted((measure() for _ in range(_ROUNDS)), key=lambda measured: measured.seconds)[_ROUNDS // 2]


def measure_reading(form: str, rows: int, threads: int, settings: Settings) -> Measure:
    """Measure landed bytes → admitted Parquet, with the contract's checks and without the suite's.

    Args:
        form: ndjson or parquet.
        rows: synthetic hours of 60 outlets and more, in one month.
        threads: how many DuckDB may use.
    """
    contract = get_contract(_TABLE)
    with _throw_away(settings) as own, open_memory() as con:
        con.execute(f"set threads = {int(threads)}")
        load = new_load(contract, _FIRST_DAY, _FIRST_DAY, _FIRST_DAY + dt.timedelta(days=_DAYS - 1), "history", form)
        file = _land_made_rows(con, Arrival(load, own, None), rows)
        floor = _time(lambda: _copy_plainly(con, contract, file, own.root / "floor.parquet"))
        suite = load_source_suite(contract, own)
        contract_only = replace(suite, checks=tuple(c for c in suite.checks if c.failing is not None))
        batch = Batch(con, load, contract, get_form(form, own), contract_only, own, own.root / "scratch")
        outcome = batch.admit()
        assert outcome.admitted == rows, f"{outcome.admitted} of {rows} made rows were admitted: {outcome.reason}"
        steps = {name: took for name, took in outcome.seconds.items() if name != "gate"}
    return Measure(f"reading {form}", rows, "rows", sum(steps.values()), floor, steps)


def measure_packets(packets: int) -> Measure:
    """Measure the decoding of hourly HJ 212 packets on one core: framing, CRC, items."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "packets.bin"
        file.write_bytes(b"".join(_make_packet(number) for number in range(packets)))
        started = time.monotonic()
        verdicts = Counter(packet["verdict"] for packet in decode_file(file, {}))
        seconds = time.monotonic() - started
    assert verdicts == {"good": packets}, f"of {packets} made packets were found: {dict(verdicts)}"
    return Measure("decoding HJ 212", packets, "packets", round(seconds, 3), None, {})


def _make_packet(number: int) -> bytes:
    """Return an hourly packet of a boiler: 13 fields of four factors, 300 bytes, as the field sends them."""
    hour = dt.datetime.combine(_FIRST_DAY, dt.time()) + dt.timedelta(hours=number)
    head = {"QN": f"{hour:%Y%m%d%H}0500000", "ST": "31", "CN": "2061", "PW": "123456", "MN": f"{number % 60:024X}"}
    nox = 30 + number % 500 / 10
    items = [
        [("DataTime", f"{hour:%Y%m%d%H}0000")],
        [("a00000-Avg", "88.5"), ("a00000-Cou", "318600"), ("a00000-Flag", "N")],
        [(f"a21002-{name}", f"{nox + more:.1f}") for name, more in (("Min", -8), ("Avg", 0), ("Max", 9), ("ZsAvg", 2))],
        [("a21002-Cou", f"{nox * 0.3186:.3f}"), ("a21002-Flag", "N")],
        [("a19001-Avg", "16.2"), ("a19001-Flag", "N")],
    ]
    return encode_packet({**head, "Flag": "5"}, items)


def list_measures(what: list[str], rows: int, packets: int, threads: int, settings: Settings) -> list[Measure]:
    """Measure what is named, or everything; TanhuanError with the known names for another."""
    known: dict[str, Callable[[], list[Measure]]] = {
        "reading": lambda: [
            measure_rounds(partial(measure_reading, form, rows, threads, settings)) for form in (NDJSON, PARQUET)
        ],
        "packets": lambda: [measure_rounds(partial(measure_packets, packets))],
    }
    if strange := set(what) - set(known):
        raise TanhuanError(f"Nothing is measured under {', '.join(sorted(strange))}.", f"name {' or '.join(known)}.")
    return [measure for name in what or known for measure in known[name]()]


def show_measures(measures: list[Measure], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(title="测速 bench")
    for column in ("项目 what", "数量 amount", "秒 s", "每秒 per s", "对照 plain DuckDB s", "倍数 ratio", "分步 steps"):
        table.add_column(column, justify="right" if column != "项目 what" else "left")
    for measure in measures:
        told = measure.as_record()
        steps = " ".join(f"{name} {took:.2f}" for name, took in measure.steps.items())
        figures = (f"{measure.amount:,}", f"{measure.seconds:.2f}", f"{told['per_second']:,} {measure.unit}")
        table.add_row(measure.name, *figures, str(measure.floor_s or ""), str(told["ratio_to_floor"] or ""), steps)
    console.print(table)


@contextmanager
def _throw_away(settings: Settings) -> Iterator[Settings]:
    settings.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.root, prefix=".bench-") as folder:
        yield settings.model_copy(update={"home": Path(folder)})


def _land_made_rows(con: duckdb.DuckDBPyConnection, arrival: Arrival, rows: int) -> Path:
    """Put made rows into landing, as a platform would have sent them; return the payload."""
    form = arrival.load.form
    made = arrival.settings.root / "made"
    kind = "json" if form == NDJSON else "parquet"
    shown = "strftime(hour_start, '%Y-%m-%dT%H:%M:%S+08:00')" if form == NDJSON else "hour_start"
    arrival.settings.root.mkdir(parents=True, exist_ok=True)
    con.execute(
        f"copy (select * replace ({shown} as hour_start) from ({_MADE_ROWS})) to '{made}' (format {kind})",
        {"rows": rows, "per_hour": -(-rows // (24 * _DAYS)), "first": _FIRST_DAY},
    )
    with arrival.stream(form) as sink, made.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sink.write(chunk)
    arrival.close()
    return arrival.load.folder(arrival.settings) / arrival.payloads[0]["file"]


#: hours as a month of online monitoring has them: few codes, values of two or three digits, nine in ten flags N
_MADE_ROWS = """
select
    '43030400000000' || printf('%010d', n % $per_hour // 4) as mn_code,
    '91430300MA' || printf('%08d', n % $per_hour // 12) || '001P' as permit_no,
    'DA' || printf('%03d', n % $per_hour // 4 % 3 + 1) as outlet_code,
    ['a00000', 'a19001', 'a21002', 'a21026'][n % 4 + 1] as factor_code,
    $first::date::timestamptz + to_hours((n // $per_hour)::integer) as hour_start,
    round(20 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as avg_value,
    round(15 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as min_value,
    round(25 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as max_value,
    round(22 + hash(n) % 4000 / 100, 2)::decimal(18, 4) as corrected_avg_value,
    round(hash(n) % 900 / 1000, 3)::decimal(18, 4) as total_value,
    case when hash(n) % 50 = 0 then 'M' else 'N' end as instrument_flag,
    null::varchar as process_flag,
    'final' as data_status,
    'synthetic' as data_basis
from range($rows) as made (n)
"""


def _copy_plainly(con: duckdb.DuckDBPyConnection, contract: Contract, file: Path, target: Path) -> None:
    """Do what a hand-written line of DuckDB would: the same bytes into one Parquet file, nothing checked."""
    columns = ", ".join(f"'{c.name}': '{c.type}'" for c in contract.columns)
    source = (
        f"read_parquet('{file}')"
        if file.suffix == f".{PARQUET}"
        else f"read_json('{file}', format = 'newline_delimited', columns = {{{columns}}})"
    )
    con.execute(f"copy (select * from {source}) to '{target}' (format parquet, compression zstd)")


def _time(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return round(time.monotonic() - started, 3)
