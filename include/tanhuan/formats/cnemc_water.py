"""The national surface-water publication: daily API answers with HTML in their cells, and CSV files by section.

Both become the same thing first, a header and rows of cells, and are then read by one query. Belongs here: what a cell,
a time without a year and a missing value look like. Does not belong here: what a value may be (expectations/).

An answer is `{"records": n, "thead": […], "tbody": [[17 cells], …]}`; a file by section has the same 17 columns, with
rounded values only. `_source_row` counts the rows of an answer from 1, and the lines of a file with its header as 1.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re

import duckdb

from tanhuan.contracts import Contract, Text
from tanhuan.formats.rows import Payload, open_payload

#: the publication's columns as they read without HTML. A column under another unit is not ours, hence the whole header
#: must fit.
COLUMNS = {
    "省份": "province",
    "流域": "basin",
    "断面名称": "section_name",
    "监测时间": "measured_at",
    "水质类别": "water_class",
    "水温(℃)": "water_temp_c",
    "pH(无量纲)": "ph",
    "溶解氧(mg/L)": "do_mg_l",
    "电导率(μS/cm)": "ec_us_cm",
    "浊度(NTU)": "turbidity_ntu",
    "高锰酸盐指数(mg/L)": "codmn_mg_l",
    "氨氮(mg/L)": "nh3n_mg_l",
    "总磷(mg/L)": "tp_mg_l",
    "总氮(mg/L)": "tn_mg_l",
    "叶绿素α(mg/L)": "chla_mg_l",
    "藻密度(cells/L)": "algae_cells_l",
    "站点情况": "station_status",
}

_ANSWER, _HEADER = "READ-CNEMC-WATER-ANSWER", "READ-CNEMC-WATER-HEADER"
_CELLS, _NO_TIME = "READ-CNEMC-WATER-CELLS", "READ-CNEMC-WATER-NO-TIME"
_SHORT, _EXTREME = "READ-CNEMC-WATER-SHORT", "READ-CNEMC-WATER-EXTREME"
_STALE, _YEAR = "READ-CNEMC-WATER-STALE", "READ-CNEMC-WATER-YEAR"
FAULTS: dict[str, Text] = {
    _ANSWER: Text(
        zh="文件不是地表水发布系统的应答（应有thead和tbody），也不是断面CSV，或声称有记录却一条没有；请重新下载",
        en="The file is neither an answer of the surface-water publication (thead, tbody) nor a CSV by section, or it "
        "states records and holds none; download it again",
    ),
    _HEADER: Text(
        zh="表头与约定的17列（含单位）不符，不能判断数值含义；请核对发布系统是否改版或单位是否改变",
        en="The header differs from the 17 agreed columns with their units, so the values have no sure meaning; "
        "check whether the publication changed its layout or a unit",
    ),
    _CELLS: Text(
        zh="该行的单元格数与表头不一致，无法对应到列；请核对原始文件是否被截断",
        en="The row does not have as many cells as the header, they cannot be told apart; check whether the file "
        "was cut",
    ),
    _NO_TIME: Text(
        zh="该断面没有报监测时间（多为停站），无法归入任何时刻；恢复运行后会自动入库，无需处理",
        en="The section reported no time of measurement (mostly a stopped station), so there is nothing to file; it is "
        "admitted once it runs again",
    ),
    _SHORT: Text(
        zh="该应答声称的记录数多于实际给出的行数，少的断面没有收到；请核对发布系统的分页",
        en="The answer states more records than it holds, the missing sections never arrived; check its paging",
    ),
    _EXTREME: Text(
        zh="该行有数值被国家站按“极值过滤”隐去，对应列为空；不得按零或缺测站点处理",
        en="The network withheld a value of this row as extreme, its column is empty; treat it neither as zero nor as "
        "a station that was down",
    ),
    _STALE: Text(
        zh="监测时间早于应答日期超过补报期限，是该站停运前的最后一次数据；请勿当作当日数据使用",
        en="The time lies further back than the late window, it is the station's last value before it stopped; "
        "do not take it for that day's value",
    ),
    _YEAR: Text(
        zh="监测时间没有年份，文件名也没有日期，年份按收到日期推定；请在文件名中写明日期（如昭山_2021-04-05.csv）",
        en="The time has no year and the file name no date, the year was taken from the day of receipt; "
        "put the date into the file's name (e.g. 昭山_2021-04-05.csv)",
    ),
}

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MISSING = ("", "-", "--", "*")
_CHINA = dt.timezone(dt.timedelta(hours=8))


def read_rows(
    con: duckdb.DuckDBPyConnection, contract: Contract, payloads: list[Payload], rows: str, unreadable: str
) -> set[str]:
    """Create the temporary tables `rows` and `unreadable` (see `formats.rows`) and return the columns brought.

    Values are the unrounded ones (title 原始值) where they were sent, else those shown: the published class follows the
    unrounded ones. A value shown as missing stays missing. `data_status` is preliminary, as the live publication is not
    reviewed. A time that is not `MM-DD HH:MM` is passed on as it came.
    """
    _load_answers(con, payloads)
    _find_faults(con)
    con.execute(_select_unreadable(unreadable))
    con.execute(_select_rows(rows), {"late_days": contract.late_window_days})
    return {*COLUMNS.values(), "city", "river", "value_form", "data_status", "data_basis"}


def _load_answers(con: duckdb.DuckDBPyConnection, payloads: list[Payload]) -> None:
    """Create `water_answer`: one row a file, with its answer as text and the last day that its times can belong to."""
    con.execute(
        "create or replace temp table water_answer "
        "(_source_file varchar, answered date, is_dated boolean, first_row integer, body varchar)"
    )
    for payload in payloads:
        with open_payload(payload.path) as file:
            text = file.read().decode("utf-8-sig", errors="replace")
        is_csv = "断面名称" in text.partition("\n")[0] and not text.startswith("{")
        answered, is_dated = _find_day(payload)
        con.execute(
            "insert into water_answer values (?, ?, ?, ?, ?)",
            [payload.path.name, answered, is_dated, 2 if is_csv else 1, _answer_of(text) if is_csv else text],
        )


def _answer_of(text: str) -> str:
    """Return a CSV by section as an answer."""
    head, *body = csv.reader(text.rstrip().splitlines())
    return json.dumps({"thead": head, "tbody": body}, ensure_ascii=False)


def _find_day(payload: Payload) -> tuple[dt.date, bool]:
    """Return the day of an answer, and whether its name says so; otherwise it is the day of receipt."""
    named = _DATE.search(payload.name)
    if named:
        try:
            return dt.date.fromisoformat(named.group()), True
        except ValueError:  # 2021-02-30 is no date, so the name has none
            pass
    return payload.fetched_at.astimezone(_CHINA).date(), False


def _find_faults(con: duckdb.DuckDBPyConnection) -> None:
    """Create `water_piece`: every row of every answer with its cells, and the fault that keeps it from being a row."""
    con.execute(
        f"""
        create or replace temp table water_piece as
        with answers as (
            select
                * exclude (body),
                case when json_valid(body) then
                    from_json(body, '{{"records": "BIGINT", "thead": ["VARCHAR"], "tbody": ["JSON"]}}')
                end as answer,
                body[:200] as beginning
            from water_answer
        ),
        pieces as (
            select
                _source_file, answered, is_dated, unnest(answer.tbody)::varchar as _raw,
                generate_subscripts(answer.tbody, 1) + first_row - 1 as _source_row,
                list_transform(answer.thead, lambda name: regexp_replace(name, '<[^>]*>', '', 'g')) as head,
                coalesce(answer.records > len(answer.tbody), false) as is_short
            from answers
        ),
        celled as (
            select *, list_transform(from_json(_raw, '["VARCHAR"]'), lambda cell: trim(cell)) as cells from pieces
        )
        select
            * exclude (head),
            {_cell("监测时间")} as time,
            case
                when list_sort(head) is distinct from list_sort($head) then '{_HEADER}'
                when len(cells) is distinct from len(head) then '{_CELLS}'
                when time is null then '{_NO_TIME}'
            end as fault,
            case fault
                when '{_HEADER}' then array_to_string(head, ',')
                when '{_CELLS}' then concat(coalesce(len(cells), 0), ' of ', len(head), ' cells')
                when '{_NO_TIME}' then {_shown(_cell("断面名称"))}
            end as detail,
            {", ".join(f'{_cell(name)} as "{column}"' for name, column in COLUMNS.items() if name != "监测时间")}
        from celled
        union all by name
        select _source_file, beginning as _raw, 1 as _source_row, '{_ANSWER}' as fault, beginning as detail
        from answers
        where answer.tbody is null or (len(answer.tbody) = 0 and answer.records > 0)
        """,
        {"head": list(COLUMNS)},
    )


def _select_unreadable(table: str) -> str:
    return (
        f"create or replace temp table {table} as select _source_file, _source_row, _raw, fault as reason_id, detail "
        "from water_piece where fault is not null"
    )


def _select_rows(table: str) -> str:
    texts = ("province", "basin", "water_class", "station_status")
    values = [c for c in COLUMNS.values() if c not in (*texts, "section_name", "measured_at")]
    some = " or ".join(f"{c} like '%<%' and {_shown(c)} is not null" for c in values)
    bare = " or ".join(f"{c} not like '%原始值：%' and {_shown(c)} is not null" for c in values)
    extreme = " or ".join(f"{c} like '%极值过滤%'" for c in values)
    return f"""
        create or replace temp table {table} as
        with dated as (
            -- A time has no year: it is the last such day up to the answer's. Eight years reach the last 29 February.
            select
                *,
                list_max(list_filter(
                    list_transform(
                        range(year(answered) - 8, year(answered) + 1),
                        lambda y: try_strptime(concat(y, '-', time), '%Y-%m-%d %H:%M')
                    ),
                    lambda moment: moment::date <= answered
                )) as moment
            from water_piece
            where fault is null
        )
        select
            _source_file, _source_row, _raw,
            list_filter([
                case when is_short then '{_SHORT}' end,
                case when {extreme} then '{_EXTREME}' end,
                case when answered - moment::date > $late_days then '{_STALE}' end,
                case when not is_dated then '{_YEAR}' end
            ], lambda flag: flag is not null) as _flags,
            {_shown("section_name")} as section_name,
            -- title='所在地市:门头沟区&#10;所属河流:永定河'
            nullif(regexp_extract(section_name, '所在地市:(.*?)(&#10;|'')', 1), '') as city,
            nullif(regexp_extract(section_name, '所属河流:(.*?)(&#10;|'')', 1), '') as river,
            coalesce(strftime(moment, '%Y-%m-%dT%H:%M:00+08:00'), time) as measured_at,
            {", ".join(f"{_shown(c)} as {c}" for c in texts)},
            {", ".join(f"{_value(c)} as {c}" for c in values)},
            case when {bare} then 'rounded' when {some} then 'original' end as value_form,
            'preliminary' as data_status,
            'measured' as data_basis
        from dated
    """


def _cell(name: str) -> str:
    """Return the SQL of the cell under a header, NULL if it is missing without a reason (`--`, `*`, `-`, empty)."""
    cell = f"cells[list_position(head, '{name}')]"
    return f"case when {cell} not in {_MISSING} then {cell} end"


def _shown(cell: str) -> str:
    """Return the SQL of what a reader of the page sees, NULL if it says missing."""
    shown = f"trim(regexp_replace({cell}, '<[^>]*>', '', 'g'))"
    return f"case when {shown} not in {_MISSING} then {shown} end"


def _value(cell: str) -> str:
    """Return the SQL of a value: unrounded (title='原始值：17.67623') where it was sent, else as shown."""
    shown = _shown(cell)
    return (
        f"case when {shown} is not null "
        f"then coalesce(nullif(regexp_extract({cell}, '原始值：([^'']*)', 1), ''), {shown}) end"
    )
