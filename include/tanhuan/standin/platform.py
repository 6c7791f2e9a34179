"""The upstream platform's memory: the register, the recording, and answers to questions about days.

Belongs here: one in-memory DuckDB that generates or looks up the rows of a table and turns pages of them into JSON.
Does not belong here: HTTP (`server.py`), misbehaviour (`faults.py` says how a page is bent; here it is carried out).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from tanhuan.contracts import Contract, get_contract, load_contracts
from tanhuan.standin.checks import list_checks
from tanhuan.standin.city import DATA, LIMIT_YEARS, City, Row, read_rows
from tanhuan.standin.returns import report_lines, returns_tables
from tanhuan.standin.surroundings import list_checks_of_waters, list_exception_events, list_intakes

TIME_ZONE = ZoneInfo("Asia/Shanghai")
#: Answers kept ready, so that paging does not generate again. Four feeds ask at once, page by page.
ANSWERS_KEPT = 8

_SQL = Path(__file__).parent / "sql"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """What a question comes to: hours [first, last) of a table as known at `now`, and how many rows that is.

    Hours count from 1970 UTC. What is known changes: a report comes in, a case is closed, a value is reviewed.
    """

    contract: Contract
    first: int
    last: int
    now: int
    total: int


def local_now() -> dt.datetime:
    """Return the present moment in Asia/Shanghai."""
    return dt.datetime.now(TIME_ZONE)


class Platform:
    """All tables of one invented city. Safe to share between threads: one question at a time.

    `now` decides what the platform can know: an hour that has not ended has no row.
    """

    def __init__(self, seed: int, now: Callable[[], dt.datetime] = local_now) -> None:
        self.seed = seed
        self.now = now
        self._lock = threading.RLock()
        self._ready: OrderedDict[tuple[str, int, int, int], str] = OrderedDict()
        self._relations_made = 0
        self._db = duckdb.connect(
            config={"threads": 2, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
        )
        self._db.execute("set TimeZone = 'Asia/Shanghai'")
        self._set_variables(seed=seed)
        self._load_register()
        self._load_recordings()

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._db.close()

    def ask(self, table: str, first_day: dt.date, last_day: dt.date) -> Answer:
        """Return the answer for business days `first_day` to `last_day`; a snapshot table is the same for any days.

        Raises KeyError for a table without a contract.
        """
        contract = get_contract(table)
        now = int((self.now() - _EPOCH) / _HOUR)
        if contract.mode == "window":
            first, last = _hours(contract, first_day, last_day, now)
        else:
            first, last = _hour_of(dt.date(LIMIT_YEARS[0], 1, 1)), now
        with self._lock:
            relation = self._relation(contract, first, last, now)
            [(total,)] = self._db.execute(f"select count(*) from {relation}").fetchall()
        return Answer(contract, first, last, now, total)

    def page_rows(self, answer: Answer, columns: dict[str, str], offset: int, count: int, separator: str = ",") -> str:
        """Return rows as JSON objects. `columns` maps each name shown to its SQL expression."""
        with self._lock:
            relation = self._relation(answer.contract, answer.first, answer.last, answer.now)
            [(objects,)] = self._db.execute(
                f"""
                select coalesce(string_agg(object, $separator order by _row), '')
                from (
                    select _row, to_json({_struct_of(columns)})::varchar as object
                    from {relation}
                    where _row > $offset and _row <= $offset + $count
                )
                """,
                {"offset": offset, "count": count, "separator": separator},
            ).fetchall()
        return str(objects)

    def write_parquet(self, answer: Answer, columns: dict[str, str], count: int, path: Path) -> None:
        """Write the first rows of an answer to a Parquet file."""
        shown = ", ".join(f'{expression} as "{name}"' for name, expression in columns.items())
        with self._lock:
            relation = self._relation(answer.contract, answer.first, answer.last, answer.now)
            self._db.execute(
                f"copy (select {shown} from {relation} where _row <= {count} order by _row) "
                f"to '{path}' (format parquet)"
            )

    def fingerprint(self, answer: Answer, columns: dict[str, str]) -> str:
        """Return a digest of what the answer shows; another one if any value in it is another."""
        with self._lock:
            relation = self._relation(answer.contract, answer.first, answer.last, answer.now)
            [(digest,)] = self._db.execute(
                f"select md5(concat_ws('|', count(*), bit_xor(hash(_row, {_struct_of(columns)})))) from {relation}"
            ).fetchall()
        names = hashlib.md5("|".join(columns).encode(), usedforsecurity=False).hexdigest()
        return f"{digest}{names}"

    def is_invented(self, table: str, day: dt.date) -> bool:
        """Tell whether anything in a day's file of a table is invented; the hour at midnight is the day before's."""
        answer = self.ask(table, day - dt.timedelta(days=1), day)
        with self._lock:
            relation = self._relation(answer.contract, answer.first, answer.last, answer.now)
            [(invented,)] = self._db.execute(f"select bool_or(data_basis = 'synthetic') from {relation}").fetchall()
        return bool(invented)

    def rows(self, answer: Answer) -> list[tuple]:
        """Return all rows as Python values in contract order (for tests and tools)."""
        with self._lock:
            relation = self._relation(answer.contract, answer.first, answer.last, answer.now)
            return self._db.execute(f"select * exclude (_row) from {relation} order by _row").fetchall()

    def _relation(self, contract: Contract, first: int, last: int, now: int) -> str:
        """Return the name of the table that holds these hours, made at once if it is not ready."""
        key = (contract.table, first, last, now)
        if key not in self._ready:
            self._ready[key] = self._make_relation(contract, first, last, now)
        self._ready.move_to_end(key)
        while len(self._ready) > ANSWERS_KEPT:
            _, dropped = self._ready.popitem(last=False)
            self._db.execute(f"drop table {dropped}")
        return self._ready[key]

    def _make_relation(self, contract: Contract, first: int, last: int, now: int) -> str:
        self._relations_made += 1
        relation = f"answer_{self._relations_made}"
        source = contract.table
        if _is_generated(contract.table):
            self._set_variables(first_h=first, last_h=last, now_h=now, now_day=(now + 8) // 24)
            source = f"({read_sql(contract.table)})"
        casts = ", ".join(f'"{c.name}"::{c.type} as "{c.name}"' for c in contract.columns)
        key = ", ".join(f'"{name}"' for name in contract.key)
        self._db.execute(
            f"create table {relation} as select row_number() over (order by {key}) as _row, {casts} from {source}"
        )
        return relation

    def _load_register(self) -> None:
        city = City(self.seed)
        snapshots = city.tables() | returns_tables(city)
        for contract in load_contracts().values():
            if not _is_generated(contract.table):
                self._load_rows(contract.table, {c.name: c.type for c in contract.columns}, snapshots[contract.table])
        generator = city.generator_tables() | {
            "network_iaqi_hour": read_rows("network_iaqi_hour"),
            "execution_report_line": report_lines(city),
            "source_check": list_checks(city),
            "source_intake": list_intakes(city),
            "water_body_check": list_checks_of_waters(city),
            "air_exception_event": list_exception_events(),
            "water_site": read_rows("water_points"),
            "water_item": read_rows("water_items"),
        }
        for name, rows in generator.items():
            self._load_rows(f"register_{name}", dict.fromkeys(rows[0], "VARCHAR"), rows)
        self._db.execute(read_sql("generator"))
        for view in ("air_field", "outlet_event"):
            self._db.execute(f"create view {view} as {read_sql(view)}")

    def _load_rows(self, table: str, types: dict[str, str], rows: list[Row]) -> None:
        """Create a table from rows of text; a column that a row lacks is an error, not a NULL."""
        assert all(row.keys() == types.keys() for row in rows), (
            f"stand-in table {table}: a row has other columns than {', '.join(types)}"
        )
        structure = json.dumps([dict.fromkeys(types, "VARCHAR")])
        casts = ", ".join(f'line."{name}"::{type_} as "{name}"' for name, type_ in types.items())
        self._db.execute(
            f"create table {table} as select {casts} from (select unnest(from_json($rows::json, $structure)) as line)",
            {"rows": json.dumps(rows), "structure": structure},
        )

    def _load_recordings(self) -> None:
        self._set_variables(
            archive=str(DATA / "xiangtan_air_2019.csv.gz"), water_archive=str(DATA / "hunan_water_2020_2021.csv.gz")
        )
        for table, name in (("air_hour", "recording"), ("water_section_4h", "water_recording")):
            casts = ", ".join(f'"{c.name}"::{c.type} as "{c.name}"' for c in get_contract(table).columns)
            self._db.execute(f"create table {name} as select {casts} from ({read_sql(name)})")

    def _set_variables(self, **values: int | str) -> None:
        """Set what the files in sql/ read with getvariable(), which DuckDB plans with as constants."""
        for name, value in values.items():
            self._db.execute(f"set variable {name} = $value", {"value": value})


def _struct_of(columns: dict[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': {expression}" for name, expression in columns.items()) + "}"


def read_sql(name: str) -> str:
    """Read sql/<name>.sql."""
    return (_SQL / f"{name}.sql").read_text("utf-8")


def _is_generated(table: str) -> bool:
    """Tell whether a table's rows are made when they are asked for, by the file in sql/ of its name."""
    return (_SQL / f"{table}.sql").exists()


def _hours(contract: Contract, first_day: dt.date, last_day: dt.date, now: int) -> tuple[int, int]:
    """Return the hours of the days as [first, last) since 1970 UTC, none of them later than `now`."""
    assert contract.day, f"contract {contract.table}: a window table names the column of its day"
    shift = 1 if contract.day.label == "end" else 0
    first = _hour_of(first_day) + shift
    last = _hour_of(last_day) + 24 + shift
    return first, max(first, min(last, now + shift))


def _hour_of(day: dt.date) -> int:
    """Return the hour since 1970 UTC that starts at a day's local midnight."""
    midnight = dt.datetime.combine(day, dt.time(), TIME_ZONE)
    return int((midnight - _EPOCH) / _HOUR)
