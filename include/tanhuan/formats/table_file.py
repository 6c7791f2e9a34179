"""Tables that people drop: CSV and XLSX, told apart by their content, with columns found by their names.

The header is the one among the first 30 lines that names the most columns of the contract, all key columns among them;
two lines can be one header (a group over its columns). Names are English or Chinese, in any case, half- or full-width,
with a unit or a note in brackets. Only one visible sheet of a workbook may hold such a table with rows.

Under the header every line is a row, except: blank lines; repetitions of the header; footers, that is lines whose first
cell is a footer word (合计, 备注, 填表人 …) and none of whose key columns holds anything else; lines of a form that
nobody filled, that is, in which nothing but keys stands; and in CSV a line with another number of cells than the header
has, which is unreadable. Nothing else is left out: a line without key may be a forgotten key, and goes to the contract
to refuse. Does not belong here: what a cell means (`cell_text`).
"""

from __future__ import annotations

import csv
import io
import itertools
import logging
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from openpyxl.utils import get_column_letter

from tanhuan.contracts import Contract, Text
from tanhuan.formats.cell_text import fold_name, is_code_as_number, make_converter
from tanhuan.formats.rows import Payload, open_payload
from tanhuan.formats.sheet import Limits, Line, Sheet, TableFileRefused, refuse
from tanhuan.formats.table_header import HEADER_LINES, Header, find_header, read_factors, refuse_header
from tanhuan.formats.workbook import (
    FORMULA_WITHOUT_VALUE,
    HIDDEN_SHEET,
    MACRO,
    OLE2_MAGIC,
    ZIP_MAGIC,
    read_workbook,
    refuse_ole2,
)

__all__ = ["FAULTS", "Limits", "TableFileRefused", "read_rows"]

log = logging.getLogger(__name__)

RAGGED, CODE_AS_NUMBER = "READ-TABLE-RAGGED", "READ-TABLE-CODE-AS-NUMBER"

FAULTS: dict[str, Text] = {
    RAGGED: Text(
        zh="该行的单元格数与表头不一致，可能缺少或多出分隔符",
        en="the line has another number of cells than the header: a delimiter is missing or too many",
    ),
    CODE_AS_NUMBER: Text(
        zh="编码被电子表格变成了数字（如 9.11302E+17），末位已丢失，未作修复；请将该列设为文本后重报",
        en="the spreadsheet turned a code into a number (such as 9.11302E+17); digits are lost and not repaired",
    ),
    FORMULA_WITHOUT_VALUE: Text(
        zh="公式没有保存计算结果，该单元格按空值处理；请在 Excel 中打开并保存后重报",
        en="a formula was saved without its result, so the cell is empty; save the file in Excel and send it again",
    ),
    MACRO: Text(zh="工作簿含宏，宏未执行", en="the workbook holds macros, which were not run"),
    HIDDEN_SHEET: Text(zh="工作簿有隐藏的工作表，未读取", en="the workbook has hidden sheets, which were not read"),
}

