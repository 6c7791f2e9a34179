"""Write the report of an assessment: gathered once, written twice, each file whole or not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tanhuan.files import write_bytes
from tanhuan.report.gather import Assessment, gather
from tanhuan.settings import Settings

PAGE, WORKBOOK = "report.html", "report.xlsx"


@dataclass(frozen=True)
class Request:
    """Which assessment is wanted, and where; what is not named is chosen."""

    plan_id: str = "14"
    point: str | None = None
    number: int | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class Written:
    """A report that lies on disk, and what it tells."""

    page: Path
    workbook: Path
    told: Assessment

    def describe(self) -> dict[str, Any]:
        """Return what a program wants to know of it."""
        told = self.told
        return {
            "plan_id": told.plan_id,
            "assessment_point": told.point.name,
            "freeze_no": told.frozen.number if told.frozen else None,
            "is_draft": told.frozen is None,
            "is_synthetic": told.is_synthetic,
            "version": told.version,
            "as_of": told.as_of,
            "content_hash": told.content_hash,
            "verdict": told.verdict["verdict"] if told.verdict else None,
            "statuses": told.count_statuses(),
            "restated_since": sum(bool(row["is_restated"]) for row in told.compared),
            "page": str(self.page),
            "workbook": str(self.workbook),
        }


def write_report(request: Request, settings: Settings) -> Written:
    """Write workbook and page of an assessment.

    Raises:
        TanhuanError: nothing is published or frozen; the point or the freeze is unknown; a table is missing.
    """
    from tanhuan.report import page, workbook

    told = gather(request.plan_id, request.point, request.number, settings)
    state = str(told.frozen.number) if told.frozen else "draft"
    folder = request.folder or settings.root / "reports" / f"{told.plan_id}_{told.point.name}_{state}"
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / PAGE, page.render(told).encode())
    write_bytes(folder / WORKBOOK, workbook.render(told))
    return Written(folder / PAGE, folder / WORKBOOK, told)
