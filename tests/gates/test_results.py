"""What a person reads of a gate's run: what failed first, rows as columns, a line per check, the way on."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from tanhuan.admit import admit_loads
from tanhuan.errors import BatchRefused
from tanhuan.gates.log_text import WIDTH, GateRun, find_way_on, name_foremost, render_run
from tanhuan.gates.results import CheckResult, from_counts, from_great_expectations, passed, sort_failing
from tanhuan.gates.samples import choose_columns, count_texts, read_sample
from tanhuan.gates.suites import Check
from tanhuan.landing import Load
from tanhuan.settings import Settings
from tests.conftest import Upstream, land_table

DOCS = Path(__file__).parents[2] / "docs"
KEY = dt.date(2025, 12, 31)


def make_check(id_: str, action: str = "flag", level: str = "row", query: str = "") -> Check:
    """Return a check as a suite would bring it."""
    expectation = {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": query}}
    return Check(id_, level, action, "warning", "浓度超出范围", "out of range", "HJ 75", expectation)  # type: ignore[arg-type]


def received(number: int, **values: object) -> str:
    return f"payload-00001.json.zst row {number} {json.dumps(values, ensure_ascii=False)}"


@pytest.fixture
def three() -> list[CheckResult]:
    """A check that passed, a flag, and one that refuses the batch, in this order."""
    rows = [received(n, outlet="DA001", name="示例钢铁", avg_value=-n, remark="x" * 90) for n in range(1, 16)]
    return [
        passed(make_check("C-1")),
        from_counts(make_check("C-2", query="select * from {batch} where avg_value < 0"), 100, 15, rows),
        from_counts(make_check("C-3", "refuse_batch"), 100, 1, ["payload-00001.json.zst row 7 ##0109ST=32"]),
    ]


def test_failing_checks_come_first_and_the_gravest_before_all(three: list[CheckResult]) -> None:
    assert [r.id for r in sort_failing(three)] == ["C-3", "C-2"]
    text = render_run(GateRun("heading", three))
    assert text.startswith("heading\n")
    assert text.index("C-3") < text.index("C-2") < text.index("✓ C-1")
    assert "15.00%" in text, "the share"
    assert "out of range" in text
    assert "浓度超出范围" in text
    assert "(HJ 75)" in text, "the clause"


def test_every_check_has_one_line_at_the_end(three: list[CheckResult]) -> None:
    lines = render_run(GateRun("heading", three)).splitlines()
    assert [line.split() for line in lines[-3:]] == [
        ["✓", "C-1", "row", "flag", "浓度超出范围"],
        ["⚑", "C-2", "row", "flag", "浓度超出范围"],
        ["✗", "C-3", "row", "refuse_batch", "浓度超出范围"],
    ]


def test_ten_failing_rows_are_a_table_of_the_key_and_what_the_check_looks_at(three: list[CheckResult]) -> None:
    text = render_run(GateRun("heading", three, key=["outlet"]))
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("[flag] C-2"))
    assert "10 / 15" in lines[start]
    assert lines[start + 1].split()[2:4] == ["outlet", "avg_value"], "the key, then the column of the check"
    rows = lines[start + 2 : start + 12]
    assert [row.split()[:3] for row in rows] == [
        [f"payload-00001.json.zst:{n}", "DA001", str(-n)] for n in range(1, 11)
    ]
    assert "payload-00001.json.zst:11" not in text
    assert "##0109ST=32" in text, "what is no JSON is shown as it came"


def test_columns_are_aligned_though_chinese_is_two_wide() -> None:
    rows = [received(1, name="示例钢铁", value=1), received(2, name="ab", value=2)]
    result = from_counts(make_check("C-1"), 2, 2, rows)
    lines = render_run(GateRun("heading", [result])).splitlines()
    first = next(line for line in lines if "示例钢铁" in line)
    second = next(line for line in lines if "zst:2" in line)
    assert cell_len(first[: first.rindex("1")]) == cell_len(second[: second.rindex("2")])


def test_the_log_is_plain_and_narrow_whatever_the_terminal(
    three: list[CheckResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = render_run(GateRun("heading", three))
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "40", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    assert render_run(GateRun("heading", three)) == plain
    assert "\x1b" not in plain
    assert max(cell_len(line) for line in plain.splitlines()) <= WIDTH


def test_what_an_upstream_sent_cannot_forge_lines_or_markup() -> None:
    evil = received(1, name="a\n✓ ALL GOOD\x1b[31m[bold]x[/bold]\u202e")
    text = render_run(GateRun("heading", [from_counts(make_check("C-1"), 1, 1, [evil])]))
    assert "\n✓ ALL GOOD" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]" in text, "brackets are text"


def test_a_quiet_load_of_history_takes_one_line() -> None:
    results = [passed(make_check(f"C-{n}")) for n in range(40)]
    assert len(render_run(GateRun("heading", results, brief=True)).splitlines()) == 2
    assert len(render_run(GateRun("heading", results)).splitlines()) == 41


def test_rows_that_a_query_found_are_kept_as_json_of_bounded_length() -> None:
    check = make_check("C-1", level="batch", query="select station_code, hours from {batch}")
    found = {"station_code": "1562A", "hours": 4, "remark": "长" * 5000}
    raw = {"success": False, "result": {"details": {"unexpected_rows": [found] * 30}, "observed_value": 30}}
    result = from_great_expectations(check, raw)
    assert len(result.samples) == 20
    sample = read_sample(result.samples[0], "batch")
    assert sample.place == ""
    assert sample.row is not None
    assert sample.row["hours"] == "4"
    assert len(result.samples[0]) < 500
    assert result.columns == ["station_code", "hours"]
    assert choose_columns([sample], (), result.columns)[:2] == ["station_code", "hours"]


def test_a_check_that_could_not_be_answered_lets_nothing_in() -> None:
    check = make_check("C-1", level="batch", action="flag", query="select * from {batch}")
    error = {"raised_exception": True, "exception_message": "OutOfMemoryException: 700 MB used"}
    result = from_great_expectations(check, {"success": False, "exception_info": {"x": error}})
    assert result.refuses_batch
    assert result.observed == "OutOfMemoryException: 700 MB used"
    assert result.zh.startswith("检查未能完成")
    told = {"success": False, "result": {"observed_value": 3, "details": {"unexpected_rows": [{"a": 1}] * 3}}}
    assert not from_great_expectations(check, told).refuses_batch
    assert from_great_expectations(check, told).failed_rows == 3


def test_values_without_columns_are_counted() -> None:
    samples = [read_sample(text, "batch") for text in ("2026-01-14", "2026-01-14", "2026-04-11")]
    assert count_texts(samples) == [("", "2026-01-14 ×2"), ("", "2026-04-11")]


@pytest.mark.parametrize("text", ['a.json row 1 {"a": 1', "a.csv row 2 ", "a 3 \ud83d x", "", "{}", "[1, 2]"])
def test_a_sample_in_any_shape_is_shown(text: str) -> None:
    for level in ("row", "batch"):
        sample = read_sample(text, level)
        assert sample.text.isprintable()
        render_run(GateRun("heading", [from_counts(make_check("C-1"), 1, 1, [text])]))


def test_the_sentence_of_an_error_names_all_but_tells_the_first_only() -> None:
    refused = [from_counts(make_check(f"C-{n}", "refuse_batch"), 10, n, []) for n in range(1, 8)]
    sentence = name_foremost(refused)
    assert all(f"[refuse_batch] C-{n}" in sentence for n in range(1, 8))
    assert sentence.count("out of range") == 3


@pytest.mark.parametrize(("kind", "whole"), [("night", True), ("night", False), ("file", True)])
def test_the_way_on_names_command_payload_and_a_runbook_that_is_there(kind: str, whole: bool, home: Settings) -> None:
    load = Load("20260101-air_hour", "air_hour", "2025-12-31", "", "", kind, "pages")  # type: ignore[arg-type]
    way_on = "\n".join(find_way_on(load, whole, home))
    assert "tanhuan quarantine show 20260101-air_hour" in way_on
    assert str(load.folder(home)) in way_on
    runbook = way_on.partition("docs/")[2].split()[0]
    assert (DOCS / runbook).is_file(), runbook


def test_the_log_of_a_refused_batch_leads_to_its_rows(
    settings: Settings, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.misbehave(
        {"kind": "scale_column", "table": "hazardous_waste_balance", "column": "generated_t", "factor": -1}
    )
    loads = land_table("hazardous_waste_balance", KEY, settings)
    with caplog.at_level("INFO"), pytest.raises(BatchRefused) as refusal:
        admit_loads(loads, settings)
    [run] = [record for record in caplog.records if record.getMessage().startswith("第一道闸门 gate 1")]
    text = run.getMessage()
    assert run.levelname == "WARNING"
    assert "generated_t" in text
    assert f"tanhuan quarantine show {loads[0].load_id}" in text
    assert "docs/runbooks/batch-refused.md" in text
    assert (settings.root / "gates" / "index.html").exists(), "a refusal writes the page"
    sentence = str(refusal.value)
    assert f"tanhuan quarantine show {loads[0].load_id}" in sentence
    assert len(sentence) < 1500
