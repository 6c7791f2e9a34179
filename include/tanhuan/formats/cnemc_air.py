"""The national air stations as CSV files: the archive's wide day files, and the live publication of one hour.

Two layouts, told apart by their header:

- archive, `china_sites_YYYYMMDD.csv`: `date,hour,type` and one column per station (1,605 or 1,641), a line for each
  hour and type. A station-hour is received if it has at least one value of a type that we keep; the archive lists
  every station in every line, so an empty cell says nothing. It is one row, or one unreadable piece if two columns of
  the station contradict each other. A line that cannot be used is one more unreadable piece.
- live: a line for each station and hour, with `timepoint,stationcode,…` and a column per item. A line is a row.

Hours label their end, and the archive's hour 0 of a day is 24:00 of the day before. Values are µg/m3, CO mg/m3.
`O3_24h` is the day's highest hour so far; the platform derives it and does not keep it. Does not belong here: which
stations are ours, or what a value may be (expectations/).
"""

from __future__ import annotations

import csv

import duckdb

from tanhuan.contracts import Contract, Text
from tanhuan.formats.rows import Payload, open_payload

#: types of the archive
TYPES = {
    "PM2.5": "pm25_ug_m3",
    "PM10": "pm10_ug_m3",
    "SO2": "so2_ug_m3",
    "NO2": "no2_ug_m3",
    "O3": "o3_ug_m3",
    "CO": "co_mg_m3",
    "PM2.5_24h": "pm25_24h_ug_m3",
    "PM10_24h": "pm10_24h_ug_m3",
    "SO2_24h": "so2_24h_ug_m3",
    "NO2_24h": "no2_24h_ug_m3",
    "CO_24h": "co_24h_mg_m3",
    "O3_8h": "o3_8h_ug_m3",
    "O3_8h_24h": "o3_8h_24h_ug_m3",
    "AQI": "aqi",
}
NOT_KEPT = "O3_24h"

#: columns of the live publication. Its ozone headers are swapped: o3_24h holds the hour and o3 the day's highest hour,
#: as the published AQI (HJ 633-2012) shows wherever ozone decides it; o3_8h and o3_8h_24h likewise.
LIVE_COLUMNS = {
    "timepoint": "hour_end",
    "stationcode": "station_code",
    "aqi": "aqi",
    "pm10": "pm10_ug_m3",
    "pm10_24h": "pm10_24h_ug_m3",
    "pm2_5": "pm25_ug_m3",
    "pm2_5_24h": "pm25_24h_ug_m3",
    "o3_24h": "o3_ug_m3",
    "o3_8h_24h": "o3_8h_ug_m3",
    "o3_8h": "o3_8h_24h_ug_m3",
    "no2": "no2_ug_m3",
    "no2_24h": "no2_24h_ug_m3",
    "so2": "so2_ug_m3",
    "so2_24h": "so2_24h_ug_m3",
    "co": "co_mg_m3",
    "co_24h": "co_24h_mg_m3",
}

