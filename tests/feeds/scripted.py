"""A real HTTP server on loopback that answers what a test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, str], bytes | Iterator[bytes]]


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Platform(ThreadingHTTPServer):
    """Answers with what `give` returns for the n-th request; logins are answered by themselves. Remembers all."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        self.asked: list[Asked] = []
        self.tokens = 0
        self.token_life_s: float = 3600
        self.connections = 0
        self.give: Callable[[int], Answer] = lambda page: page_of(page)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def use_tls(self, certificate: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def answer(self, path: str) -> Answer:
        if path == "/api/token":
            self.tokens += 1
            told = {"token": f"token-{self.tokens}", "expires_in": self.token_life_s}
            return 200, {}, json.dumps(told).encode()
        return self.give(len(self.questions))

    @property
    def questions(self) -> list[Asked]:
        """The requests that were no logins."""
        return [asked for asked in self.asked if asked.path != "/api/token"]

    @property
    def shown_tokens(self) -> list[str | None]:
        """The authorization shown with each question."""
        return [asked.headers.get("Authorization") for asked in self.questions]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that hangs up is part of the test."""


class Handler(BaseHTTPRequestHandler):
    server: Platform
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.server.asked.append(Asked(self.command, parts.path, query, dict(self.headers.items())))
        status, headers, body = self.server.answer(parts.path)
        self.send_response(status)
        chunks = [body] if isinstance(body, bytes) else body
        announced = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {}
        if "Transfer-Encoding" not in headers:
            headers = {**announced, **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        sent = 0
        for chunk in chunks:
            sent += self.wfile.write(chunk)
        # A body that is shorter than announced, or chunks that never end, are left so.
        self.close_connection = headers.get("Content-Length") != str(sent)

    def log_message(self, *arguments: Any) -> None:
        """Stay silent."""


@contextmanager
def serve(certificate: str | None = None) -> Iterator[Platform]:
    platform = Platform()
    if certificate:
        platform.use_tls(certificate)
    threading.Thread(target=platform.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield platform
    finally:
        platform.shutdown()
        platform.server_close()


def page_of(page: int, pages: int = 1, total: int | None = None, rows: int = 2, **more: Any) -> Answer:
    """Return a page of rows that no other page has."""
    total = pages * rows if total is None else total
    body = {"total": total, "pages": pages, "rows": [{"permit_no": f"{page}-{n}"} for n in range(rows)]} | more
    return 200, {"Content-Type": "application/json", "Set-Cookie": "session=secret"}, json.dumps(body).encode()
