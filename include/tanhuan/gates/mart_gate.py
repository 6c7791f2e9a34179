"""Gate 2: Great Expectations on every table that is about to be published, read-only, after the build."""

from __future__ import annotations

import datetime as dt
import logging
import tempfile
from pathlib import Path

from tanhuan import ledger
from tanhuan.duck import open_warehouse
from tanhuan.errors import PublicationRefused
from tanhuan.gates.log_text import GateRun, find_way_on_2, name_foremost, render_run
from tanhuan.gates.page import refresh_page
from tanhuan.gates.reconciliation import add_reconciliations, compare, keep_evidence, load_reconciliations
from tanhuan.gates.results import CheckResult
from tanhuan.gates.suites import Suite, describe_suites, load_mart_suites
from tanhuan.settings import Settings, now

log = logging.getLogger(__name__)


def check_marts(key: dt.date, settings: Settings) -> list[CheckResult]:
    """Validate all published tables of the warehouse, and what must agree between them; record the answers.

    Raises:
        PublicationRefused: a check with action `refuse_batch` failed; nothing is published.
    """
    stamp = now()
    name = f"{stamp:%Y%m%dT%H%M%S%f}-marts"
    with tempfile.TemporaryDirectory(dir=settings.root, prefix=".gate-") as folder:
        suites = _prepare_suites(key, stamp, name, Path(folder), settings)
        found = _ask(suites, key, settings)
    results = [r for table in found.values() for r in table]
    refused = [r for r in results if r.refuses_batch]
    event = {
        "gate": "mart",
        "subject": key.isoformat(),
        "table": "*",
        "key": key.isoformat(),
        "suite": describe_suites(suites),
        "passed": not refused,
        "checks": [{**r.as_record(), "table": table} for table, rows in found.items() for r in rows],
        "recorded_at": stamp.isoformat(),
    }
    ledger.record("gates", name, event, settings)
    way_on = find_way_on_2(settings) if refused else []
    told = GateRun(f"第二道闸门 gate 2: {key}, {len(refused)} 项拒发 refused", results, way_on=way_on)
    log.log(logging.INFO if all(r.passed for r in results) else logging.WARNING, render_run(told))
    refresh_page(settings)
    if refused:
        raise PublicationRefused(
            f"gate 2 refused the publication of {key}: {len(refused)} of {len(results)} checks failed; the published "
            f"version stays.\n{name_foremost(refused)}",
            "find the cause with the rows above (feed, rule, model), mend it and clear `build` in refresh_indicators.",
        )
    log.info("gate 2 passed: %d checks on %d tables", len(results), len(suites))
    return results


def _prepare_suites(key: dt.date, stamp: dt.datetime, name: str, folder: Path, settings: Settings) -> list[Suite]:
    """Return the suites of all marts, the reconciliations among them; what is compared lies in `folder` afterwards."""
    reconciliations = load_reconciliations(settings)
    with open_warehouse(settings, read_only=True) as con:
        compared = compare(con, reconciliations, key, folder)
        # Beside the run's event, under its name: `sync_ops` finds it there.
        keep_evidence(con, compared, key, stamp, settings.ledger / "gates" / f"{name}.parquet")
    return add_reconciliations(load_mart_suites(settings), compared)


def _ask(suites: list[Suite], key: dt.date, settings: Settings) -> dict[str, list[CheckResult]]:
    """Let Great Expectations answer every suite, by table."""
    from tanhuan.gates.engine import get_validator

    validator = get_validator()
    parameters = {"as_of": key.isoformat()}
    with validator.open_database(settings.warehouse) as batch_of:
        return {s.table: validator.check(batch_of(s.table), s, list(s.checks), parameters) for s in suites}
