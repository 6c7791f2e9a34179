"""The page of the gates: `gates/index.html` under TANHUAN_HOME for the last 14 nights, and one page for each of them.

Plain files that open from a disk: no script, nothing from elsewhere. What an upstream sent is text, never markup.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tanhuan.contracts import FEEDS, load_contracts
from tanhuan.files import write_bytes
from tanhuan.gates.nights import NIGHTS, STATES, CheckAnswer, NightAnswer, TableAnswer, read_nights
from tanhuan.gates.samples import Sample, choose_columns, count_texts, read_sample
from tanhuan.settings import Settings, now

log = logging.getLogger(__name__)

#: failing rows of a check, their columns, and loads of a table that a page names
_ROWS, _COLUMNS, _LOADS = 10, 12, 5
#: state → mark, Chinese and English; `n` is a number of checks or rows
_WORDS = {
    "refused": ("✗", "整批拒收", "batch refused"),
    "rows_refused": ("✗", "拒收 {n} 行", "{n} rows refused"),
    "flagged": ("⚑", "提示 {n} 项", "{n} flagged"),
    "missing": ("–", "未到", "not arrived"),
    "passed": ("✓", "通过", "passed"),
    "unchanged": ("✓", "无变化", "unchanged"),
}
_PUBLICATION_REFUSED = ("✗", "拒发", "not published")
_NOT_RUN = ("", "未检", "not run")
_FEED_NAMES = {
    "monitoring": "监测",
    "permits": "排污许可",
    "credit": "企业信用",
    "returns": "部门报送",
}
_ACTIONS = {
    "refuse_batch": ("整批拒收", "refuses the batch"),
    "refuse_row": ("拒收行", "refuses rows"),
    "flag": ("提示", "flag"),
}
_RUNBOOKS = {
    "refused": "batch-refused.md",
    "rows_refused": "rows-in-quarantine.md",
    "missing": "upstream-dead-or-short.md",
}


@dataclass(frozen=True)
class Cell:
    """A state in words: what colour it has (`kind`), its mark, Chinese and English."""

    kind: str
    mark: str
    zh: str
    en: str


def write_page(settings: Settings) -> Path:
    """Write the pages of the last nights, remove those of older ones, and return the place of the first page."""
    nights = read_nights(settings)
    folder, stamp = page_folder(settings), f"{now():%Y-%m-%d %H:%M}"
    for position, night in enumerate(nights):
        facts = {"night": night, "newer": nights[position - 1] if position else None}
        facts["older"] = nights[position + 1] if position + 1 < len(nights) else None
        _write(folder / f"{night.key}.html", "night.html", facts | {"stamp": stamp})
    index = folder / "index.html"
    _write(index, "index.html", {"nights": nights, "groups": _group_tables(nights), "stamp": stamp})
    shown = {index.name, *(f"{night.key}.html" for night in nights)}
    for page in folder.glob("*.html"):
        if page.name not in shown:
            page.unlink(missing_ok=True)
    return index


def refresh_page(settings: Settings) -> None:
    """Write the page at the end of a gate's run; a page that fails must not hide or change the gate's answer."""
    try:
        write_page(settings)
    except Exception:
        log.exception("The page of the gates was not written; the answers are in the ledger. Try `tanhuan gates`.")


def page_folder(settings: Settings) -> Path:
    """Return where the pages lie."""
    return settings.root / "gates"


def summarise(night: NightAnswer) -> tuple[str, str]:
    """Return the night in a sentence, in Chinese and English."""
    zh, en = _summarise_gate_1(night)
    marts = night.at("mart")
    if night.gate_2 is None:
        return f"{zh} 第二道闸门尚未运行。", f"{en} Gate 2 has not run."
    counts = night.count("mart")
    flagged_zh = f"，{counts['flagged']} 张有提示" if counts["flagged"] else ""
    flagged_en = f", {counts['flagged']} flagged" if counts["flagged"] else ""
    if night.gate_2:
        return (
            f"{zh} 第二道闸门：{len(marts)} 张发布表准予发布{flagged_zh}。",
            f"{en} Gate 2: {len(marts)} tables may be published{flagged_en}.",
        )
    return (
        f"{zh} 第二道闸门：{counts['refused']} 张发布表不合格，本夜不发布，读者仍用上一版{flagged_zh}。",
        f"{en} Gate 2: {counts['refused']} tables are wrong, nothing is published and readers keep their "
        f"version{flagged_en}.",
    )


def _summarise_gate_1(night: NightAnswer) -> tuple[str, str]:
    tables, counts = night.at("source"), night.count("source")
    rows = sum(t.quarantined for t in tables)
    told = [
        (counts["refused"], f"{counts['refused']} 张整批拒收", f"{counts['refused']} refused as a batch"),
        (
            counts["rows_refused"],
            f"{counts['rows_refused']} 张有行被拒收",
            f"{counts['rows_refused']} with refused rows",
        ),
        (rows, f"共隔离 {rows:,} 行", f"{rows:,} rows in quarantine"),
        (counts["flagged"], f"{counts['flagged']} 张有提示", f"{counts['flagged']} flagged"),
        (counts["missing"], f"{counts['missing']} 张未到", f"{counts['missing']} not arrived"),
    ]
    good = counts["passed"] + counts["unchanged"]
    zh = "，".join([f"{good} 张通过", *(text for count, text, _ in told if count)])
    en = ", ".join([f"{good} passed", *(text for count, _, text in told if count)])
    return f"第一道闸门：{len(tables)} 张来源表，{zh}。", f"Gate 1: {len(tables)} feed tables, {en}."


def describe_state(table: TableAnswer | None) -> Cell:
    """Return a table's state in words."""
    if table is None:
        return Cell("missing", *_NOT_RUN)
    state = table.state
    if table.gate == "mart" and state == "refused":
        return Cell(state, *_PUBLICATION_REFUSED)
    number = f"{table.quarantined:,}" if state == "rows_refused" else str(len(table.failing))
    mark, zh, en = _WORDS[state]
    return Cell(state, mark, zh.format(n=number), en.format(n=number))


