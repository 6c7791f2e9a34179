"""The page about the feeds agrees with contracts, forms and readers, so that nobody keeps a second list by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from tanhuan.contracts import FEEDS, Contract, Drift, load_contracts
from tanhuan.forms import DAILY_FILES, NDJSON, PAGES, PARQUET, TABLE_FILE, get_form
from tanhuan.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "feeds.md").read_text("utf-8")
FORMS = (PAGES, NDJSON, PARQUET, TABLE_FILE, *DAILY_FILES)


def write_row(contract: Contract) -> str:
    """Return what the page's table has to say of a contract."""
    own_forms = [form for form, table in DAILY_FILES.items() if table == contract.table]
    cells = [
        f"`{contract.table}` {contract.title.zh}",
        contract.feed,
        " + ".join([f"by {contract.paging}", *(f"`{form}`" for form in own_forms)]),
        contract.cadence,
        contract.expected_by,
        f"{contract.late_window_days} d" if contract.mode == "window" else "snapshot",
        ", ".join(f"{rule.period}, {rule.after_days} d after" for rule in contract.restated) or "–",
        ", ".join(f"`{name}`" for name in contract.key),
        "yes" if contract.may_be_empty else "no",
    ]
    return f"| {' | '.join(cells)} |"


def test_every_table_stands_on_the_page_as_its_contract_says() -> None:
    contracts = sorted(load_contracts().values(), key=lambda c: (FEEDS.index(c.feed), c.table))
    of_a_feed = re.compile(rf"\| `\w+` [^|]+ \| ({'|'.join(FEEDS)}) ")
    shown = [line for line in PAGE.splitlines() if of_a_feed.match(line)]
    expected = [write_row(contract) for contract in contracts]
    assert shown == expected, "put these lines into docs/feeds.md:\n" + "\n".join(expected)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_and_every_oddity_its_reader_knows_is_explained(form: str) -> None:
    assert f"`{form}`" in PAGE
    missing = [fault for fault in get_form(form, Settings()).faults if f"`{fault.removeprefix('READ-')}`" not in PAGE]
    assert missing == []


def test_every_drift_policy_is_explained() -> None:
    assert [policy for policy in get_args(Drift) if f"| `{policy}` |" not in PAGE] == []


@pytest.mark.parametrize(("readme", "words"), [("README.md", "tables admitted"), ("README.zh-CN.md", "张表到齐")])
def test_the_readmes_count_the_tables_right(readme: str, words: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    assert f"{len(load_contracts())} {words}" in text
