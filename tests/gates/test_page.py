"""The page of the gates: what each night's gates answered, found again by table and check, safe to open from a disk."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tanhuan import cli, ledger
from tanhuan.admit import admit_loads
from tanhuan.contracts import get_contract, load_contracts
from tanhuan.errors import BatchRefused, TanhuanError
from tanhuan.files import write_json
from tanhuan.gates.nights import NIGHTS, STATES, NightAnswer, TableAnswer, read_night, read_nights
from tanhuan.gates.page import refresh_page, write_page
from tanhuan.settings import Settings
from tests.conftest import Upstream, land_table
from tests.intake.installation import drop, take_dropped

DOCS = Path(__file__).parents[2] / "docs"
KEY = dt.date(2025, 12, 31)
TABLE = "hazardous_waste_balance"
_ATTACK = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """The tags of a page, its anchors and its links."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def values(self, attribute: str) -> list[str]:
        return [str(attrs[attribute]) for _, attrs in self.tags if attribute in attrs]


def table_of(night: NightAnswer, table: str, gate: str = "source") -> TableAnswer:
    return next(t for t in night.at(gate) if t.table == table)


def record_load(key: str, stamp: str, settings: Settings, *, failed: int = 0, kind: str = "night", **facts: Any) -> str:
    """Record a load of air hours and its gate's answers as admit does."""
    load_id = f"{stamp}-air_hour"
    told: dict[str, Any] = {
        "load_id": load_id,
        "table": "air_hour",
        "key": key,
        "first": key,
        "last": key,
        "kind": kind,
    }
    told |= {"state": "admitted", "received": 100, "quarantined": 0, "reason": None, **facts}
    check: dict[str, Any] = {
        "id": "SRC-AH-010",
        "level": "row",
        "severity": "warning",
        "action": "flag",
        "passed": not failed,
    }
    check |= {"failed_rows": failed, "failed_share": failed / 100, "observed": None}
    check["samples"] = [f'a.json row {n} {{"station_code": "{stamp}"}}' for n in range(min(failed, 20))]
    check |= {"zh": "说明", "en": "meaning", "source": "HJ 663", "columns": []} if failed else {}
    gate = {"gate": "source", "subject": load_id, "table": "air_hour", "key": key, "passed": True, "rows": 100}
    ledger.record("gates", load_id, {**gate, "checks": [check]}, settings)
    ledger.record("loads", load_id, told, settings)
    return load_id


