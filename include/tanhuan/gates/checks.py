"""A check: what a person reads about it, what happens when it fails, and how it is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Action = Literal["refuse_row", "refuse_batch", "flag"]


@dataclass(frozen=True)
class Check:
    """One check: what a person reads about it, what happens when it fails, and how it is computed.

    `expectation` is the Great Expectations form; contract checks have none of their own beyond not-null.
    """

    id: str
    level: Literal["row", "batch"]
    action: Action
    severity: str
    zh: str
    en: str
    source: str
    expectation: dict[str, Any] | None = field(default=None, hash=False)
    failing: str | None = None
    """For contract checks: the SQL predicate of a failing row."""
    needs_days: bool = False
    """Whether the predicate asks for the days of the load, `$first` and `$last`."""
    needs_whole: bool = False
    """Whether it can only be asked of a batch that brings all rows of its days, or the whole snapshot."""
