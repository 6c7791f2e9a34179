"""The workbook: what was judged as a sheet a group of indicators, and what that rests on."""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tanhuan.report import words
from tanhuan.report.gather import Assessment, Row
from tanhuan.report.path import BASELINE, DRAFT, EXPECTED, FROZEN, OTHER, TARGET, VALUE, IndicatorPath, lay_out_path

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_FONT = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
_A4 = 9
_SHEET_NAME = 31
#: height of a line in points, columns that a Chinese character takes, and lines that a row of Excel can hold
_LINE_HEIGHT, _WIDE, _MOST_LINES = 14.0, 2.0, 28
#: places by which the workbook's own ratio and the published value may differ: those the value is stored with
_SAME = Decimal("0.0001")
#: a chart's size, in rows of the sheet and in pixels, and how many stand above one another on a page
_CHART_ROWS, _CHART_WIDTH, _CHART_HEIGHT, _CHARTS_DOWN = 16, 740, 300, 4
_RED, _PANEL, _LINE = "#A1241B", "#E9EDF1", "#B8C0C8"
#: series → marker, colour, dash; told apart in grey too
_LOOK = {
    VALUE: ("circle", "#1B1F24", "solid"),
    EXPECTED: (None, "#767676", "dash"),
    BASELINE: ("square", "#0B57A4", None),
    OTHER: ("triangle", "#5B7FA6", None),
    TARGET: ("x", "#A1241B", None),
    FROZEN: ("diamond", "#1B1F24", None),
    DRAFT: ("diamond", "#1B1F24", None),
}


@dataclass(frozen=True)
class Column:
    """A column of a sheet: heading, width in characters, and how a cell is read from a row."""

    heading: str
    width: float
    read: Callable[[Row], Any]


