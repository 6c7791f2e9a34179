"""The publication that readers see now: what the next one is compared with."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tanhuan.files import read_json
from tanhuan.settings import Settings


@dataclass(frozen=True)
class Before:
    """The last publication: where it lies and what its manifest says."""

    path: Path
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        """Its name."""
        return str(self.manifest["version"])

    @property
    def as_of(self) -> dt.date:
        """The date of its figures."""
        return dt.date.fromisoformat(self.manifest["as_of"])


def find_before(settings: Settings) -> Before | None:
    """Return the version that readers see now, None before the first."""
    link = settings.published / "current"
    if not link.exists():
        return None
    # By its own name: the link will point elsewhere, the version stays what it is.
    path = link.resolve()
    return Before(path, read_json(path / "manifest.json"))
