"""The forms that the project makes: what is filled in is admitted, and nobody types a ratio."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tanhuan.contracts import get_contract, tables_of
from tanhuan.errors import TanhuanError
from tanhuan.return_forms import GUIDE, Wish, write_forms
from tanhuan.return_list import list_returns
from tanhuan.settings import Settings
from tests.intake.installation import drop, lake_rows, take_dropped

NIGHT = dt.date(2026, 3, 1)
HEADS = {
    "报送单位": "示例林业局",
    "文号": "示例林函〔2026〕2号",
    "数据截至": dt.date(2025, 12, 31),
    "报送日期": dt.date(2026, 2, 20),
    "数据性质": "synthetic",
}


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", upstream_url=None, _env_file=None)  # type: ignore[call-arg]


def fill(path: Path, typed: dict[tuple[int, str], tuple[float, float]], heads: dict[str, Any] = HEADS) -> None:
    """Fill a form as a person does, and save what its formulas give, as Excel does."""
    book = load_workbook(path)
    sheet: Any = book.worksheets[0]
    header = next(n for n in range(1, 30) if len([c for c in sheet[n] if c.value]) > 8)
    places = {re.split("（", str(cell.value))[0]: cell.column for cell in sheet[header] if cell.value}
    for row in range(1, header):
        if sheet.cell(row, 1).value in heads:
            sheet.cell(row, 2).value = heads[sheet.cell(row, 1).value]
    for row in range(header + 1, sheet.max_row + 1):
        key = (sheet.cell(row, places["指标序号"]).value, sheet.cell(row, places["分项"]).value)
        filled = typed.get(key)
        for name, place in places.items():
            cell = sheet.cell(row, place)
            if not str(cell.value).startswith("="):
                continue
            unit = re.search(r',"([^"]*)"\)$', str(cell.value))
            cell.value = None if filled is None else heads.get(name, unit[1] if unit else None)
        if filled:
            sheet.cell(row, places["分子"]).value, sheet.cell(row, places["分母"]).value = filled
            sheet.cell(row, places["比值"]).value = filled[0] / filled[1]
    book.save(path)


def test_a_form_filled_in_is_admitted_and_its_ratio_is_not_read(home: Settings, tmp_path: Path) -> None:
    (form,) = write_forms("department_return", Wish(year=2025, region_code="430381"), tmp_path, home)
    fill(form, {(27, "1"): (402.5, 860), (28, "stress"): (21.5, 100)})
    drop("department_return", form.name, form, home)
    (outcome,) = take_dropped("department_return", NIGHT, home)
    assert (outcome.state, outcome.received, outcome.admitted, outcome.quarantined) == ("admitted", 2, 2, 0)
    rows = {row["indicator_no"]: row for row in lake_rows("department_return", home)}
    forest = rows[27]
    assert (float(forest["numerator"]), float(forest["denominator"]), forest["quantity_unit"]) == (402.5, 860, "km2")
    assert (forest["plan_id"], forest["region_code"], forest["year"]) == ("14", "430381", 2025)
    assert (forest["issuer"], forest["as_of_date"]) == ("示例林业局", dt.date(2025, 12, 31))
    assert rows[28]["part"] == "stress"
    assert not [name for name in forest if "ratio" in name]
    listed = list_returns("14", 2025, "430381", home)
    assert [(r["indicator_no"], r["doc_no"]) for r in listed if r["due"] is None] == [
        (27, "示例林函〔2026〕2号"),
        (28, "示例林函〔2026〕2号"),
    ]
    missing = {r["indicator_no"]: r["due"] for r in listed if r["due"]}
    assert missing[26] == dt.date(2026, 9, 30)
    assert 27 not in missing


def test_a_form_without_document_number_is_not_admitted(home: Settings, tmp_path: Path) -> None:
    (form,) = write_forms("department_return", Wish(indicator_no=27, year=2025), tmp_path, home)
    fill(form, {(27, "1"): (2344, 5006)}, HEADS | {"文号": None})
    drop("department_return", form.name, form, home)
    (outcome,) = take_dropped("department_return", NIGHT, home)
    assert outcome.admitted == 0
    assert lake_rows("department_return", home) == []


@pytest.mark.parametrize("table", tables_of("returns"))
def test_every_form_explains_every_column_and_only_its_table_is_read(
    table: str, home: Settings, tmp_path: Path
) -> None:
    (form,) = write_forms(table, Wish(year=2025), tmp_path, home)
    book = load_workbook(form)
    assert book.sheetnames[1] == GUIDE
    explained = {str(cell.value).partition(" | ")[2] for cell in book[GUIDE]["A"]}
    assert set(get_contract(table).names) <= explained
    drop(table, form.name, form, home)
    outcomes = take_dropped(table, NIGHT, home)
    assert all(outcome.received == outcome.admitted == 0 for outcome in outcomes), "an empty form says nothing"


def test_an_indicator_that_nobody_reports_has_no_form(home: Settings, tmp_path: Path) -> None:
    with pytest.raises(TanhuanError, match="no indicator 1 "):
        write_forms(None, Wish(indicator_no=1, year=2025), tmp_path, home)
    with pytest.raises(TanhuanError, match="no table of returns"):
        write_forms("air_hour", Wish(), tmp_path, home)


def test_the_command_writes_and_lists(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from tanhuan import cli_returns

    monkeypatch.setattr(cli_returns, "get_settings", lambda: home)
    run = CliRunner().invoke
    written = run(cli_returns.app, ["template", "source_intake", "--out", str(tmp_path / "forms")])
    assert written.exit_code == 0
    assert Path(written.output.strip().replace("\n", "")).name == "source_intake.xlsx"
    listed = run(cli_returns.app, ["list", "--year", "2024", "--json"])
    assert {row["indicator_no"] for row in json.loads(listed.output)} >= {10, 28}