_DELIMITERS = ",;\t"
#: lines of a text in which the header is looked for; cells of a title may span several
_PROBED_LINES = 300
_FOOTER = re.compile(
    r"(?:(?:本页|本表)?(?:合计|总计|小计|共计)|备注|附?注|说明|(?:填表|填报|制表|经办|审核|复核|负责|联系)人?(?:签字|签名)?|"
    r"(?:填表|填报|报送|制表)(?:日期|单位|时间)|(?:单位)?(?:盖章|公章)|联系电话)(?:[:(\d].*)?"
)
_UNREADABLE = pa.schema(
    [
        ("_source_file", pa.string()),
        ("_source_row", pa.int64()),
        ("_raw", pa.string()),
        ("reason_id", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass
class _Table:
    """What one file brought: its rows, its torn lines, and counts of what is no data."""

    sheet: Sheet
    header: Header
    rows: list[Line] = field(default_factory=list)
    ragged: list[Line] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_rows(
    con: duckdb.DuckDBPyConnection,
    contract: Contract,
    payloads: list[Payload],
    rows: str,
    unreadable: str,
    limits: Limits | None = None,
) -> set[str]:
    """Read dropped tables into the temporary tables `rows` and `unreadable`; return the contract columns found.

    `_source_row` is the line as Excel or a text editor numbers it (where a quoted cell spans lines, its first);
    `_raw` the JSON object of header and cell texts. Money, masses and concentrations come in the contract's unit.

    Raises:
        TableFileRefused: one of the files cannot be read as a table of this contract; nothing of any is kept.
    """
    tables = [(payload, _read_table(payload, contract, limits or Limits())) for payload in payloads]
    read = pa.concat_tables([_to_arrow(p, t, contract) for p, t in tables], promote_options="default")
    torn = pa.Table.from_pylist([piece for p, t in tables for piece in _describe_ragged(p, t)], _UNREADABLE)
    for name, arrow in ((rows, read), (unreadable, torn)):
        con.register("arrived_table", arrow)
        con.execute(f"create or replace temp table {name} as select * from arrived_table")
        con.unregister("arrived_table")
    return {name for _, table in tables for name in table.header.places}


def _read_table(payload: Payload, contract: Contract, limits: Limits) -> _Table:
    data = _read_bytes(payload, limits)
    if data.startswith(OLE2_MAGIC):
        raise refuse_ole2(payload.name, data)
    try:
        if data.startswith(ZIP_MAGIC):
            sheets = read_workbook(payload.name, data, limits)
        else:
            sheets = [_cut_text(_decode(payload.name, data), contract)]
        table = _choose_table(payload.name, contract, sheets)
    except csv.Error as error:
        raise refuse(
            f"文件 {payload.name} 的引号不成对或单元格过大。",
            f"File {payload.name} has unbalanced quotes or a huge cell ({error}).",
            "在 Excel 中打开并另存为“CSV UTF-8”再报送。",
            "open it in Excel, save it as CSV UTF-8 and drop it again.",
        ) from error
    log.info("%s: %d rows, %d ragged, left out %s", payload.name, len(table.rows), len(table.ragged), table.left_out)
    return table


def _read_bytes(payload: Payload, limits: Limits) -> bytes:
    with open_payload(payload.path) as stream:
        data = stream.read(limits.file_bytes + 1)
    if len(data) > limits.file_bytes:
        raise refuse(
            f"文件 {payload.name} 超过 {limits.file_bytes} 字节的上限。",
            f"File {payload.name} is larger than {limits.file_bytes} bytes.",
            "按年度或区县拆分后分别报送。",
            "split it by year or county and drop the parts.",
        )
    if not data.strip(b" \t\r\n\xef\xbb\xbf"):
        raise refuse(
            f"文件 {payload.name} 是空文件。",
            f"File {payload.name} is empty.",
            "检查导出过程，重新报送。",
            "check how it was exported and drop it again.",
        )
    return data


def _cut_text(text: str, contract: Contract) -> Sheet:
    """Cut a text at the delimiter that makes most of the contract's names appear in a header."""

    def count_names(delimiter: str) -> int:
        # Leniently, and in the first lines only: at a wrong delimiter quotes need not fit.
        first = itertools.islice(io.StringIO(text, newline=""), _PROBED_LINES)
        head = itertools.islice(csv.reader(first, delimiter=delimiter), HEADER_LINES)
        return len(find_header([Line(n, texts) for n, texts in enumerate(head)], contract, {}).places)

    delimiter = max(_DELIMITERS, key=count_names)
    return Sheet("CSV", _read_lines(text, delimiter), is_cut=True)


def _read_lines(text: str, delimiter: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    first = 1
    try:
        for texts in reader:
            yield Line(first, texts)
            first = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {first}: {error}") from error


def _decode(name: str, data: bytes) -> str:
    """Decode strictly: by byte order mark, else UTF-8, else GB18030."""
    encoding = _find_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _refuse_byte(name, error.start, encoding) from error
    if "\0" in text:
        raise _refuse_byte(name, len(text[: text.index("\0")].encode(encoding)), encoding)
    return text


def _find_encoding(data: bytes) -> str:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    if data.startswith(BOM_UTF8):
        return "utf-8-sig"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Chinese in UTF-8 with one bad byte may decode as GB18030, to nonsense. But three-byte characters of UTF-8 do
        # not come about by chance: what has one before its first fault is damaged UTF-8.
        if not any(character >= "\u0800" for character in data[: error.start].decode("utf-8")):
            return "gb18030"
    return "utf-8"


def _refuse_byte(name: str, at: int, encoding: str) -> TableFileRefused:
    return refuse(
        f"文件 {name} 第 {at} 字节处（从 0 起）不是 {encoding} 文本。",
        f"File {name} is no {encoding} text at byte {at} (counted from 0).",
        "在 Excel 中打开核对，另存为 .xlsx 或“CSV UTF-8”再报送。",
        "open it in Excel, check it, save as .xlsx or CSV UTF-8 and drop it again.",
    )


def _choose_table(name: str, contract: Contract, sheets: list[Sheet]) -> _Table:
    """Return the one table of the contract among a file's sheets; empty forms beside it do not count."""
    tables, headers = [], []
    for sheet in sheets:
        head = list(itertools.islice(sheet.lines, HEADER_LINES + 1))
        header = find_header(head, contract, sheet.spans)
        headers.append(header)
        if set(contract.stated_key) <= header.places.keys():
            lines = itertools.chain(head[header.next_line :], sheet.lines)
            tables.append(_sort_lines(sheet, header, contract, lines))
    if not tables:
        raise refuse_header(name, contract, max(headers, key=lambda h: len(h.places), default=Header()))
    filled = [table for table in tables if table.rows or table.ragged]
    if len(filled) > 1:
        names = "、".join(table.sheet.name for table in filled)
        raise refuse(
            f"文件 {name} 有多个工作表都像 {contract.table}：{names}。",
            f"File {name} holds several sheets that look like {contract.table}: {names}.",
            "每个文件只保留一个填好的工作表，其余分别报送。",
            "keep one filled sheet in a file and drop the others apart.",
        )
    return filled[0] if filled else tables[0]


def _sort_lines(sheet: Sheet, header: Header, contract: Contract, lines: Iterator[Line]) -> _Table:
    """Put every line under the header where it belongs."""
    table = _Table(sheet, header)
    keys = [header.places[column] for column in contract.stated_key]
    said = [place for column, place in header.places.items() if column not in contract.key]
    width = header.width
    for line in lines:
        texts = line.texts
        if not "".join(texts).strip():
            table.left_out["blank"] += 1
        elif _is_footer(texts, keys):
            table.left_out["footer"] += 1
        elif _has_only_keys(texts, keys, said):
            table.left_out["not filled"] += 1
        elif all(place < len(texts) and texts[place] == header.texts[place] for place in keys):
            table.left_out["header repeated"] += 1
        elif sheet.is_cut and (len(texts) < width or "".join(texts[width:]).strip()):
            table.ragged.append(line)
        elif len(texts) == width:
            table.rows.append(line)
        else:
            extra = texts[:width] if not "".join(texts[width:]).strip() else texts
            table.rows.append(line._replace(texts=extra + [""] * (width - len(extra))))
    return table


def _has_only_keys(texts: list[str], keys: list[int], said: list[int]) -> bool:
    """Tell whether keys stand in a line, no footer word among them, and nothing in any other column of the contract."""

    def stands(places: list[int]) -> bool:
        return any(texts[place].strip() for place in places if place < len(texts))

    is_total = any(_is_footer_word(texts[place]) for place in keys if place < len(texts))
    return bool(said) and stands(keys) and not stands(said) and not is_total


def _is_footer(texts: list[str], keys: list[int]) -> bool:
    for place in keys:
        key = texts[place] if place < len(texts) else ""
        if key.strip() and not _is_footer_word(key):
            return False
    return _is_footer_word(next(text for text in texts if text.strip()))


def _is_footer_word(text: str) -> bool:
    return _FOOTER.fullmatch(fold_name(text)) is not None


def _to_arrow(payload: Payload, table: _Table, contract: Contract) -> pa.Table:
    factors = read_factors(payload.name, contract, table.header)
    odd = [[*table.sheet.flags, *line.flags] for line in table.rows]
    columns: dict[str, pa.Array] = {}
    for column in contract.columns:
        if column.name not in table.header.places:
            continue
        place = table.header.places[column.name]
        texts = [line.texts[place] for line in table.rows]
        convert = make_converter(column, factors[column.name], table.sheet.epoch)
        known = {text: convert(text) for text in set(texts)}
        columns[column.name] = pa.array([known[text] for text in texts], pa.string())
        codes = {text for text in known if column.type == "VARCHAR" and is_code_as_number(text)}
        if codes:
            for flags, text in zip(odd, texts, strict=True):
                if text in codes and CODE_AS_NUMBER not in flags:
                    flags.append(CODE_AS_NUMBER)
    return pa.table(
        {
            "_source_file": pa.repeat(payload.path.name, len(table.rows)),
            "_source_row": pa.array([line.number for line in table.rows], pa.int64()),
            "_flags": pa.array(odd, pa.list_(pa.string())),
            "_raw": pa.array(_to_json(table.header, table.rows), pa.string()),
            **columns,
        }
    )


def _to_json(header: Header, rows: list[Line]) -> list[str]:
    """Return each row as a JSON object; a column without a name, or with one used before, goes by its letter."""
    labels: list[str] = []
    for place in range(max((len(line.texts) for line in rows), default=0)):
        label = header.labels[place] if place < len(header.labels) else ""
        labels.append(label if label and label not in labels else get_column_letter(place + 1))
    encode = msgspec.json.encode
    return [encode(dict(zip(labels, line.texts, strict=False))).decode() for line in rows]


def _describe_ragged(payload: Payload, table: _Table) -> list[dict[str, Any]]:
    wanted = table.header.width
    return [
        {
            "_source_file": payload.path.name,
            "_source_row": line.number,
            "_raw": msgspec.json.encode(line.texts).decode(),
            "reason_id": RAGGED,
            "detail": f"文件 {payload.name} 第 {line.number} 行有 {len(line.texts)} 个单元格，表头有 {wanted} 个。 "
            f"File {payload.name}, line {line.number}: {len(line.texts)} cells, the header has {wanted}.",
        }
        for line in table.ragged
    ]