_HEADER, _CELLS, _MOMENT = "READ-CNEMC-AIR-HEADER", "READ-CNEMC-AIR-CELLS", "READ-CNEMC-AIR-MOMENT"
_TYPE, _TWICE, _STATION = "READ-CNEMC-AIR-TYPE", "READ-CNEMC-AIR-TWICE", "READ-CNEMC-AIR-STATION"
_SWAPPED = "READ-CNEMC-AIR-SWAPPED"
_ISO = "%Y-%m-%dT%H:%M:%S+08:00"
FAULTS: dict[str, Text] = {
    _HEADER: Text(
        zh="文件表头既不是全国站点日文件（date,hour,type,…），也不是实时发布文件（timepoint,stationcode,…）；请核对文件",
        en="The header is neither that of a national day file (date,hour,type,…) nor that of the live publication "
        "(timepoint,stationcode,…); check the file",
    ),
    _CELLS: Text(
        zh="该行的单元格数与表头不一致，无法对应到站点；请核对文件是否被截断并重新下载",
        en="The line does not have as many cells as the header, stations cannot be told apart; check whether the file "
        "was cut and download it again",
    ),
    _MOMENT: Text(
        zh="该行的日期不是YYYYMMDD或小时不是0–23，无法确定时刻；请核对原始文件",
        en="The line's date is not YYYYMMDD or its hour not 0–23, so it has no moment; check the file",
    ),
    _TYPE: Text(
        zh="该行的类型不在约定之内，未作解释；如确为新增项目，请先补充数据约定再重新导入",
        en="The line's type is none of those agreed; if it really is a new item, extend the contract and import again",
    ),
    _TWICE: Text(
        zh="同一小时同一类型又出现一行且内容不同，只采用先出现的一行；请核对原始文件",
        en="A second line of the same hour and type says something else, the first one was taken; check the file",
    ),
    _STATION: Text(
        zh="同一站点编码有两列且该小时数值互相矛盾，不能判断哪一列为准，该站该小时未入库；请核对原始文件",
        en="Two columns carry the same station code and contradict each other in that hour, so it was not admitted; "
        "check the file",
    ),
    _SWAPPED: Text(
        zh="实时发布文件的O3小时与24小时最大、O3八小时与其日最大的表头互换，已按实际含义入列",
        en="The live publication swaps the headers of ozone's hour and day maximum, and of its 8-hour value and "
        "maximum; the values are filed under what they are",
    ),
}


def read_rows(
    con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Payload], rows: str, unreadable: str
) -> set[str]:
    """Create the temporary tables `rows` and `unreadable` (see `formats.rows`) and return the columns brought.

    `_source_row` is a line of the file, its header being 1; for the archive the first line of the station's hour.
    The archive counts as final, the live publication as preliminary.
    """
    values = [name for name in contract.names if name in TYPES.values()]
    columns = ["station_code", "hour_end", *values, "data_status", "data_basis"]
    con.execute(
        f"create or replace temp table {rows} (_source_file varchar, _source_row bigint, _flags varchar[], "
        f"_raw varchar, {', '.join(f'{name} varchar' for name in columns)})"
    )
    con.execute(
        f"create or replace temp table {unreadable} "
        "(_source_file varchar, _source_row bigint, _raw varchar, reason_id varchar, detail varchar)"
    )
    for payload in payloads:
        with open_payload(payload.path) as file:
            lines = file.read().decode("utf-8-sig", errors="replace").rstrip("\r\n").splitlines() or [""]
        head = lines[0].split(",")
        if head[:3] == ["date", "hour", "type"]:
            _find_archive_faults(con, lines)
            _pivot_archive(con, head[3:], values)
        elif set(LIVE_COLUMNS) <= set(head):
            _find_live_faults(con, lines)
            _select_live(con, head)
        else:
            _refuse_file(con, lines)
        con.execute(
            f"insert into {rows} by name select $file as _source_file, * from air_row", {"file": payload.path.name}
        )
        con.execute(
            f"insert into {unreadable} "
            "select $file, _source_row, _raw, fault, detail from air_line where fault is not null",
            {"file": payload.path.name},
        )
    return set(columns)


def _find_archive_faults(con: duckdb.DuckDBPyConnection, lines: list[str]) -> None:
    """Create `air_line`: the lines of a day file with cells, moment, type, and what keeps them from being used."""
    con.execute(
        f"""
        create or replace temp table air_line as
        with lines as (
            select unnest($lines) as _raw, generate_subscripts($lines, 1) as _source_row
        ),
        celled as (
            select *, string_split(_raw, ',') as cells, len(cells) = $width as is_whole from lines where _source_row > 1
        )
        select
            * exclude (is_whole),
            cells[3] as type,
            try_strptime(concat(cells[1], ' ', cells[2]), '%Y%m%d %H') as moment,
            case
                when not is_whole then '{_CELLS}'
                when moment is null then '{_MOMENT}'
                when not list_contains($types, type) then '{_TYPE}'
                when first_value(_raw) over (partition by moment, type, is_whole order by _source_row) <> _raw
                    then '{_TWICE}'
            end as fault,
            case fault
                when '{_CELLS}' then concat(len(cells), ' of ', $width, ' cells')
                else concat_ws(' ', cells[1], cells[2], type)
            end as detail
        from celled
        """,
        {"lines": lines, "width": lines[0].count(",") + 1, "types": [*TYPES, NOT_KEPT]},
    )


