"""The report tells what is frozen, as it was frozen; a draft says that it is one; what is invented says so."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pytest
from typer.testing import CliRunner

from tanhuan.assess.freeze import Request as FreezeRequest
from tanhuan.assess.freeze import freeze
from tanhuan.cli_report import report
from tanhuan.errors import TanhuanError
from tanhuan.report import page, workbook
from tanhuan.report.gather import Assessment, gather
from tanhuan.report.path import BASELINE, DRAFT, EXPECTED, FROZEN, OTHER, TARGET, VALUE, lay_out_path
from tanhuan.report.produce import Request, write_report
from tanhuan.report.words import DRAFT_ZH, WARNING_ZH, write_figure
from tanhuan.settings import Settings
from tests.report.made_whole import change_made, publish_whole

NUMBERS = range(1, 29)
COMPARED = "冻结与现行"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    settings = _settings(tmp_path_factory.mktemp("frozen"))
    publish_whole(settings)
    freeze(FreezeRequest("MID_2023", who="tester"), settings)
    return gather("14", None, None, settings)


@pytest.fixture(scope="module")
def sheets(frozen: Assessment) -> Any:
    return openpyxl.load_workbook(io.BytesIO(workbook.render(frozen)))


@pytest.fixture(scope="module")
def html(frozen: Assessment) -> str:
    return page.render(frozen)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: a chart takes longer than everything else, and is tested by itself."""
    monkeypatch.setattr(page, "draw", lambda path: f"<svg><desc>{path.description}</desc></svg>")


def _settings(folder: Path) -> Settings:
    return Settings(home=folder / "home", upstream_url=None, _env_file=None)  # type: ignore[call-arg]


def _cells(sheet: Any) -> list[tuple[Any, ...]]:
    return list(sheet.iter_rows(values_only=True))


def _articles(html: str) -> dict[int, str]:
    return {int(n): text for n, text in re.findall(r'<article id="i(\d+)">(.*?)</article>', html, flags=re.DOTALL)}


@pytest.mark.slow
def test_every_indicator_has_its_chart_and_its_sentence(frozen: Assessment, html: str) -> None:
    articles = _articles(html)
    assert list(articles) == list(NUMBERS)
    for row in frozen.lead:
        article = articles[row["indicator_no"]]
        assert row["status_reason_zh"] in article
        [svg] = re.findall(r"<svg.*?</svg>", article, flags=re.DOTALL)
        drawing = ElementTree.fromstring(svg)
        parts = {child.tag.rpartition("}")[2]: child.text or "" for child in drawing}
        assert parts["title"].startswith(f"{row['indicator_no']} {row['indicator']}")
        assert parts["desc"]


@pytest.mark.slow
def test_the_page_needs_nothing_from_elsewhere_and_no_name_in_it_is_twice(html: str) -> None:
    assert not re.findall(r"<script|<link|<img|@import|\bsrc=", html)
    outside = set(re.findall(r"https?://[^\s\"'<]+", html))
    assert outside <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)
    for promise in ("size: A4", "break-inside: avoid", "table-header-group"):
        assert promise in html


def test_a_path_has_values_expectation_both_baselines_target_and_the_frozen_value(frozen: Assessment) -> None:
    path = lay_out_path(frozen, frozen.lead[0])
    assert path.of(VALUE) == {2019: 77, 2021: 80, 2022: 81.5, 2023: 83}
    assert (path.of(BASELINE), path.of(OTHER), path.of(TARGET)) == ({2020: 86.1}, {2019: 74.2}, {2025: 87})
    assert path.of(FROZEN) == {2023: 83}
    expected = path.of(EXPECTED)
    assert list(expected) == [2020, 2021, 2022, 2023, 2025]
    assert expected[2023] == pytest.approx(86.64)
    assert lay_out_path(replace(frozen, frozen=None), frozen.lead[0]).of(DRAFT) == {2023: 83}


def test_without_a_dated_target_in_the_same_unit_no_path_is_expected(frozen: Assessment) -> None:
    for changed in ({"target_value": None}, {"target_unit": "t"}, {"target_year": None}):
        path = lay_out_path(frozen, frozen.lead[0] | changed)
        assert (path.of(TARGET), path.of(EXPECTED)) == ({}, {})
        assert path.of(VALUE)


def test_the_workbook_has_a_sheet_a_group_with_figure_target_status_and_reason(frozen: Assessment, sheets: Any) -> None:
    groups = [f"{n} {name}" for n, name in enumerate(frozen.categories, 1)]
    assert sheets.sheetnames[: len(groups) + 1] == ["总览", *groups]
    told: dict[tuple[Any, Any], dict[Any, Any]] = {}
    for name in groups:
        rows = _cells(sheets[name])
        head = next(row for row in rows if row[0] == "序号")
        for row in rows[rows.index(head) + 1 :]:
            if not isinstance(row[0], int):
                break
            told[row[0], row[2]] = dict(zip(head, row, strict=True))
    assert {number for number, _ in told} == set(NUMBERS)
    for judged in frozen.indicators:
        shown = told[judged["indicator_no"], judged["region_zh"]]
        assert shown["数值 value"] == ("–" if judged["value"] is None else pytest.approx(float(judged["value"])))
        assert (shown["说明 reason"], shown["状态 status"]) == (
            judged["status_reason_zh"],
            frozen.status_zh[judged["status"]],
        )
    first = told[1, "湘潭市"]
    assert first["目标文件 document"] == "湘政办示例〔2022〕1号 2022-03-01"
    assert (first["基数 baseline"], first["另一基数 2nd baseline"]) == ("86.1（2020 年）", "74.2（2019 年）")


