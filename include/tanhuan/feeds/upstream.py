"""The bureau's data platform as one session: pages of a table, bulk exports, dated archive files.

Bodies are handed on as the bytes that came, so that landing can keep them. Belongs here: what can be asked for. Does
not belong here: how a request survives (`transport.py`), whether pages add up (`pages.py`).
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from typing import Literal, TypeVar

import msgspec

from tanhuan.contracts import Contract
from tanhuan.errors import UpstreamDown
from tanhuan.feeds.pages import STYLES, Page, Params, Tally
from tanhuan.feeds.transport import Export, Limit, NotFound, NotModified, Sink, Transport
from tanhuan.settings import Settings

__all__ = ["Export", "NotModified", "Page", "Upstream"]

_T = TypeVar("_T")
ExportForm = Literal["ndjson", "parquet"]


class Upstream:
    """A session with one upstream: logs in when needed, reuses connections, never follows to another host."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(settings)
        self._page_rows = settings.page_rows
        self._page_limit = Limit(
            "a page", settings.page_max_bytes, "lower TANHUAN_PAGE_ROWS or ask the platform's operator what changed."
        )
        self._export_limit = Limit(
            "a body", settings.export_max_bytes, "ask for fewer days, or raise TANHUAN_EXPORT_MAX_BYTES if it is meant."
        )

    def __enter__(self) -> Upstream:
        return self

    def __exit__(self, *exc: object) -> None:
        self._transport.close()

    @property
    def base(self) -> str:
        """Address of the upstream without a login, fit to be kept."""
        return self._transport.base

    def fetch_pages(self, contract: Contract, first: dt.date, last: dt.date, etag: str | None = None) -> Iterator[Page]:
        """Yield the pages of a table for business days `first` to `last`, both included; a snapshot has no days.

        `etag` is what the first page of an earlier answer to the same question bore.

        Raises:
            NotModified: (before any page) the answer still is the one of `etag`.
            UpstreamDown: no or no whole answer after the retries; may be tried again later.
            UpstreamRefused: the account or the address is wrong.
            ShortAnswer: the rows of all pages do not add up to the stated total, or came twice.
        """
        style = STYLES[contract.paging]
        where = _describe(contract, first, last)
        tally = Tally(contract, where, self.base)
        question: Params = {**_span(contract, first, last), "page_size": self._page_rows}
        step: Params | None = style.first
        number = 0
        while step is not None and not tally.is_over:
            number += 1
            body = io.BytesIO()
            path = style.path.format(table=contract.table)
            received = self._transport.get(
                path, where, body, self._page_limit, question | step, etag if number == 1 else None
            )
            head = _decode(body.getvalue(), style.head, f"{where}: page {number}")
            tally.add(head)
            step = head.following(number)
            yield Page(
                f"{received.url}?page={number}",
                received.status,
                received.headers,
                body.getvalue(),
                len(head.rows),
                head.total,
            )
        tally.check()

    def fetch_export(self, contract: Contract, first: dt.date, last: dt.date, form: ExportForm, sink: Sink) -> Export:
        """Stream a bulk export of a table into a sink, in memory that does not grow with its size.

        A body that breaks off is tried again if the sink can be rewound to where it stood.

        Raises:
            UpstreamDown, UpstreamRefused: as `fetch_pages`; a body shorter than it announced is UpstreamDown.
        """
        where = f"{_describe(contract, first, last)}, {form} export"
        params: Params = {**_span(contract, first, last), "format": form}
        return self._transport.get(f"/api/v1/export/{contract.table}", where, sink, self._export_limit, params)

    def fetch_file(self, contract: Contract, path_name: str, sink: Sink, etag: str | None = None) -> Export | None:
        """Stream a dated archive file, e.g. `cnemc_air/2019-01-01`, into a sink; None if there is none for that day.

        Raises:
            NotModified: the file still is the one of `etag`.
            UpstreamDown, UpstreamRefused: as `fetch_pages`; also UpstreamRefused if the platform has no such archive.
        """
        form, _, _ = path_name.partition("/")
        where = f"feed {contract.feed}, table {contract.table}, archive file {path_name}"
        try:
            return self._transport.get(f"/api/v1/files/{path_name}", where, sink, self._export_limit, etag=etag)
        except NotFound:
            # A day may be missing, the archive may not: asking for its list tells which of the two it is.
            self._transport.get(f"/api/v1/files/{form}", where, io.BytesIO(), self._page_limit)
            return None

    def fetch_packet_keys(self) -> str:
        """Return the SM4 keys of data loggers as JSON, from a platform that hands them out; they are never kept."""
        body = io.BytesIO()
        self._transport.get("/api/v1/hj212/keys", "keys of data loggers", body, self._page_limit)
        return body.getvalue().decode()


def _describe(contract: Contract, first: dt.date, last: dt.date) -> str:
    days = f", days {first} to {last}" if contract.mode == "window" else ""
    return f"feed {contract.feed}, table {contract.table}{days}"


def _span(contract: Contract, first: dt.date, last: dt.date) -> Params:
    return {"from": first.isoformat(), "to": last.isoformat()} if contract.mode == "window" else {}


def _decode(body: bytes, shape: type[_T], what: str) -> _T:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as exc:
        raise UpstreamDown(
            f"{what} is not a whole answer ({exc}; {len(body)} bytes).",
            "the task tries again by itself; if it stays so, ask the platform's operator what changed.",
        ) from exc