def _pivot_archive(con: duckdb.DuckDBPyConnection, stations: list[str], values: list[str]) -> None:
    """Create `air_row`, one row per station and hour; those that contradict themselves join the faults."""
    type_of = {column: kind for kind, column in TYPES.items()}
    # One list of stations per type, unnested side by side, spares the grouping of half a million cells.
    lists = ", ".join(f"any_value(cells[4:]) filter (where type = '{type_of[v]}') as {v}" for v in values)
    con.execute(
        f"""
        create or replace temp table air_reading as
        with hours as (
            select moment, min(_source_row) as _source_row, {lists} from air_line where fault is null group by moment
        ),
        columns as (
            select moment, _source_row, unnest($stations) as station_code, {_each("unnest({0}) as {0}", values)}
            from hours
        )
        select * replace ({_each("nullif(trim({0}), '') as {0}", values)}) from columns
        where coalesce({_each("nullif(trim({0}), '')", values)}) is not null
        """,
        {"stations": stations},
    )
    con.execute(
        f"""
        create or replace temp table air_row as
        select
            min(_source_row) as _source_row, []::varchar[] as _flags, station_code,
            strftime(moment, '{_ISO}') as hour_end, {_each("min({0}) as {0}", values)},
            'final' as data_status, 'measured' as data_basis
        from air_reading
        group by moment, station_code
        having not ({" or ".join(f"coalesce(min({v}) <> max({v}), false)" for v in values)})
        """
    )
    con.execute(
        f"""
        insert into air_line by name
        select
            min(_source_row) as _source_row, to_json(list(reading))::varchar as _raw, '{_STATION}' as fault,
            concat(reading.station_code, ' ', strftime(reading.moment, '{_ISO}')) as detail
        from air_reading as reading
        anti join air_row on
            air_row.station_code = reading.station_code and air_row.hour_end = strftime(reading.moment, '{_ISO}')
        group by reading.station_code, reading.moment
        """
    )


def _find_live_faults(con: duckdb.DuckDBPyConnection, lines: list[str]) -> None:
    """Create `air_line`: the lines of a live file with their cells; one that was cut cannot be used."""
    con.execute(
        f"""
        create or replace temp table air_line as
        with celled as (
            select unnest($raw) as _raw, generate_subscripts($raw, 1) as _source_row, unnest($cells) as cells
        )
        select
            *,
            case when len(cells) <> $width then '{_CELLS}' end as fault,
            concat(len(cells), ' of ', $width, ' cells') as detail
        from celled
        where _source_row > 1
        """,
        # A line at a time, as an open quotation mark must not swallow the lines after it.
        {"raw": lines, "cells": [next(csv.reader([line]), []) for line in lines], "width": lines[0].count(",") + 1},
    )


def _select_live(con: duckdb.DuckDBPyConnection, head: list[str]) -> None:
    """Create `air_row`: one row per whole line of a live file."""
    texts = {column: f"nullif(trim(cells[{head.index(name) + 1}]), '')" for name, column in LIVE_COLUMNS.items()}
    moment = texts.pop("hour_end")
    con.execute(
        f"""
        create or replace temp table air_row as
        select
            _source_row, ['{_SWAPPED}'] as _flags, _raw,
            coalesce(strftime(try_strptime({moment}, '%Y-%m-%dT%H:%M:%S'), '{_ISO}'), {moment}) as hour_end,
            {", ".join(f"{text} as {column}" for column, text in texts.items())},
            'preliminary' as data_status, 'measured' as data_basis
        from air_line
        where fault is null
        """
    )


def _refuse_file(con: duckdb.DuckDBPyConnection, lines: list[str]) -> None:
    con.execute(
        "create or replace temp table air_line as "
        f"select 1 as _source_row, $head as _raw, '{_HEADER}' as fault, concat(len($lines), ' lines') as detail",
        {"head": lines[0][:1000], "lines": lines},
    )
    con.execute("create or replace temp table air_row as select null as _source_row limit 0")


def _each(template: str, columns: list[str]) -> str:
    return ", ".join(template.format(column) for column in columns)
