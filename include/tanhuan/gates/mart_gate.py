"""Gate 2: Great Expectations on every table that is about to be published, read-only, after the build."""

from __future__ import annotations

import datetime as dt
import logging

from tanhuan import ledger
from tanhuan.errors import PublicationRefused
from tanhuan.gates.results import CheckResult, render_failures
from tanhuan.gates.suites import describe_suites, load_mart_suites
from tanhuan.settings import Settings, now

log = logging.getLogger(__name__)


def check_marts(key: dt.date, settings: Settings) -> list[CheckResult]:
    """Validate all published tables of the warehouse and record the answers.

    Raises:
        PublicationRefused: a check with action `refuse_batch` failed; nothing is published.
    """
    from tanhuan.gates.engine import get_validator

    suites, validator = load_mart_suites(settings), get_validator()
    parameters = {"as_of": key.isoformat()}
    with validator.open_database(settings.warehouse) as batch_of:
        found = {s.table: validator.check(batch_of(s.table), s, list(s.checks), parameters) for s in suites}
    results = [r for table in found.values() for r in table]
    refused = [r for r in results if r.refuses_batch]
    stamp = now()
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
    ledger.record("gates", f"{stamp:%Y%m%dT%H%M%S%f}-marts", event, settings)
    if failures := render_failures(results):
        log.warning("checks of the marts that did not pass:\n%s", failures)
    if refused:
        raise PublicationRefused(
            f"gate 2 refused the publication of {key}: {len(refused)} of {len(results)} checks failed; the published "
            f"version stays.\n{render_failures(refused)}",
            "find the cause with the rows above (feed, rule, model), mend it and clear `build` in refresh_indicators.",
        )
    log.info("gate 2 passed: %d checks on %d tables", len(results), len(suites))
    return results