class Book:
    """An open workbook with its formats. Every number that rests on invented rows says 合成 in its own format."""

    def __init__(self, book: Workbook, told: Assessment) -> None:
        self.book = book
        self.told = told
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}

    def style(self, **given: Any) -> Format:
        """Return a format, made once."""
        key = tuple(sorted(given.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format({**_FONT, **given})
        return self._formats[key]

    def cell(self, **given: Any) -> Format:
        """Return the format of a cell of a table."""
        return self.style(border=1, border_color=_LINE, text_wrap=True, **given)

    def sheet(self, name: str, widths: Sequence[float]) -> Worksheet:
        """Add a sheet that prints on A4 landscape, one page wide, and says on every page what it is."""
        sheet = self.book.add_worksheet(re.sub(r"[\[\]:*?/\\]", " ", name)[:_SHEET_NAME])
        for position, width in enumerate(widths):
            sheet.set_column(position, position, width)
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        state = "" if self.told.frozen else f" · {words.DRAFT_ZH}"
        made = " · 含合成数据" if self.told.is_synthetic else ""
        sheet.set_header(f"&L{self.told.title}{state}{made}&R&A")
        sheet.set_footer(f"&L{self.told.version}&R&P / &N")
        return sheet

    def head(self, sheet: Worksheet, title: str) -> int:
        """Write title, state and warning; return the row that is free next."""
        sheet.set_row(0, 22)
        sheet.write_string(0, 0, title, self.style(bold=True, font_size=14))
        sheet.write_string(1, 0, self.told.state_zh, self.style(bold=True))
        if not self.told.is_synthetic:
            return 3
        sheet.write_string(2, 0, f"{words.WARNING_ZH} {words.WARNING_EN}", self.style(bold=True, font_color=_RED))
        return 4

    def put(self, sheet: Worksheet, at: tuple[int, int], value: Any, basis: str | None = None) -> None:
        """Write one cell of a table as what it is."""
        row, column = at
        if value is None:
            sheet.write_string(row, column, "–", self.cell(font_color="#57606A"))
        elif isinstance(value, dt.date):
            sheet.write_datetime(row, column, value, self.cell(num_format="yyyy-mm-dd", align="left"))
        elif isinstance(value, Decimal | float):
            sheet.write_number(row, column, float(value), self.cell(num_format=number_format(value, basis)))
        elif isinstance(value, int) and not isinstance(value, bool):
            sheet.write_number(row, column, value, self.cell(num_format="0"))
        else:
            sheet.write_string(row, column, str(value), self.cell())

    def table(
        self, sheet: Worksheet, first: int, columns: Sequence[Column], rows: Iterable[Row], basis: str = "data_basis"
    ) -> int:
        """Write a table with its heading; return the row after it."""
        self.headings(sheet, first, [column.heading for column in columns])
        fit_height(sheet, first, [(column.heading, column.width) for column in columns])
        at = first
        for at, row in enumerate(rows, first + 1):
            cells = [column.read(row) for column in columns]
            for position, value in enumerate(cells):
                self.put(sheet, (at, position), value, row.get(basis))
            fit_height(sheet, at, [(v, c.width) for v, c in zip(cells, columns, strict=True)])
        return at + 1

    def headings(self, sheet: Worksheet, at: int, names: Sequence[str]) -> None:
        """Write the heading of a table."""
        style = self.cell(bold=True, bg_color=_PANEL)
        for position, name in enumerate(names):
            sheet.write_string(at, position, name, style)

    def list_sheet(self, name: str, title: str, columns: Sequence[Column], rows: list[Row], none: str) -> None:
        """Add a sheet that is one table: frozen panes, a filter, its heading on every printed page."""
        sheet = self.sheet(name, [column.width for column in columns])
        first = self.head(sheet, title)
        end = self.table(sheet, first, columns, rows)
        if not rows:
            sheet.write_string(end, 0, none, self.style())
        sheet.freeze_panes(first + 1, 0)
        sheet.repeat_rows(first)
        if rows:
            sheet.autofilter(first, 0, end - 1, len(columns) - 1)


def render(told: Assessment) -> bytes:
    """Return the workbook of an assessment."""
    import xlsxwriter

    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        # The day it was frozen or published, not today: the same assessment gives the same file.
        book.set_properties(
            {"title": told.title, "created": dt.datetime.fromisoformat(told.stamp).replace(tzinfo=None)}
        )
        made = Book(book, told)
        _write_overview(made)
        for position, category in enumerate(told.categories, 1):
            _write_category(made, f"{position} {category}", category)
        _write_lists(made)
    return content.getvalue()


def fit_height(sheet: Worksheet, at: int, cells: list[tuple[Any, float]]) -> None:
    """Make a row as high as its longest text needs: not every program does so when it opens a file."""
    lines = [1]
    for value, width in cells:
        if isinstance(value, str):
            wide = sum(_WIDE if sign > "\u2e7f" else 1.0 for sign in value)
            lines.append(math.ceil(wide / max(width - 1, 1)))
    sheet.set_row(at, _LINE_HEIGHT * min(max(lines), _MOST_LINES))


def number_format(value: Any, basis: str | None = None) -> str:
    """Return the format of a figure: the places it has, and 合成 behind it if it is invented."""
    places = words.count_places(value)
    plain = "#,##0" + ("." + "0" * places if places else "")
    return f'{plain} "{words.SYNTHETIC_ZH[basis]}"' if basis in words.SYNTHETIC_ZH else plain


def _get(name: str) -> Callable[[Row], Any]:
    return lambda row: row[name]


def _say(name: str, table: dict[str, str]) -> Callable[[Row], Any]:
    return lambda row: table.get(row[name], row[name])


def _region(row: Row) -> Any:
    return row["region_zh"] or row["region_code"]


def _target_text(row: Row) -> Any:
    return f"{row['target_raw'] or '–'}" + (f"（{words.OP_ZH.get(row['op'], row['op'])}）" if row["op"] else "")


def _document(row: Row) -> Any:
    return " ".join(str(p) for p in (row["target_doc_no"], row["target_issued_date"]) if p) or None


def _baseline(name: str) -> Callable[[Row], Any]:
    def read(row: Row) -> Any:
        value, year = row[f"{name}_value"], row[f"{name}_year"]
        return None if value is None else f"{words.write_number(value, 4)}（{year} 年）"

    return read


def _coverage(row: Row) -> str:
    share = "" if row["coverage_pct"] is None else f"（{words.write_number(row['coverage_pct'], 1)} %）"
    return f"{words.write_number(row['coverage_n'])} / {words.write_number(row['coverage_required'])}{share}"


_OVERVIEW = (14, 40, 12, 13, 22, 13, 48)


def _write_overview(made: Book) -> None:
    told = made.told
    sheet = made.sheet("总览", _OVERVIEW)
    at = made.head(sheet, told.title)
    for name, value in _list_facts(told):
        sheet.write_string(at, 0, name, made.cell(bold=True, bg_color=_PANEL))
        sheet.merge_range(at, 1, at, 6, str(value or "–"), made.cell())
        at += 1
    at = made.table(sheet, at + 1, _verdict_columns(), told.verdicts) + 1
    attributes = list(dict.fromkeys(row["attribute"] for row in told.lead))
    made.headings(sheet, at, ["状态 status", "合计 all", *attributes])
    for code, count in told.count_statuses().items():
        at += 1
        made.put(sheet, (at, 0), told.status_zh.get(code, words.STATUS_ZH.get(code, code)))
        for position, number in enumerate([count, *(told.count_statuses(a).get(code, 0) for a in attributes)], 1):
            made.put(sheet, (at, position), number)
    at += 2
    sheet.freeze_panes(1, 0)
    made.table(sheet, at, _glance_columns(told), told.lead)
    sheet.repeat_rows(at)


def _list_facts(told: Assessment) -> list[tuple[str, Any]]:
    verdict = told.verdict
    facts = [
        ("总体结论 verdict", words.VERDICT_ZH.get(verdict["verdict"], verdict["verdict"]) if verdict else None),
        ("考核时点 point", f"{told.point.name}，{told.point.year} 年，到期 {told.point.due}"),
        ("数据截至 as of", told.as_of),
        ("发布版本 version", told.version),
        ("内容摘要 hash", told.content_hash),
        ("规则摘要 rules", told.rules_digest),
        ("程序 code", told.code_revision),
        ("数据性质 basis", told.describe_basis()),
        ("闸门 gates", "；".join(f"{g['gate']}：{g['checks']} 项，{g['failed']} 项未通过" for g in told.gates)),
    ]
    if told.frozen:
        facts.append(("冻结 frozen", f"{told.frozen.name}，{told.frozen.manifest['frozen_by'] or '–'}"))
        facts.append(("说明 note", told.frozen.manifest["note"]))
    return facts


def _verdict_columns() -> list[Column]:
    return [
        Column("区域 region", _OVERVIEW[0], _region),
        Column("总体结论 verdict", _OVERVIEW[1], _say("verdict", words.VERDICT_ZH)),
        Column("约束性 binding", _OVERVIEW[2], _get("binding_count")),
        Column("达标 attained", _OVERVIEW[3], _get("binding_attained_count")),
        Column("未达标 failed", _OVERVIEW[4], _get("binding_failed_count")),
        Column("未定 open", _OVERVIEW[5], _get("binding_open_count")),
        Column("说明 reason", _OVERVIEW[6], _get("reason_zh")),
    ]


def _glance_columns(told: Assessment) -> list[Column]:
    return [
        Column("序号", _OVERVIEW[0], _get("indicator_no")),
        Column("指标 indicator", _OVERVIEW[1], _get("indicator")),
        Column("属性", _OVERVIEW[2], _get("attribute")),
        Column("数值 value", _OVERVIEW[3], _get("value")),
        Column("目标 target", _OVERVIEW[4], _target_text),
        Column("状态 status", _OVERVIEW[5], _status(told)),
        Column("说明 reason", _OVERVIEW[6], _get("status_reason_zh")),
    ]


def _status(told: Assessment, name: str = "status") -> Callable[[Row], Any]:
    return _say(name, words.STATUS_ZH | told.status_zh)


#: where a group's sheet has numerator, denominator and the workbook's own ratio
_NUMERATOR, _DENOMINATOR, _RATIO = 6, 7, 8


def _group_columns(told: Assessment) -> list[Column]:
    return [
        Column("序号", 5, _get("indicator_no")),
        Column("指标 indicator", 17, _get("indicator")),
        Column("区域 region", 8, _region),
        Column("数值 value", 11, _get("value")),
        Column("单位 unit", 6, _get("unit")),
        Column("评判值 judged", 10, _get("judged_value")),
        Column("分子 numerator", 11, _get("numerator")),
        Column("分母 denominator", 11, _get("denominator")),
        Column("复算（公式）check", 11, lambda row: None),
        Column("基数 baseline", 9, _baseline("baseline")),
        Column("另一基数 2nd baseline", 9, _baseline("other_baseline")),
        Column("目标原文 target", 11, _target_text),
        Column("目标值 number", 8, _get("target_value")),
        Column("目标单位 unit", 6, _get("target_unit")),
        Column("目标文件 document", 14, _document),
        Column("状态 status", 9, _status(told)),
        Column("说明 reason", 26, _get("status_reason_zh")),
        Column("覆盖 coverage", 11, _coverage),
        Column("标准 standard", 9, _get("standard_code")),
        Column("数据性质 basis", 9, _say("data_basis", words.BASIS_ZH)),
    ]


def _write_category(made: Book, name: str, category: str) -> None:
    told, columns = made.told, _group_columns(made.told)
    sheet = made.sheet(name, [column.width for column in columns])
    first = made.head(sheet, f"{category} · {told.title}")
    rows = told.in_category(category)
    end = made.table(sheet, first, columns, rows)
    for at, row in enumerate(rows, first + 1):
        _write_check(made, sheet, at, row)
    sheet.freeze_panes(first + 1, 3)
    sheet.repeat_rows(first)
    lead = [row for row in rows if row["region_code"] == told.region_code]
    at = _write_formulas(made, sheet, end + 1, lead)
    paths = [lay_out_path(told, row) for row in lead]
    at = _write_paths(made, sheet, at + 1, paths)
    # No chart is cut by the end of a page.
    page_rows = _CHART_ROWS * _CHARTS_DOWN
    sheet.set_h_pagebreaks([at, *(at + 1 + page_rows * n for n in range(1, 1 + len(paths) // (2 * _CHARTS_DOWN)))])
    for position, (path, place) in enumerate(zip(paths, _place_paths(paths, at), strict=True)):
        chart = _draw(made, sheet, path, place)
        top = at + 1 + position // 2 * _CHART_ROWS
        place_x = {"x_offset": position % 2 * (_CHART_WIDTH + 10), "description": path.description}
        sheet.insert_chart(top, 0, chart, place_x)


def choose_formula(row: Row) -> tuple[str, Decimal] | None:
    """Return the workbook's formula of a ratio with `{n}` and `{d}`, and its value; None where none gives the value."""
    n, d, value = row["numerator"], row["denominator"], row["value"]
    if None in (n, d, value) or not d:
        return None
    ways = {"={n}/{d}*100": n / d * 100, "=(1-{n}/{d})*100": (1 - n / d) * 100, "={n}/{d}": n / d}
    return next(((formula, got) for formula, got in ways.items() if abs(got - value) <= _SAME), None)


def _write_check(made: Book, sheet: Worksheet, at: int, row: Row) -> None:
    """Write the ratio as a live formula, so that a reader can follow it."""
    from xlsxwriter.utility import xl_rowcol_to_cell

    chosen = choose_formula(row)
    if chosen is None:
        return
    formula, value = chosen
    n, d = xl_rowcol_to_cell(at, _NUMERATOR), xl_rowcol_to_cell(at, _DENOMINATOR)
    style = made.cell(num_format=number_format(row["value"], row["data_basis"]))
    sheet.write_formula(at, _RATIO, formula.format(n=n, d=d), style, float(value))


def _write_formulas(made: Book, sheet: Worksheet, at: int, rows: list[Row]) -> int:
    """Explain how each indicator is computed; return the row after it."""
    sheet.write_string(at, 0, "公式说明 How each is computed", made.style(bold=True, font_size=12))
    spans = [(0, 0, "序号"), (1, 1, "指标"), (2, 8, "公式"), (9, 11, "分子"), (12, 14, "分母"), (15, 16, "依据")]
    spans.append((17, 19, "说明"))
    columns = _group_columns(made.told)
    at += 1
    _write_spans(made, sheet, at, [(a, b, text) for a, b, text in spans], is_head=True)
    for row in rows:
        at += 1
        told = made.told.formulas.get(row["indicator_no"], {})
        doubt = "" if told.get("confidence") == "verified" else "（公式待核对）"
        texts = [
            row["indicator_no"],
            row["indicator"],
            f"{told.get('formula_zh') or '规则表没有写公式。'}{doubt if told else ''}",
            told.get("numerator_zh") or "–",
            told.get("denominator_zh") or "–",
            "；".join(filter(None, (told.get("clause"), told.get("source_doc")))) or "–",
            row["note_zh"] or "–",
        ]
        _write_spans(made, sheet, at, [(a, b, str(t)) for (a, b, _), t in zip(spans, texts, strict=True)])
        widths = [sum(column.width for column in columns[a : b + 1]) for a, b, _ in spans]
        fit_height(sheet, at, list(zip(texts, widths, strict=True)))
    return at + 1


def _write_spans(
    made: Book, sheet: Worksheet, at: int, spans: list[tuple[int, int, str]], *, is_head: bool = False
) -> None:
    style = made.cell(bold=True, bg_color=_PANEL) if is_head else made.cell()
    for first, last, text in spans:
        if first == last:
            sheet.write_string(at, first, text, style)
        else:
            sheet.merge_range(at, first, at, last, text, style)


_PATH_HEADINGS = ("序号", "指标", "年度", "数值", "进度线", "基数", "另一基数", "目标", "冻结值", "数据性质")
#: column of a series in the table of paths
_PATH_SERIES = ((VALUE,), (EXPECTED,), (BASELINE,), (OTHER,), (TARGET,), (FROZEN, DRAFT))


def _write_paths(made: Book, sheet: Worksheet, at: int, paths: list[IndicatorPath]) -> int:
    """Write what the charts draw, a row a year; return the row after it."""
    sheet.write_string(at, 0, "历年路径 Paths", made.style(bold=True, font_size=12))
    names = [*_PATH_HEADINGS]
    names[8] = "冻结值" if made.told.frozen else "草稿值"
    made.headings(sheet, at + 1, names)
    at += 2
    for path in paths:
        for year in path.years:
            basis = "synthetic" if year in path.synthetic_years else None
            for position, value in enumerate((path.indicator_no, path.indicator, year)):
                made.put(sheet, (at, position), value)
            for position, names_of in enumerate(_PATH_SERIES, 3):
                found = next((path.of(n)[year] for n in names_of if year in path.of(n)), None)
                is_value = names_of[0] in (VALUE, FROZEN)
                if found is None:
                    sheet.write_blank(at, position, None, made.cell())
                else:
                    made.put(sheet, (at, position), found, basis if is_value else None)
            made.put(sheet, (at, 9), "合成" if basis else "")
            at += 1
    return at


def _place_paths(paths: list[IndicatorPath], end: int) -> list[int]:
    """Return the first row of each path in the table of paths that ends before `end`."""
    at = end - sum(len(path.years) for path in paths)
    places = []
    for path in paths:
        places.append(at)
        at += len(path.years)
    return places


def _draw(made: Book, sheet: Worksheet, path: IndicatorPath, first: int) -> Any:
    """Return a native chart of a path, drawn from the cells of the table of paths."""
    chart: Any = made.book.add_chart({"type": "scatter", "subtype": "straight_with_markers"})
    last = first + max(len(path.years), 1) - 1
    for position, names in enumerate(_PATH_SERIES, 3):
        name = next((n for n in names if path.of(n)), None)
        if name is None:
            continue
        marker, color, dash = _LOOK[name]
        chart.add_series(
            {
                "name": name,
                "categories": [sheet.get_name(), first, 2, last, 2],
                "values": [sheet.get_name(), first, position, last, position],
                "line": {"color": color, "width": 1.5, "dash_type": dash} if dash else {"none": True},
                "marker": {"type": marker, "size": 8, "fill": {"color": color}, "border": {"color": color}}
                if marker
                else {"type": "none"},
                "data_labels": {"value": True, "position": "above"} if name != EXPECTED else {},
            }
        )
    if not path.points:
        cells = {"categories": [sheet.get_name(), 0, 2, 0, 2], "values": [sheet.get_name(), 0, 3, 0, 3]}
        chart.add_series({"name": "没有可绘制的数值", **cells})
    years = path.years or [made.told.point.year]
    chart.set_x_axis({"min": years[0] - 1, "max": years[-1] + 1, "major_unit": 1, "num_format": "0"})
    chart.set_y_axis({"name": path.unit, "major_gridlines": {"visible": True, "line": {"color": "#E6E9EC"}}})
    chart.set_title({"name": path.title, "name_font": {"size": 11}})
    chart.set_legend({"position": "bottom"})
    chart.show_blanks_as("span")
    chart.set_size({"width": _CHART_WIDTH, "height": _CHART_HEIGHT})
    return chart


def _write_lists(made: Book) -> None:
    told, year, add = made.told, made.told.point.year, made.list_sheet
    add("总量减排", f"总量减排（{year} 年，吨）", _reduction_columns(told), told.reductions, "没有数据。")
    add("减排项目", f"减排项目（{year} 年）", _PROJECT_COLUMNS, told.projects, "没有项目。")
    add("规划承诺", "规划承诺", _commitment_columns(told), told.commitments, "没有承诺。")
    add("矛盾与说明", "规划文本的矛盾与说明", _NOTE_COLUMNS, told.notes, "没有说明。")
    evidence = list(told.evidence.values())
    add("佐证", "佐证：由什么算出、舍去什么、缺什么", _EVIDENCE_COLUMNS, evidence, "没有佐证。")
    add("佐证文件", "佐证文件", _DOCUMENT_COLUMNS, told.documents, "没有文件。")
    none = "现在没有发布版本。" if told.frozen else f"{words.DRAFT_ZH}：尚无冻结值可比。"
    title = f"冻结值与现行值（现行版本 {told.now_version or '–'}）"
    add("冻结与现行", title, _compared_columns(told), told.compared, none)


def _reduction_columns(told: Assessment) -> list[Column]:
    tonnes = {
        "base_t": "基数",
        "planned_t": "计划",
        "claimed_t": "申报",
        "verified_t": "核定",
        "verified_cum_t": "累计核定",
        "by_engineering_t": "工程",
        "by_structure_t": "结构",
        "by_management_t": "管理",
        "new_growth_t": "新增",
        "net_t": "净减",
        "rate_a_pct": "减排率甲 %",
        "rate_b_pct": "减排率乙 %",
        "target_t": "目标",
    }
    return [
        Column("污染物", 14, _say("pollutant_id", words.POLLUTANT_ZH)),
        Column("区域 region", 10, _region),
        *(Column(heading, 13, _get(name)) for name, heading in tonnes.items()),
        Column("目标文件", 20, _get("target_doc_no")),
        Column("完成 %", 11, _get("completion_pct")),
        Column("状态", 11, _status(told)),
        Column("项目数", 8, _get("project_count")),
        Column("缺佐证", 8, _get("evidence_gap_count")),
        Column("数据性质", 11, _say("data_basis", words.BASIS_ZH)),
    ]


_PROJECT_COLUMNS = [
    Column("项目 project", 12, _get("project_id")),
    Column("名称", 28, _get("project_name")),
    Column("区县代码", 10, _get("county_code")),
    Column("污染物", 14, _say("pollutant_id", words.POLLUTANT_ZH)),
    Column("计划 t", 12, _get("planned_t")),
    Column("申报 t", 12, _get("claimed_t")),
    Column("核定 t", 12, _get("verified_t")),
    Column("核定情况", 12, _say("verification_state", words.VERIFICATION_ZH)),
    Column("应有佐证", 9, _get("evidence_required_count")),
    Column("已有佐证", 9, _get("evidence_present_count")),
    Column("未核定原因", 40, _get("why_not_verified_zh")),
    Column("数据性质", 11, _say("data_basis", words.BASIS_ZH)),
]
_NOTE_COLUMNS = [
    Column("编号", 8, _get("note_id")),
    Column("指标", 7, _get("indicator_no")),
    Column("承诺", 8, _get("commitment_id")),
    Column("说明", 60, _get("note_zh")),
    Column("note", 50, _get("note_en")),
    Column("出处", 24, _get("source_doc")),
    Column("可信度", 10, _get("confidence")),
]
_EVIDENCE_COLUMNS = [
    Column("序号", 6, _get("indicator_no")),
    Column("指标", 28, _get("indicator")),
    Column("区域代码", 10, _get("region_code")),
    Column("输入数", 9, _get("row_count")),
    Column("舍去", 8, _get("excluded_count")),
    Column("舍去说明", 24, _get("exclusions_zh")),
    Column("文件数", 8, _get("document_count")),
    Column("文件", 44, _get("documents_zh")),
    Column("缺口", 40, _get("gaps_zh")),
    Column("标准", 14, _get("standard_code")),
    Column("目标文件", 20, _get("target_doc_no")),
    Column("输入摘要", 34, _get("inputs_hash")),
    Column("数据性质", 11, _say("data_basis", words.BASIS_ZH)),
]
_DOCUMENT_COLUMNS = [
    Column("指标", 7, _get("indicator_no")),
    Column("区域代码", 10, _get("region_code")),
    Column("年度", 7, _get("year")),
    Column("种类", 12, _say("document_kind", words.DOCUMENT_ZH)),
    Column("对象", 16, _get("subject")),
    Column("细目", 16, _get("detail")),
    Column("出具单位", 24, _get("issuer")),
    Column("文号", 26, _get("doc_no")),
    Column("日期", 12, _get("issued_date")),
    Column("数据截至", 12, _get("data_as_of_date")),
    Column("最新", 7, lambda row: "是" if row["is_latest"] else "否"),
    Column("数据性质", 11, _say("data_basis", words.BASIS_ZH)),
]


def _commitment_columns(told: Assessment) -> list[Column]:
    return [
        Column("编号", 8, _get("commitment_id")),
        Column("章节", 10, _get("section")),
        Column("承诺原文", 48, _get("commitment_zh")),
        Column("区域", 10, _region),
        Column("年度", 7, _get("year")),
        Column("期限", 14, lambda row: row["due_text"] or words.DUE_ZH.get(row["due_kind"], row["due_kind"])),
        Column("进展", 12, _get("value")),
        Column("比较", 6, lambda row: words.OP_ZH.get(row["op"], row["op"])),
        Column("目标", 10, lambda row: words.write_number(row["target_value"])),
        Column("单位", 8, _get("unit")),
        Column("状态", 11, _status(told)),
        Column("说明", 40, _get("status_reason_zh")),
        Column("报送单位", 18, _get("issuer")),
        Column("文号", 22, _get("doc_no")),
        Column("数据性质", 11, _say("data_basis", words.BASIS_ZH)),
    ]


def _compared_columns(told: Assessment) -> list[Column]:
    def figure(side: str, unit: str) -> Callable[[Row], Any]:
        return lambda row: words.write_figure(row[f"{side}_value"], row[unit], row[f"{side}_data_basis"])

    return [
        Column("序号", 6, _get("indicator_no")),
        Column("指标", 30, _get("indicator")),
        Column("区域", 10, _region),
        Column("冻结值 frozen", 18, figure("frozen", "unit")),
        Column("现行值 now", 18, figure("current", "current_unit")),
        Column("差", 12, _get("difference")),
        Column("冻结状态", 12, _status(told, "frozen_status")),
        Column("现行状态", 12, _status(told, "current_status")),
        Column("冻结目标", 12, _get("frozen_target_value")),
        Column("现行目标", 12, _get("current_target_value")),
        Column("是否有变", 9, lambda row: "有变" if row["is_restated"] else "未变"),
        Column("原因 cause", 44, _get("causes")),
    ]
