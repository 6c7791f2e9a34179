"""What a gate answered, as data. How it reads in a task log is told by `log_text.py`, on the page by `page.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tanhuan.gates.samples import read_sample
from tanhuan.gates.suites import Check

#: sample keys or values kept per check
SAMPLES = 20
#: what is kept of one text in a sample, of a sample that is no row, and of what was observed
_VALUE_CHARS, _SAMPLE_CHARS, _OBSERVED_CHARS = 120, 300, 500
#: gravest first
GRAVITY = ("refuse_batch", "refuse_row", "flag")
#: what only a failing check tells: of one that passed it stays in its suite
_TOLD_OF_FAILURES = ("zh", "en", "source", "columns")


@dataclass(frozen=True)
class CheckResult:
    """One check's answer: how many rows failed, their share, up to 20 of their keys or values.

    `columns` are those of the failing rows that the check looks at.
    """

    id: str
    level: str
    severity: str
    action: str
    passed: bool
    failed_rows: int | None
    failed_share: float | None
    observed: str | None
    samples: list[str]
    zh: str
    en: str
    source: str
    columns: list[str] = field(default_factory=list)

    @property
    def refuses_batch(self) -> bool:
        """Whether this answer keeps the whole batch, or the publication, out."""
        return not self.passed and self.action == "refuse_batch"

    def as_record(self) -> dict[str, Any]:
        """Return the answer for the ledger; what a passing check means stays in its suite."""
        record = asdict(self)
        return {k: v for k, v in record.items() if k not in _TOLD_OF_FAILURES} if self.passed else record


def from_counts(check: Check, rows: int, failed: int, samples: list[str]) -> CheckResult:
    """Build the answer of a row check from the split's own counts."""
    share = round(failed / rows, 6) if rows else 0.0
    return _result(check, failed == 0, failed, share, None, samples)


def passed(check: Check) -> CheckResult:
    """Build the answer of a check that no row failed."""
    return _result(check, True, 0, 0.0, None, [])


def from_great_expectations(check: Check, raw: dict[str, Any]) -> CheckResult:
    """Build the answer of a check from Great Expectations' own result."""
    found = raw.get("result") or {}
    error = next((i["exception_message"] for i in _exceptions(raw) if i.get("raised_exception")), None)
    samples = found.get("partial_unexpected_list") or found.get("details", {}).get("unexpected_rows") or []
    observed, count = error or found.get("observed_value"), found.get("unexpected_count")
    if error is None and count is None and isinstance(observed, int | str) and str(observed).isdigit():
        # Of a query what is observed is how many rows it found.
        observed, count = None, int(str(observed))
    percent = found.get("unexpected_percent")
    return _result(
        _refuse_unanswered(check) if error else check,
        bool(raw["success"]),
        count,
        None if percent is None else round(percent / 100, 6),
        None if observed is None else str(observed)[:_OBSERVED_CHARS],
        [_write_sample(s) for s in samples[:SAMPLES]],
    )


def _refuse_unanswered(check: Check) -> Check:
    """What nobody could answer lets nothing in, whatever the check would have done."""
    return replace(
        check,
        action="refuse_batch",
        severity="critical",
        zh=f"检查未能完成（见观测值），整批拒收；请修正检查或加大 TANHUAN_GATE_MEMORY_MB。原意：{check.zh}",
        en="the check could not be answered (see what was observed), so nothing enters; mend the check or raise "
        f"TANHUAN_GATE_MEMORY_MB. It asks: {check.en}",
    )


def _exceptions(raw: dict[str, Any]) -> Iterable[dict[str, Any]]:
    info = raw.get("exception_info") or {}
    return [info] if "raised_exception" in info else info.values()


def _result(
    check: Check, passed: bool, rows: int | None, share: float | None, observed: str | None, samples: list[str]
) -> CheckResult:
    return CheckResult(
        check.id,
        check.level,
        check.severity,
        check.action,
        passed,
        rows,
        share,
        observed,
        samples,
        check.zh,
        check.en,
        check.source,
        _find_columns(check, samples),
    )


def _write_sample(sample: Any) -> str:
    """Return a failing row as JSON, anything else as it reads; both of bounded length."""
    if not isinstance(sample, dict):
        return str(sample)[:_SAMPLE_CHARS]
    short = {name: value[:_VALUE_CHARS] if isinstance(value, str) else value for name, value in sample.items()}
    return json.dumps(short, ensure_ascii=False, default=str)


def _find_columns(check: Check, samples: list[str]) -> list[str]:
    """Return the columns of the failing rows that occur in the check, in their order."""
    row = read_sample(samples[0], check.level).row if samples else None
    said = f"{check.failing} {json.dumps((check.expectation or {}).get('kwargs'))}"
    words = set(re.findall(r"[a-z_][a-z0-9_]*", said))
    return [name for name in row or {} if name in words]


def sort_failing(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return the answers that did not pass, gravest first."""
    return sorted((r for r in results if not r.passed), key=lambda r: (GRAVITY.index(r.action), r.id))
