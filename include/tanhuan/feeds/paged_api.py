"""A JSON API with a token, pages and a stated count, as the bureau's data platform offers it.

The answer to a request is a run of pages; each states the total. Bodies are handed on as the bytes that came, so that
landing can keep them; only the counts are read here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tanhuan.contracts import Contract
from tanhuan.errors import ShortAnswer, TanhuanError, TokenExpired, UpstreamDown, UpstreamRefused
from tanhuan.settings import Settings

#: what may change by itself and is therefore tried again: connections, 429 (with Retry-After) and 5xx
_RETRYABLE_STATUS = (429, 500, 502, 503, 504)
#: one page may not be larger than this; a platform that sends more is not the one the contract describes
_MAX_BODY_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 1 << 16


class _Counts(msgspec.Struct):
    """The part of a page that is read here; rows stay undecoded."""

    total: int
    pages: int
    rows: list[msgspec.Raw]


@dataclass(frozen=True)
class Page:
    """One answer as received: the URL without secrets, status, chosen headers and bytes."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    rows: int
    stated_total: int


class PagedApi:
    """A session with one upstream: logs in when needed, reuses connections, never follows to another host."""

    def __init__(self, settings: Settings) -> None:
        if settings.upstream_url is None:
            raise UpstreamRefused(
                "No upstream is configured.",
                "set TANHUAN_UPSTREAM_URL, TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD, or run "
                "`tanhuan night`, which starts the stand-in.",
            )
        self._settings = settings
        self._base = settings.upstream_url.rstrip("/")
        self._token: str | None = None
        self._session = requests.Session()
        retry = Retry(
            total=settings.request_retries,
            backoff_factor=0.3,
            status_forcelist=_RETRYABLE_STATUS,
            allowed_methods=None,
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> PagedApi:
        return self

    def __exit__(self, *exc: object) -> None:
        self._session.close()

    def fetch(self, contract: Contract, first: dt.date, last: dt.date) -> Iterator[Page]:
        """Yield the pages of a table for business days `first` to `last`, both included.

        Raises:
            UpstreamDown: no or no whole answer after the retries; may be tried again later.
            UpstreamRefused: the account or the address is wrong.
            ShortAnswer: the rows of all pages do not add up to the stated total.
        """
        where = f"feed {contract.feed}, table {contract.table}, days {first} to {last}"
        page_no, pages, fetched, stated = 1, 1, 0, 0
        while page_no <= pages:
            page, pages = self._get_page(contract.table, first, last, page_no, where)
            fetched, stated, page_no = fetched + page.rows, page.stated_total, page_no + 1
            yield page
            if page.rows == 0:
                # An upstream that always states one more page would be followed for ever.
                break
        if fetched != stated:
            raise ShortAnswer(
                f"{where}: the upstream states {stated} rows but sent {fetched} in {pages} pages.",
                "nothing was admitted and the published version stays; the task tries again by itself, and if it "
                f"stays so, ask the operator of {self._base} to check the paging of {contract.table}.",
            )

    def _get_page(self, table: str, first: dt.date, last: dt.date, page_no: int, where: str) -> tuple[Page, int]:
        params: dict[str, Any] = {
            "from": first.isoformat(),
            "to": last.isoformat(),
            "page": page_no,
            "page_size": self._settings.page_rows,
        }
        url = f"{self._base}/api/v1/tables/{table}"
        status, headers, body = self._ask(url, where, params)
        try:
            counts = msgspec.json.decode(body, type=_Counts)
        except msgspec.DecodeError as exc:
            raise UpstreamDown(
                f"{where}: page {page_no} is not a whole answer ({exc}; {len(body)} bytes).",
                "the task tries again by itself; if it stays so, look at the payload in landing/ and ask the "
                "platform's operator.",
            ) from exc
        page = Page(f"{url}?page={page_no}", status, headers, body, len(counts.rows), counts.total)
        return page, counts.pages

    def _ask(self, url: str, where: str, params: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        """Send a request with the token; one that no longer holds is renewed once."""
        known = self._token
        try:
            return self._request("GET", url, where, params=params, headers=self._login(where))
        except TokenExpired:
            if known is None:
                raise
            self._token = None
            return self._request("GET", url, where, params=params, headers=self._login(where))

    def _login(self, where: str) -> dict[str, str]:
        if self._token is None:
            credentials = {
                "user": self._settings.upstream_user,
                "password": self._settings.upstream_password.get_secret_value(),
            }
            _, _, body = self._request("POST", f"{self._base}/api/token", where, json=credentials)
            self._token = str(msgspec.json.decode(body)["token"])
        return {"Authorization": f"Bearer {self._token}"}

    def _request(self, method: str, url: str, where: str, **kwargs: Any) -> tuple[int, dict[str, str], bytes]:
        try:
            with self._session.request(
                method,
                url,
                timeout=self._settings.request_timeout_s,
                allow_redirects=False,
                stream=True,
                **kwargs,
            ) as response:
                body = _read_bounded(response, where)
                _raise_for_status(response, self._base, where)
                kept = ("Content-Type", "Date", "Last-Modified", "ETag")
                headers = {name: response.headers[name] for name in kept if name in response.headers}
                return response.status_code, headers, body
        except requests.RequestException as exc:
            raise UpstreamDown(
                f"{where}: no answer from {self._base} ({type(exc).__name__}).",
                "check that the platform is up and reachable (`tanhuan doctor`), then clear the red `land` task; "
                "the other feeds go on and the published version stays.",
            ) from exc


def _read_bounded(response: requests.Response, where: str) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            raise UpstreamRefused(
                f"{where}: a page of more than {_MAX_BODY_BYTES >> 20} MiB.",
                "lower TANHUAN_PAGE_ROWS or ask the platform's operator what changed.",
            )
    return bytes(body)


def _raise_for_status(response: requests.Response, base: str, where: str) -> None:
    status = response.status_code
    if status == requests.codes.ok:
        return
    error: type[TanhuanError] = UpstreamDown if status in _RETRYABLE_STATUS else UpstreamRefused
    if status == requests.codes.unauthorized:
        error = TokenExpired
    advice = {
        401: "check TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD.",
        403: "ask the platform's operator for the right to read this table.",
        404: "check TANHUAN_UPSTREAM_URL; the platform does not know this address.",
    }.get(status, "the published version stays; clear the red `land` task when the platform has recovered.")
    raise error(f"{where}: {base} answered {status}.", advice)