def test_every_sheet_prints_on_a4_landscape_one_page_wide_and_every_indicator_has_a_native_chart(
    frozen: Assessment, sheets: Any
) -> None:
    for sheet in sheets:
        assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize)) == ("landscape", 9)
        # One page wide is what a file says by saying nothing; 0 high is as many pages as it takes.
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.freeze_panes, sheet.title
        assert sheet.print_title_rows, sheet.title
    groups = sheets.sheetnames[1 : len(frozen.categories) + 1]
    assert sum(len(sheets[name]._charts) for name in groups) == len(NUMBERS)


def test_a_ratio_is_a_live_formula_of_the_cells_that_hold_numerator_and_denominator(sheets: Any) -> None:
    sheet = sheets["1 生态环境质量"]
    [cell] = [r[8] for r in sheet.iter_rows() if r[0].value == 10 and r[2].value == "湘潭市" and r[8].data_type == "f"]
    n, d = re.fullmatch(r"=(\w+)/(\w+)\*100", cell.value).groups()  # type: ignore[union-attr]
    assert sheet[n].value / sheet[d].value * 100 == pytest.approx(92)
    assert sheet.cell(cell.row, 4).value == pytest.approx(92)


@pytest.mark.parametrize(
    ("numerator", "denominator", "value", "formula"),
    [
        ("3", "4", "75", "={n}/{d}*100"),
        ("0.8", "1.0", "20", "=(1-{n}/{d})*100"),
        ("3", "4", "0.75", "={n}/{d}"),
        ("3", "4", "80", None),
        ("3", "0", "80", None),
    ],
)
def test_no_formula_is_shown_that_does_not_give_the_value(
    numerator: str, denominator: str, value: str, formula: str | None
) -> None:
    row = {"numerator": Decimal(numerator), "denominator": Decimal(denominator), "value": Decimal(value)}
    chosen = workbook.choose_formula(row)
    assert (chosen and chosen[0]) == formula


def test_a_text_that_looks_like_a_formula_stays_a_text(frozen: Assessment) -> None:
    note = frozen.notes[0] | {"note_zh": "=1+1", "note_en": "http://example.test"}
    book = openpyxl.load_workbook(io.BytesIO(workbook.render(replace(frozen, notes=[note]))))
    cells = [cell for row in book["矛盾与说明"].iter_rows() for cell in row if cell.value == "=1+1"]
    assert [cell.data_type for cell in cells] == ["s"]


def test_what_rests_on_invented_rows_says_so_at_the_figure_and_what_is_measured_does_not(
    frozen: Assessment, sheets: Any, undrawn: None
) -> None:
    formats: dict[int, str] = {}
    for name in sheets.sheetnames[1 : len(frozen.categories) + 1]:
        rows = (r for r in sheets[name].iter_rows(max_col=4) if isinstance(r[0].value, int) and r[2].value == "湘潭市")
        formats |= {row[0].value: row[3].number_format for row in rows if isinstance(row[3].value, float | int)}
    articles = _articles(page.render(frozen))
    valued = [row for row in frozen.lead if row["value"] is not None]
    assert {row["data_basis"] for row in valued} == {"synthetic", "measured"}
    for row in valued:
        is_made = row["data_basis"] == "synthetic"
        number = row["indicator_no"]
        assert ("合成" in formats[number]) is is_made, number
        shown = re.search(r"数值 <span.*?</dd>", articles[number], flags=re.DOTALL)
        assert shown
        assert ('<span class="made">合成</span>' in shown[0]) is is_made, number
        assert ("合成" in lay_out_path(frozen, row).title) is is_made, number
    assert write_figure(Decimal("90.50"), "%", "mixed") == "90.5 %（含合成）"


def test_the_warning_stands_on_the_first_sheet_and_the_page_only_if_something_is_invented(
    frozen: Assessment, sheets: Any, undrawn: None
) -> None:
    [cell] = [c for row in sheets["总览"].iter_rows() for c in row if WARNING_ZH in str(c.value)]
    assert cell.font.color.rgb == "FFA1241B"
    assert WARNING_ZH in page.render(frozen)

    def measure(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"data_basis": "measured"} for row in rows]

    real = replace(
        frozen,
        indicators=measure(frozen.indicators),
        reductions=measure(frozen.reductions),
        commitments=measure(frozen.commitments),
        path={number: measure(rows) for number, rows in frozen.path.items()},
    )
    assert not real.is_synthetic
    assert WARNING_ZH not in page.render(real)
    one = replace(real, reductions=[frozen.reductions[0], *real.reductions[1:]])
    assert one.is_synthetic


