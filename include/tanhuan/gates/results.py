"""What a gate answered, as data and as text a person can act on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tanhuan.gates.suites import Check

#: sample keys or values kept per check
SAMPLES = 20


@dataclass(frozen=True)
class CheckResult:
    """One check's answer: how many rows failed, their share, up to 20 of their keys or values."""

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

    @property
    def refuses_batch(self) -> bool:
        """Whether this answer keeps the whole batch, or the publication, out."""
        return not self.passed and self.action == "refuse_batch"

    def as_record(self) -> dict[str, Any]:
        """Return the answer for the ledger; what a passing check means stays in its suite."""
        record = asdict(self)
        return record if not self.passed else {k: v for k, v in record.items() if k not in ("zh", "en", "source")}


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
    observed = error or found.get("observed_value")
    percent = found.get("unexpected_percent")
    return _result(
        check,
        bool(raw["success"]),
        found.get("unexpected_count"),
        None if percent is None else round(percent / 100, 6),
        None if observed is None else str(observed)[:500],
        [str(s)[:300] for s in samples[:SAMPLES]],
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
    )


def render_failures(results: list[CheckResult]) -> str:
    """Return the failing checks, gravest first, as lines for a task log."""
    failing = sorted((r for r in results if not r.passed), key=lambda r: (r.action == "flag", r.id))
    lines = []
    for r in failing:
        count = "" if r.failed_rows is None else f" rows={r.failed_rows}"
        observed = f" observed={r.observed}" if r.observed else ""
        lines.append(f"[{r.action}] {r.id}{count}{observed}\n    {r.zh}\n    {r.en}  ({r.source})")
        lines.extend(f"      · {sample}" for sample in r.samples[:10])
    return "\n".join(lines)