def _write(target: Path, template: str, facts: dict[str, Any]) -> None:
    write_bytes(target, _templates().get_template(template).render(facts).encode())


@lru_cache(maxsize=1)
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("tanhuan.gates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        summarise=summarise,
        describe_state=describe_state,
        sort_tables=_sort_tables,
        find_runbook=_find_runbook,
        lay_out_rows=_lay_out_rows,
        count_texts=count_texts,
        titles={c.table: c.title for c in load_contracts().values()},
        actions=_ACTIONS,
        words=_WORDS,
        loads_shown=_LOADS,
        nights_kept=NIGHTS,
    )
    return environment


def _group_tables(nights: list[NightAnswer]) -> list[tuple[str, str, str, list[tuple[str, list[TableAnswer | None]]]]]:
    """Return groups of tables — Chinese and English name, gate — with each table's answer in every night."""
    contracts = load_contracts()
    found = {(t.gate, t.table): None for night in nights for t in night.tables}
    answers = [{(t.gate, t.table): t for t in night.tables} for night in nights]

    def rows(gate: str, tables: list[str]) -> list[tuple[str, list[TableAnswer | None]]]:
        return [(table, [of_night.get((gate, table)) for of_night in answers]) for table in tables]

    groups = []
    for feed in FEEDS:
        tables = [table for gate, table in found if gate == "source" and contracts[table].feed == feed]
        groups.append((f"第一道闸门 · {_FEED_NAMES[feed]}", f"gate 1 · {feed}", "source", rows("source", tables)))
    marts = sorted(table for gate, table in found if gate == "mart")
    groups.append(("第二道闸门 · 发布表", "gate 2 · published tables", "mart", rows("mart", marts)))
    return [group for group in groups if group[3]]


def _sort_tables(tables: list[TableAnswer]) -> list[TableAnswer]:
    """Return tables, those in the gravest state first."""
    return sorted(tables, key=lambda t: STATES.index(t.state))


def _find_runbook(table: TableAnswer) -> str | None:
    if table.gate == "mart":
        return "gate-2-refused.md" if table.state == "refused" else None
    dropped = any(load.kind == "file" and load.state == "refused" for load in table.loads)
    return "dropped-file-not-taken.md" if dropped and table.state != "refused" else _RUNBOOKS.get(table.state)


def _lay_out_rows(check: CheckAnswer, table: str) -> tuple[list[str], list[Sample]]:
    """Return the columns to show and the failing rows; without columns the rows are shown as text."""
    samples = [read_sample(text, check.level) for text in check.samples[:_ROWS]]
    if any(sample.row is None for sample in samples):
        return [], samples
    contract = load_contracts().get(table)
    return choose_columns(samples, contract.key if contract else (), check.columns)[:_COLUMNS], samples
