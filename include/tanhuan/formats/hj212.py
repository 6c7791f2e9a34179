"""HJ 212 archives as hourly rows of sources: which fields of which packets become which columns.

Belongs here: what the fields of an hourly packet mean, and which outlet a data logger (MN) served on a day. Does not
belong here: finding packets in bytes (formats/hj212_packets.py), or whether a value makes sense (expectations/).

Clauses are those of HJ 212-2017 where no other edition is named.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from tanhuan.contracts import Contract, Text
from tanhuan.formats import hj212_packets
from tanhuan.formats.hj212_packets import GARBAGE, TORN_FIELD, Keys, Piece, join_parts, read_pieces, show_raw
from tanhuan.formats.rows import Payload, open_payload
from tanhuan.standards import hj212 as standard

_UNBOUND, _TIME, _AMBIGUOUS = "READ-HJ212-UNBOUND", "READ-HJ212-TIME", "READ-HJ212-ITEM-TWICE"
_PARTS, _RESENT, _LEGACY = "READ-HJ212-PARTS-MISSING", "READ-HJ212-RESENT", "READ-HJ212-LEGACY-FACTOR"
_LEGACY_UNIT, _FACTOR = "READ-HJ212-LEGACY-UNIT", "READ-HJ212-FACTOR"
_DATA_FLAG, _NAME = "READ-HJ212-DATA-FLAG", "READ-HJ212-FIELD-NAME"
_MILLISECONDS, _HOUR = "READ-HJ212-TIME-MILLISECONDS", "READ-HJ212-HOUR-NOT-FULL"
FAULTS: dict[str, Text] = {
    **hj212_packets.FAULTS,
    _UNBOUND: Text(
        zh="该数采仪（MN）在数据日期没有绑定排放口，无法归属；请在设备绑定中补登后放行",
        en="The data logger (MN) is bound to no outlet on the day of the data; add the binding, then release the row",
    ),
    _TIME: Text(
        zh="小时数据没有唯一可读的DataTime，不能归入任何小时；请数采仪补传",
        en="Hourly data without exactly one readable DataTime belong to no hour; have the logger resend them",
    ),
    _AMBIGUOUS: Text(
        zh="同一因子的同一字段有两个不同的值，不能判断以哪个为准；请数采仪厂家检查",
        en="A field of this factor has two different values, which one holds is unknown; have the logger's maker check",
    ),
    _PARTS: Text(
        zh="拆分包没有收齐，已收到的部分照常接收；请核对该小时其余因子",
        en="Not all parts of a split packet arrived; those that did are accepted, check the other factors of that hour",
    ),
    _RESENT: Text(zh="补传数据（RF=1）", en="Data sent again later (RF=1)"),
    _LEGACY: Text(
        zh="使用HJ/T 212-2005因子编码，已换为HJ 212-2017编码，原码见原始行",
        en="The factor came under its code of HJ/T 212-2005 and is filed under that of 2017; see the original row",
    ),
    _LEGACY_UNIT: Text(
        zh="该因子的默认单位自HJ/T 212-2005以来有变，数值未换算；请核对数采仪实际单位",
        en="The default unit of this factor changed after HJ/T 212-2005, the value was not converted; check the unit "
        "the logger really uses",
    ),
    _FACTOR: Text(
        zh="因子编码不在标准编码规则内，按原文接收",
        en="The factor code does not follow the standard's rule; kept as it came",
    ),
    _DATA_FLAG: Text(
        zh="数据标记不在HJ 212-2017表8内，按原文保留，均值计算视为无效",
        en="The data flag is not in table 8 of HJ 212-2017; kept as it came, averages treat it as invalid",
    ),
    _NAME: Text(
        zh="该因子有标准以外的字段（区分大小写），未使用，见原始行",
        en="The factor has a field that the standard does not know (case matters); not used, see the original row",
    ),
    _MILLISECONDS: Text(zh="DataTime带毫秒（17位），已接收", en="DataTime has milliseconds (17 digits); accepted"),
    _HOUR: Text(
        zh="小时数据的DataTime不是整点，未改动；请核对数采仪",
        en="The DataTime of hourly data is no full hour and was left as it came; check the logger",
    ),
}

#: 6.6.5 table 9, 6.6.1 table 5: hourly data of sources of waste gas, waste water and VOCs
_HOUR_COMMAND, _SOURCE_SYSTEMS = "2061", frozenset({"31", "32", "27"})
#: table 4: fields of a factor, and the contract's column if it has one
_FIELD_COLUMNS: dict[str, str | None] = {
    "Avg": "avg_value",
    "Min": "min_value",
    "Max": "max_value",
    "ZsAvg": "corrected_avg_value",
    "Cou": "total_value",
    **dict.fromkeys(("Flag", "EFlag", "SampleTime", "Rtd", "ZsRtd", "ZsMin", "ZsMax", "ZsCou")),
}
_VALUES = {name: column for name, column in _FIELD_COLUMNS.items() if column}
_FACTOR_CODE = re.compile(r"[a-z][0-9]{5}")
_BATCH = 10_000


def read_rows(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    payloads: list[Payload],
    rows: str,
    unreadable: str,
    keys: Keys,
) -> set[str]:
    """Create `rows` and `unreadable` (see formats/rows.py) from archives: a row for each factor of an hourly packet.

    `con` holds a relation `binding` of the contract `device_binding`, which says where a data logger (MN) stood on a
    day. `_source_row` is the byte offset of the packet. Everything else that arrived whole is counted in a third
    temporary table, `{rows}_other(kind, pieces, bytes)`; garbage between packets too.
    """
    texts, faults = _Batch(con, "hj212_texts", _TEXT_COLUMNS), _Batch(con, unreadable, _FAULT_COLUMNS)
    others: Counter[str] = Counter()
    bytes_of: Counter[str] = Counter()
    for payload in payloads:
        with open_payload(payload.path) as stream:
            for parts, missing in join_parts(read_pieces(stream, keys)):
                kind = _find_kind(parts)
                if kind is None:
                    _collect_hour(payload.path.name, parts, missing, texts, faults)
                elif kind == "bad":
                    [piece] = parts
                    place = (payload.path.name, piece.offset, show_raw(piece.raw))
                    faults.append((*place, piece.error, f"byte {piece.offset}: {piece.detail}"))
                else:
                    others[kind] += len(parts)
                    bytes_of[kind] += sum(piece.length for piece in parts)
    texts.flush()
    faults.flush()
    con.execute(f"create or replace temp table {rows}_other (kind varchar, pieces bigint, bytes bigint)")
    for kind, pieces in others.items():
        con.execute(f"insert into {rows}_other values (?, ?, ?)", [kind, pieces, bytes_of[kind]])
    return _bind(con, contract, rows, unreadable)


_TEXT_COLUMNS = (
    *("_source_file", "_source_row", "_flags", "_raw", "mn_code", "factor_code", "hour_start"),
    *("instrument_flag", "process_flag", *_VALUES.values()),
)
_FAULT_COLUMNS = ("_source_file", "_source_row", "_raw", "reason_id", "detail")
_TYPES = {"_source_row": pa.int64(), "_flags": pa.list_(pa.string())}


class _Batch:
    """Rows on their way into a temporary table of a connection."""

    def __init__(self, con: duckdb.DuckDBPyConnection, table: str, columns: tuple[str, ...]) -> None:
        self._con, self._table = con, table
        self._schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in columns])
        self._rows: list[tuple[Any, ...]] = []
        self._insert(f"create or replace temp table {table} as")

    def append(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        self._insert(f"insert into {self._table}")
        self._rows.clear()

    def _insert(self, statement: str) -> None:
        columns = list(zip(*self._rows, strict=True)) or [() for _ in self._schema]
        arrays = [pa.array(values, column.type) for values, column in zip(columns, self._schema, strict=True)]
        self._con.register("hj212_batch", pa.table(arrays, schema=self._schema))
        self._con.execute(f"{statement} from hj212_batch")
        self._con.unregister("hj212_batch")


def _find_kind(parts: list[Piece]) -> str | None:
    """Return None for hourly data of sources, "bad", or under which name the packets are counted."""
    piece = parts[0]
    if piece.error:
        return "garbage" if piece.error == GARBAGE else "bad"
    head = piece.segment.head
    hourly = head["CN"] == _HOUR_COMMAND and head["ST"] in _SOURCE_SYSTEMS
    # A request of the host (6.6.5) has the same command and no factor.
    if hourly and any("-" in pair[0] for part in parts for group in part.segment.items for pair in group):
        return None
    return f"ST={head['ST']};CN={head['CN']}"


def _collect_hour(file: str, parts: list[Piece], missing: int, texts: _Batch, faults: _Batch) -> None:
    first = parts[0]
    mn_code = first.segment.head.get("MN") or None
    times, factors, torn, stray = _sort_fields(parts)
    for field_text in torn:
        faults.append((file, first.offset, field_text, TORN_FIELD, f"byte {first.offset}: {field_text[:200]!r}"))
    if len(times) != 1:
        raw = " ".join(show_raw(part.raw) for part in parts)
        faults.append((file, first.offset, raw, _TIME, f"byte {first.offset}: DataTime {sorted(times)}"))
        return
    [time] = times
    hour_start, flags = _read_time(time)
    flags = [*dict.fromkeys(flag for part in parts for flag in part.flags if flag != TORN_FIELD), *flags]
    if missing:
        flags.append(_PARTS)
    if first.segment.head.get("RF") == "1":
        flags.append(_RESENT)
    if stray:
        flags.append(_NAME)
    of_2005 = first.segment.edition == standard.EDITION_2005
    for code, fields in factors.items():
        raw = f"MN={mn_code};CP=&&DataTime={time};" + ",".join(f"{code}-{n}={v}" for n, v in fields) + "&&"
        values = dict(fields)
        twice = [name for name, value in fields if values[name] != value]
        if twice:
            faults.append((file, first.offset, raw, _AMBIGUOUS, f"byte {first.offset}: {code}-{twice[0]}"))
            continue
        factor_code, of_factor = _read_factor(code)
        instrument, process, of_flag = _read_flags(values.get("Flag"), values.get("EFlag"), of_2005)
        of_names = () if values.keys() <= _FIELD_COLUMNS.keys() else (_NAME,)
        texts.append(
            (
                *(file, first.offset, [*flags, *of_factor, *of_flag, *of_names], raw, mn_code, factor_code, hour_start),
                *(instrument, process, *[values.get(name) or None for name in _VALUES]),
            )
        )


def _sort_fields(parts: list[Piece]) -> tuple[set[str], dict[str, list[tuple[str, str]]], list[str], bool]:
    """Return data times, the fields of each factor, texts without '=', and whether other fields stand alone."""
    times: set[str] = set()
    factors: dict[str, list[tuple[str, str]]] = {}
    torn: list[str] = []
    stray = False
    for part in parts:
        for group in part.segment.items:
            for pair in group:
                if len(pair) == 1:
                    torn.append(pair[0])
                    continue
                code, dash, name = pair[0].rpartition("-")
                if dash:
                    factors.setdefault(code, []).append((name, pair[1]))
                elif name == "DataTime":
                    times.add(pair[1])
                else:
                    stray = True
    return times, factors, torn, stray


@lru_cache(maxsize=4096)
def _read_time(text: str) -> tuple[str, list[str]]:
    """Return the start of the hour (DataTime labels the start, table 4) in ISO 8601, or the text if it is no time."""
    if len(text) not in (14, 17) or not (text.isascii() and text.isdigit()):
        return text, []
    flags = [_MILLISECONDS] if len(text) == 17 else []
    if text[10:].strip("0"):
        flags.append(_HOUR)
    second = f"{text[12:14]}.{text[14:]}" if len(text) == 17 else text[12:]
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{second}+08:00", flags


@lru_cache(maxsize=4096)
def _read_factor(code: str) -> tuple[str, tuple[str, ...]]:
    legacy = standard.read_legacy_factors().get(code)
    if legacy is not None:
        return legacy.factor_code, (_LEGACY, _LEGACY_UNIT) if legacy.unit_2005 else (_LEGACY,)
    return code, () if _FACTOR_CODE.fullmatch(code) else (_FACTOR,)


@lru_cache(maxsize=4096)
def _read_flags(
    flag: str | None, extended: str | None, of_2005: bool
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Return instrument flag, process mark and oddities.

    Table 8 marks the instrument. Marks of operating conditions (HJ 75-2017, HJ 76-2017) come as an extended flag, or,
    if no data flag has that letter, in the place of the data flag. In HJ/T 212-2005 an F means the source has stopped
    (6.3.3.2.3), not the instrument.
    """
    if flag in standard.PROCESS_MARKS:
        return None, flag, ()
    known = extended in standard.PROCESS_MARKS or extended in standard.SHARED_PROCESS_MARKS
    process = extended if known else "F" if of_2005 and flag == "F" else None
    odd = bool(flag) and flag not in standard.INSTRUMENT_FLAGS
    return flag or None, process, (_DATA_FLAG,) if odd else ()