def test_a_draft_says_so_on_page_and_every_sheet_and_a_freeze_does_not(home: Settings, undrawn: None) -> None:
    publish_whole(home)
    draft = write_report(Request(), home)
    assert draft.describe()["is_draft"]
    assert draft.page == home.root / "reports" / "14_MID_2023_draft" / "report.html"
    assert draft.page.read_text("utf-8").count(DRAFT_ZH) >= 3
    book: Any = openpyxl.load_workbook(draft.workbook)
    assert all(DRAFT_ZH in str(sheet["A2"].value) and DRAFT_ZH in sheet.oddHeader.left.text for sheet in book)
    freeze(FreezeRequest("MID_2023"), home)
    frozen = write_report(Request(), home)
    assert DRAFT_ZH not in frozen.page.read_text("utf-8")
    assert "已冻结：第 1 次" in frozen.page.read_text("utf-8")
    assert frozen.describe()["freeze_no"] == 1


def test_a_report_of_a_freeze_is_the_same_next_month_but_for_what_is_published_then(
    home: Settings, undrawn: None
) -> None:
    publish_whole(home)
    freeze(FreezeRequest("MID_2023"), home)
    first = write_report(Request(folder=home.root / "a"), home)
    again = write_report(Request(folder=home.root / "b"), home)
    assert again.workbook.read_bytes() == first.workbook.read_bytes()
    publish_whole(home, dt.date(2024, 2, 15), {10: Decimal("88")})
    later = write_report(Request(point="MID_2023", folder=home.root / "c"), home)
    before, after = _split(first.page), _split(later.page)
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert later.describe()["restated_since"] == 1
    assert re.search(r"92 %.*?88 %", after[1], flags=re.DOTALL)
    old, new = (openpyxl.load_workbook(w.workbook) for w in (first, later))
    for name in old.sheetnames:
        assert (_cells(old[name]) == _cells(new[name])) is (name != COMPARED), name
    [changed] = [row for row in _cells(new[COMPARED]) if row[10] == "有变"]
    assert changed[:1] + changed[3:6] == (10, "92 %（合成）", "88 %（合成）", pytest.approx(-4))


def _split(path: Path) -> tuple[str, str]:
    """Return the page without, and only, what compares with the version of the day."""
    before, _, rest = path.read_text("utf-8").partition('<section class="annex" id="compared">')
    compared, _, after = rest.partition("</section>")
    return before + after, compared


def test_the_newest_point_that_is_due_is_told_and_the_plans_own_goes_before_the_years(
    home: Settings, undrawn: None
) -> None:
    publish_whole(home)
    assert gather("14", None, None, home).point.name == "MID_2023"
    publish_whole(home, dt.date(2025, 1, 15))
    assert gather("14", None, None, home).point.name == "ANNUAL_2024"
    with pytest.raises(TanhuanError, match=r"not due|no assessment point"):
        gather("14", "FINAL_2025", None, home)


def test_an_earlier_freeze_can_be_told_and_one_that_is_not_there_is_refused(home: Settings) -> None:
    publish_whole(home)
    freeze(FreezeRequest("MID_2023"), home)
    publish_whole(home, dt.date(2024, 2, 15), {10: Decimal("88")})
    freeze(FreezeRequest("MID_2023", revise="复核后更正"), home)
    values = {}
    for number in (1, 2, None):
        told = gather("14", "MID_2023", number, home)
        values[number] = next(row["value"] for row in told.lead if row["indicator_no"] == 10)
    assert values == {1: 92, 2: 88, None: 88}
    assert "复核后更正" in gather("14", "MID_2023", 2, home).state_zh
    with pytest.raises(TanhuanError, match="no freeze 3"):
        gather("14", "MID_2023", 3, home)


def test_a_plan_of_counties_only_is_told_by_the_county_with_most_indicators(home: Settings) -> None:
    version = publish_whole(home)
    change_made(home, version, "delete from ind_plan_indicator where region_code = '430300'")
    told = gather("14", "MID_2023", None, home)
    assert told.region_code == "430321"
    assert [row["indicator_no"] for row in told.lead] == [2, 10, 12]
    assert told.path[2]


def test_text_of_others_is_text_and_never_markup(frozen: Assessment, undrawn: None) -> None:
    note = frozen.notes[0] | {"note_zh": "<script>alert(1)</script>"}
    made = page.render(replace(frozen, notes=[note]))
    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_the_command_says_to_programs_where_the_report_is(
    home: Settings, undrawn: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import typer

    publish_whole(home)
    monkeypatch.setattr("tanhuan.cli_report.get_settings", lambda: home)
    app = typer.Typer()
    app.command()(report)
    answer = CliRunner().invoke(app, ["MID_2023", "--out", str(tmp_path / "out"), "--json"])
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.output)
    assert (told["is_draft"], told["verdict"], told["is_synthetic"]) == (True, "undecided", True)
    assert Path(told["page"]).exists()
    assert Path(told["workbook"]).exists()
