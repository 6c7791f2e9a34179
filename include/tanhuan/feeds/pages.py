"""Pages that add up: the styles in which a platform pages, and the tally of what it states against what it sent.

Belongs here: a page, its head and where the next one is. Rows stay undecoded; only their count and whether the same
row came on two pages is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tanhuan.contracts import Contract
from tanhuan.errors import ShortAnswer

Params = dict[str, str | int]


@dataclass(frozen=True)
class Page:
    """One page as received: its address without a query, status, chosen headers, bytes; its rows, and the stated total.

    The header `ETag` of a first page is that of the whole answer.
    """

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    rows: int
    stated_total: int


class NumberedPage(msgspec.Struct):
    """A page of the style "page": the total of all rows, the number of pages, rows."""

    total: int
    pages: int
    rows: list[msgspec.Raw]

    def following(self, number: int) -> Params | None:
        """Return what asks for the page after page `number`, None after the last."""
        return {"page": number + 1} if number < self.pages else None


class CursorPage(msgspec.Struct):
    """A page of the style "cursor": the total of all rows, an opaque mark of the next page (null at the end), rows."""

    total: int
    next: str | None
    rows: list[msgspec.Raw]

    def following(self, number: int) -> Params | None:
        """Return what asks for the page after this one, None after the last."""
        return None if self.next is None else {"cursor": self.next}


@dataclass(frozen=True)
class Style:
    """How a table is asked for page by page: its path, what asks for the first page, what a page looks like."""

    path: str
    first: Params
    head: type[NumberedPage] | type[CursorPage]


STYLES = {
    "page": Style("/api/v1/tables/{table}", {"page": 1}, NumberedPage),
    "cursor": Style("/api/v1/tables/{table}/cursor", {}, CursorPage),
}


class Tally:
    """Reconciles what an upstream states with what it sent."""

    def __init__(self, contract: Contract, where: str, base: str) -> None:
        self._contract = contract
        self._where = where
        self._base = base
        self._seen: set[int] = set()
        self._stated: int | None = None
        self._pages = 0
        self._fetched = 0
        self._twice = 0
        self._is_empty = False

    def add(self, page: NumberedPage | CursorPage) -> None:
        """Count a page; ShortAnswer if it states another total than the pages before it."""
        if self._stated not in (None, page.total):
            raise self._failure(
                f"the stated total changed from {self._stated} to {page.total} rows between pages {self._pages} and "
                f"{self._pages + 1}: the table changed while it was read"
            )
        # Two equal rows on one page are the sender's data and the gate's matter; on two pages they mean an overlap.
        hashes = [hash(bytes(row)) for row in page.rows]
        self._twice += sum(row in self._seen for row in hashes)
        self._seen.update(hashes)
        self._stated = page.total
        self._pages += 1
        self._fetched += len(page.rows)
        self._is_empty = not page.rows

    @property
    def is_over(self) -> bool:
        """Whether going on makes no sense: an upstream that always names one more page would be followed for ever."""
        return self._is_empty or (self._stated is not None and self._fetched > self._stated)

    def check(self) -> None:
        """Raise ShortAnswer unless every stated row came once."""
        if self._twice:
            raise self._failure(f"{self._twice} rows came twice: the paging overlaps, so as many are missing")
        if self._fetched != self._stated:
            raise self._failure(
                f"the upstream states {self._stated} rows but sent {self._fetched} in {self._pages} pages"
            )

    def _failure(self, what: str) -> ShortAnswer:
        return ShortAnswer(
            f"{self._where}: {what}.",
            "nothing was admitted and the published version stays; the task tries again by itself, and if it stays so, "
            f"ask the operator of {self._base} to check the paging of {self._contract.table}.",
        )
