"""The client of the bureau's platform, against a real server on loopback that behaves in every bad way we know."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from tanhuan.contracts import get_contract
from tanhuan.errors import ShortAnswer, TanhuanError, UpstreamDown, UpstreamRefused
from tanhuan.feeds.paged_api import Page, PagedApi
from tanhuan.settings import Settings

DAY = dt.date(2025, 12, 31)
PASSWORD = "a pass phrase nobody prints"
TOO_MUCH = 65 * 1024 * 1024

Answer = tuple[int, dict[str, str], bytes]


class Platform(ThreadingHTTPServer):
    """Answers with what the test says; remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, str | None]] = []
        self.tokens = 0
        self.give: Callable[[int], Answer] = lambda page: page_of(page)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str) -> Answer:
        if path == "/api/token":
            self.tokens += 1
            return 200, {}, json.dumps({"token": f"token-{self.tokens}", "expires_in": 3600}).encode()
        return self.give(len([p for _, p, _ in self.asked if p != "/api/token"]))

    @property
    def pages_asked(self) -> list[str | None]:
        """The authorization shown with each page asked for."""
        return [authorization for _, path, authorization in self.asked if path != "/api/token"]


class Handler(BaseHTTPRequestHandler):
    server: Platform
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((self.command, path, self.headers["Authorization"]))
        status, headers, body = self.server.answer(path)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Stay silent."""


def page_of(page: int, pages: int = 1, total: int | None = None, rows: int = 2) -> Answer:
    total = pages * rows if total is None else total
    body = {"total": total, "pages": pages, "rows": [{"permit_no": f"{page}-{n}"} for n in range(rows)]}
    return 200, {"Content-Type": "application/json", "Set-Cookie": "session=secret"}, json.dumps(body).encode()


@pytest.fixture
def start() -> Iterator[Callable[[], Platform]]:
    with ExitStack() as stack:

        def start() -> Platform:
            platform = Platform()
            threading.Thread(target=platform.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(platform.server_close)
            stack.callback(platform.shutdown)
            return platform

        yield start


@pytest.fixture
def platform(start: Callable[[], Platform]) -> Platform:
    return start()


@pytest.fixture
def fetch(platform: Platform, home: Settings) -> Callable[[], list[Page]]:
    settings = home.model_copy(
        update={
            "upstream_url": platform.url + "/",
            "upstream_user": "bureau",
            "upstream_password": SecretStr(PASSWORD),
            "request_retries": 1,
            "request_timeout_s": 5.0,
        }
    )

    def fetch() -> list[Page]:
        with PagedApi(settings) as api:
            return list(api.fetch(get_contract("permit"), DAY, DAY))

    return fetch


def test_all_pages_are_fetched_with_one_login(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    platform.give = lambda n: page_of(n, pages=3)
    pages = fetch()
    assert [p.rows for p in pages] == [2, 2, 2]
    assert {p.stated_total for p in pages} == {6}
    assert platform.tokens == 1
    assert platform.pages_asked == ["Bearer token-1"] * 3
    assert pages[2].url == f"{platform.url}/api/v1/tables/permit?page=3"


def test_a_page_is_the_bytes_that_came_and_no_cookie(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    odd = b' {"total":1 ,"pages":1,"rows":[ {"permit_no":"\\u6e58\xe6\xbd\xad", "area":1.50} ]}\n'
    platform.give = lambda _: (200, {"Content-Type": "application/json", "Set-Cookie": "session=secret"}, odd)
    (page,) = fetch()
    assert page.body == odd
    assert set(page.headers) <= {"Content-Type", "Date", "Last-Modified", "ETag"}


def test_a_page_short_of_the_stated_count_is_a_failure(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    platform.give = lambda n: page_of(n, pages=2, total=5)
    with pytest.raises(ShortAnswer, match=r"feed permits, table permit, days .*states 5 rows but sent 4 in 2 pages"):
        fetch()


def test_more_rows_than_stated_are_a_failure_too(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    platform.give = lambda n: page_of(n, total=1)
    with pytest.raises(ShortAnswer, match="states 1 rows but sent 2"):
        fetch()


def test_a_redirect_is_refused_and_nobody_else_is_shown_the_token(
    platform: Platform, start: Callable[[], Platform], fetch: Callable[[], list[Page]]
) -> None:
    elsewhere = start()
    platform.give = lambda _: (302, {"Location": f"{elsewhere.url}/api/v1/tables/permit"}, b"")
    with pytest.raises(UpstreamRefused, match=r"feed permits, table permit.*answered 302"):
        fetch()
    assert elsewhere.asked == []


def test_a_body_beyond_the_bound_is_refused(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    platform.give = lambda _: (200, {}, b" " * TOO_MUCH)
    with pytest.raises(UpstreamRefused, match=r"a page of more than 64 MiB.*TANHUAN_PAGE_ROWS"):
        fetch()


def test_a_small_body_that_swells_is_refused_too(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    bomb = gzip.compress(b" " * TOO_MUCH, 1)
    assert len(bomb) < 1024 * 1024
    platform.give = lambda _: (200, {"Content-Encoding": "gzip"}, bomb)
    with pytest.raises(UpstreamRefused, match="a page of more than 64 MiB"):
        fetch()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>maintenance</html>", b'{"total": 2, "rows": []}', b'{"total": 2, "pages": 1, "rows": ["cut', b"[]"],
    ids=["empty", "html", "no-pages", "cut", "list"],
)
def test_what_is_no_page_is_a_fault_of_the_upstream(
    platform: Platform, fetch: Callable[[], list[Page]], body: bytes
) -> None:
    platform.give = lambda _: (200, {}, body)
    with pytest.raises(UpstreamDown, match=r"feed permits, table permit.*page 1 is not a whole answer.*Next step"):
        fetch()


def test_an_expired_token_is_replaced_once(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    """A long history takes longer than a token holds."""
    expired: Answer = (401, {}, b"token expired")
    platform.give = lambda n: expired if platform.pages_asked[-1] == "Bearer token-1" and n > 1 else page_of(n, pages=3)
    assert [p.rows for p in fetch()] == [2, 2, 2]
    assert platform.tokens == 2


def test_an_account_that_is_refused_for_good_is_not_asked_for_ever(
    platform: Platform, fetch: Callable[[], list[Page]]
) -> None:
    platform.give = lambda _: (401, {}, b"no")
    with pytest.raises(UpstreamRefused, match="check TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD"):
        fetch()
    assert platform.tokens <= 2


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (403, UpstreamRefused, "ask the platform's operator for the right"),
        (404, UpstreamRefused, "check TANHUAN_UPSTREAM_URL"),
        (400, UpstreamRefused, "published version stays"),
        (500, UpstreamDown, "published version stays"),
        (429, UpstreamDown, "published version stays"),
    ],
)
def test_every_refusal_has_its_advice(
    platform: Platform, fetch: Callable[[], list[Page]], status: int, error: type[TanhuanError], advice: str
) -> None:
    platform.give = lambda _: (status, {}, b"")
    with pytest.raises(error, match=rf"{platform.url} answered {status}\. Next step: .*{advice}"):
        fetch()
    assert len(platform.pages_asked) == (2 if error.retryable else 1), "only what may change is asked again"


def test_no_sentence_holds_the_password(platform: Platform, fetch: Callable[[], list[Page]]) -> None:
    platform.give = lambda _: (500, {}, PASSWORD.encode())
    with pytest.raises(TanhuanError) as failure:
        fetch()
    assert PASSWORD not in f"{failure.value!r}{failure.value.__cause__!r}{failure.value.__context__!r}"