def _bind(con: duckdb.DuckDBPyConnection, contract: Contract, rows: str, unreadable: str) -> set[str]:
    """Give every row the outlet that its data logger served on that day; rows without one are unreadable."""
    con.execute(
        """
        create or replace temp table hj212_bound as
        with dated as (
            select
                *,
                rowid as ordinal,
                if(try_cast(hour_start as timestamptz) is null, null, hour_start[:10]::date) as day
            from hj212_texts
        )
        select
            dated.*,
            if(day <= coalesce(binding.valid_to_date, day), binding.permit_no, null) as permit_no,
            binding.outlet_code
        from dated asof left join binding
            on dated.mn_code = binding.mn_code and dated.day >= binding.valid_from_date
        """
    )
    con.execute(
        f"""
        create or replace temp table {rows} as
        select * exclude (ordinal, day), 'preliminary' as data_status, 'measured' as data_basis
        from hj212_bound where permit_no is not null order by ordinal
        """
    )
    con.execute(
        f"""
        insert into {unreadable}
        select
            _source_file, _source_row, _raw,
            if(day is null, '{_TIME}', '{_UNBOUND}'),
            concat('byte ', _source_row, ': MN ', mn_code, ', ', coalesce(day::varchar, hour_start))
        from hj212_bound where permit_no is null order by ordinal
        """
    )
    found = {name for name, *_ in con.execute(f"describe {rows}").fetchall()}
    return found & set(contract.names)