def stamp_of(day: dt.date, number: int = 0) -> str:
    return f"{day:%Y%m%d}T0200{number:02d}000000000"


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation into which somebody dropped complaints; one of them holds markup and is refused."""
    home = Settings(home=tmp_path_factory.mktemp("attacked"), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    row = {
        "complaint_no": "示例举20251201-1",
        "received_date": "2025-12-01",
        "county_code": "430304",
        "channel": "12369",
        "medium": "air",
        "subject": "噪声",
        "status": "已办结",
        "closed_date": "2025-12-20",
        "data_basis": "synthetic",
    }
    out = io.StringIO()
    writer = csv.DictWriter(out, [c.name for c in get_contract("complaint").columns])
    writer.writeheader()
    for n in range(30):
        attack = {"subject": _ATTACK, "county_code": _ATTACK} if n == 7 else {}
        writer.writerow({**row, "complaint_no": f"示例举20251201-{n}", **attack})
    drop("complaint", "complaints.csv", out.getvalue().encode(), home)
    [outcome] = take_dropped("complaint", KEY, home)
    assert (outcome.state, outcome.quarantined) == ("admitted", 1)
    return home


@pytest.fixture(scope="module")
def pages(attacked: Settings) -> tuple[Page, Page]:
    index = write_page(attacked)
    return Page(index), Page(index.with_name(f"{KEY}.html"))


def test_what_came_from_outside_is_text(pages: tuple[Page, Page]) -> None:
    for page in pages:
        assert not [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "link", "object")]
        assert not [a for a in ("onerror", "onclick", "onload") if page.values(a)]
    night = pages[1]
    assert "&lt;script&gt;alert(" in night.text, "it is shown, as text"
    assert "示例举20251201-7" in night.text


def test_nothing_comes_from_elsewhere(pages: tuple[Page, Page]) -> None:
    for page in pages:
        for link in page.values("href"):
            assert not re.match(r"[a-z]+:|//", link), link
        assert not page.values("src")
        assert "@import" not in page.text
        assert "url(" not in page.text


def test_every_link_leads_somewhere(attacked: Settings) -> None:
    index = write_page(attacked)
    links = [(path, link) for path in index.parent.glob("*.html") for link in Page(path).values("href")]
    assert len(links) > len(load_contracts())
    for path, link in links:
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve()
        assert target.exists(), link
        assert not anchor or anchor in Page(target).values("id"), link


def test_a_refused_row_leads_to_its_command_payload_and_runbook(pages: tuple[Page, Page], attacked: Settings) -> None:
    [load] = table_of(read_night(KEY, attacked), "complaint").refused_loads
    night = pages[1].text
    assert f"tanhuan quarantine show {load.load_id}" in night
    assert f"../{load.folder}/" in pages[1].values("href")
    assert (attacked.root / load.folder / "receipt.json").exists()
    for runbook in re.findall(r"docs/runbooks/([\w-]+\.md)", night):
        assert (DOCS / "runbooks" / runbook).is_file(), runbook
    assert "docs/runbooks/rows-in-quarantine.md" in night


def test_a_state_is_told_in_words_and_not_by_colour_alone(pages: tuple[Page, Page]) -> None:
    cells = re.findall(r'<td class="(\w+)">(.*?)</td>', pages[0].text, re.DOTALL)
    assert {kind for kind, _ in cells} == {"rows_refused", "missing"}
    words = {"rows_refused": "拒收 1 行", "missing": "未到"}
    assert all(words[kind] in text for kind, text in cells)


def test_tables_tell_their_headings_and_pages_their_language(pages: tuple[Page, Page]) -> None:
    for page in pages:
        attributes = dict(page.tags[0][1])
        assert page.tags[0][0] == "html"
        assert str(attributes["lang"]).startswith("zh")
        headings = [attrs for tag, attrs in page.tags if tag == "th"]
        assert headings
        assert all("scope" in attrs for attrs in headings)
        assert "<title>" in page.text


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_can_be_read_on_its_ground_by_day_and_by_night(home: Settings) -> None:
    """WCAG 2.1, 1.4.3: text has a contrast of at least 4.5."""
    text = write_page(home).read_text("utf-8")
    light, dark, *_ = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    for block in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block))
        grounds = {"rows_refused": "rows"}
        pairs = [(f"{grounds.get(s, s)}-ink", grounds.get(s, s)) for s in STATES]
        pairs += [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("paper", "panel")]
        for ink, ground in pairs:
            high, low = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_the_last_14_nights_are_shown_and_older_pages_removed(home: Settings) -> None:
    days = [KEY + dt.timedelta(days=n) for n in range(NIGHTS + 3)]
    for day in days[:-1]:
        record_load(day.isoformat(), stamp_of(day + dt.timedelta(days=1)), home)
    write_page(home)
    record_load(days[-1].isoformat(), stamp_of(days[-1] + dt.timedelta(days=1)), home)
    folder = write_page(home).parent
    assert sorted(p.stem for p in folder.glob("*.html")) == [str(day) for day in days[-NIGHTS:]] + ["index"]
    assert not list(folder.glob(".*")), "no temporary file stays"
    assert [night.key for night in read_nights(home)] == [str(day) for day in reversed(days[-NIGHTS:])]


def test_only_the_nights_shown_are_read(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [KEY + dt.timedelta(days=n) for n in range(60)]
    for day in days:
        record_load(day.isoformat(), stamp_of(day + dt.timedelta(days=1)), home)
    read, names = ledger.read, []

    def note(kind: str, name: str, settings: Settings) -> Any:
        names.append(name)
        return read(kind, name, settings)

    monkeypatch.setattr(ledger, "read", note)
    assert len(read_nights(home)) == NIGHTS
    assert len(names) <= 2 * (NIGHTS + 3)


def test_an_old_night_that_was_run_again_stays_old(home: Settings) -> None:
    days = [KEY + dt.timedelta(days=n) for n in range(NIGHTS)]
    for day in days:
        record_load(day.isoformat(), stamp_of(day + dt.timedelta(days=1)), home)
    record_load("2024-01-01", stamp_of(days[-1] + dt.timedelta(days=2)), home)
    assert [night.key for night in read_nights(home)] == [str(day) for day in reversed(days)]
    assert table_of(read_night(dt.date(2024, 1, 1), home), "air_hour").state == "passed"


def test_loads_of_a_history_are_one_answer_a_table_and_check(home: Settings) -> None:
    for n in range(12):
        month = f"2019-{n + 1:02d}-01"
        record_load(str(KEY), stamp_of(KEY, n), home, failed=n % 3, kind="history", first=month, last=month)
    answer = table_of(read_nights(home)[0], "air_hour")
    assert (len(answer.loads), answer.received) == (12, 1200)
    [check] = answer.checks
    assert (check.failed_rows, check.failed_share, len(check.loads)) == (12, 0.01, 8)
    assert len(check.samples) == 12


def test_what_was_pulled_again_replaces_what_was_refused(home: Settings) -> None:
    first = record_load(str(KEY), stamp_of(KEY, 1), home, failed=5, state="refused", reason="renamed", quarantined=100)
    assert table_of(read_nights(home)[0], "air_hour").state == "refused"
    record_load(str(KEY), stamp_of(KEY, 2), home)
    answer = table_of(read_nights(home)[0], "air_hour")
    assert (answer.state, answer.quarantined, answer.failing) == ("passed", 0, [])
    assert [load.load_id for load in answer.replaced] == [first]
    assert f"tanhuan quarantine show {first}" in (write_page(home).parent / f"{KEY}.html").read_text("utf-8")


def test_what_a_person_did_with_refused_rows_is_told(home: Settings) -> None:
    load = record_load(str(KEY), stamp_of(KEY), home, quarantined=3)
    act = {"act_id": "x", "act": "drop", "load_id": load, "table": "air_hour", "key": str(KEY), "rows": 3}
    write_json(
        home.ledger / "acts" / f"{stamp_of(KEY, 9)}-drop-air_hour.json",
        {**act, "who": "张三", "why": "<b>停电</b>", "recorded_at": "2026-01-01T09:00:00+08:00"},
    )
    answer = table_of(read_nights(home)[0], "air_hour")
    assert (answer.state, [a.rows for a in answer.acts]) == ("rows_refused", [3])
    text = (write_page(home).parent / f"{KEY}.html").read_text("utf-8")
    assert "张三: &lt;b&gt;停电&lt;/b&gt;" in text


def test_a_refused_publication_is_told_before_all_else(home: Settings) -> None:
    record_load(str(KEY), stamp_of(KEY), home)
    check: dict[str, Any] = {
        "table": "mart_reduction_cod",
        "id": "MART-RC-020",
        "level": "batch",
        "severity": "critical",
    }
    check |= {"action": "refuse_batch", "passed": False, "failed_rows": None, "failed_share": None, "observed": "1"}
    check |= {"samples": ['{"region_code": "430302"}'], "zh": "为负", "en": "negative", "source": "plan", "columns": []}
    event = {"gate": "mart", "subject": str(KEY), "table": "*", "key": str(KEY), "passed": False, "checks": [check]}
    ledger.record("gates", f"{stamp_of(KEY, 5)}-marts", event, home)
    text = (write_page(home).parent / f"{KEY}.html").read_text("utf-8")
    assert text.index("MART-RC-020") < text.index('id="source-air_hour"')
    assert "本夜不发布" in text
    assert "docs/runbooks/gate-2-refused.md" in text


def test_a_refused_batch_of_a_real_night_is_on_the_page(settings: Settings, upstream: Upstream) -> None:
    upstream.misbehave({"kind": "rename_column", "table": TABLE, "column": "generated_t", "to": "made_t"})
    loads = land_table(TABLE, KEY, settings)
    with pytest.raises(BatchRefused):
        admit_loads(loads, settings)
    answer = table_of(read_night(KEY, settings), TABLE)
    assert answer.state == "refused"
    text = (settings.root / "gates" / f"{KEY}.html").read_text("utf-8")
    assert "made_t" in text
    assert f"tanhuan quarantine show {loads[0].load_id}" in text


def test_a_page_that_cannot_be_written_does_not_hide_the_answer(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    record_load(str(KEY), stamp_of(KEY), home)
    (home.root / "gates").write_text("in the way")
    refresh_page(home)
    assert "The page of the gates was not written" in caplog.text


def test_an_empty_installation_has_a_page_too(home: Settings) -> None:
    assert "make night" in write_page(home).read_text("utf-8")
    with pytest.raises(TanhuanError, match="make night"):
        read_night(None, home)


def test_the_command_writes_the_page_or_tells_a_night_as_data(
    attacked: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "get_settings", lambda: attacked)
    shown = CliRunner().invoke(cli.app, ["gates"])
    assert shown.exit_code == 0
    assert (attacked.root / "gates" / "index.html").exists()
    told = CliRunner().invoke(cli.app, ["gates", "--json", "--date", str(KEY)])
    night = json.loads(told.stdout)
    assert night["night"] == str(KEY)
    [complaint] = [t for t in night["tables"] if t["table"] == "complaint"]
    assert complaint["state"] == "rows_refused"
    [failed] = [c for c in complaint["checks"] if not c["passed"] and c["action"] == "refuse_row"]
    assert (failed["id"], failed["failed_rows"]) == ("SRC-CM-020", 1)
    assert all(c["zh"] and c["en"] and c["source"] for c in complaint["checks"])
    assert CliRunner().invoke(cli.app, ["gates", "--date", "2001-01-01"]).exit_code != 0
