"""The stand-in's HTTP server: token, pages with a stated count, and the switch for misbehaviour.

Belongs here: the protocol. Does not belong here: rows (`platform.py`), faults (`faults.py`).
Neither the password nor a token is ever logged; there is no access log.
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
import sys
import threading
import time
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from tanhuan.contracts import Contract, load_contracts
from tanhuan.standin.faults import FAULTS, AnyFault, FaultBook, Reply
from tanhuan.standin.platform import Answer, Platform

#: Seconds a token holds; longer than a night, so that a night needs one.
TOKEN_LIFETIME_S = 3600
DEFAULT_SEED = 2021
MAX_PAGE_ROWS = 50_000


class Credentials(BaseModel):
    """What a client shows to get a token."""

    user: str
    password: str


class TokenDesk:
    """Hands out tokens for one account and knows which ones still hold."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user.encode()
        self._password = password.encode()
        self._expiries: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue(self, shown: Credentials) -> str:
        """Return a new token; HTTP 401 if user or password is wrong."""
        user_fits = hmac.compare_digest(shown.user.encode(), self._user)
        password_fits = hmac.compare_digest(shown.password.encode(), self._password)
        if not (user_fits and password_fits):
            raise HTTPException(401, "wrong user or password")
        token = secrets.token_urlsafe(24)
        with self._lock:
            now = time.monotonic()
            self._expiries = {t: expiry for t, expiry in self._expiries.items() if expiry > now}
            self._expiries[token] = now + TOKEN_LIFETIME_S
        return token

    def check(self, authorization: Annotated[str | None, Header()] = None) -> None:
        """Let a request with a token that holds pass; HTTP 401 else."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or self._expiries.get(token, 0.0) <= time.monotonic():
            raise HTTPException(401, "no valid token: POST /api/token first", headers={"WWW-Authenticate": "Bearer"})


class CutResponse(Response):
    """Announces its whole body, sends half of it and hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and half the body; the server closes the connection because the rest never comes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def make_app(platform: Platform, user: str, password: str) -> FastAPI:
    """Return the application that serves a platform to one account."""
    app = FastAPI(title="tanhuan stand-in", docs_url=None, redoc_url=None, openapi_url=None)
    desk = TokenDesk(user, password)
    book = FaultBook()
    guarded = [Depends(desk.check)]

    @app.get("/health")
    def tell_health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/api/token")
    def give_token(shown: Credentials) -> dict[str, str | int]:
        return {"token": desk.issue(shown), "expires_in": TOKEN_LIFETIME_S}

    @app.get("/api/v1/tables/{table}", dependencies=guarded)
    def give_page(
        table: str,
        first: Annotated[dt.date, Query(alias="from")],
        last: Annotated[dt.date, Query(alias="to")],
        page: Annotated[int, Query(ge=1)] = 1,
        page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 20_000,
    ) -> Response:
        if table not in load_contracts():
            raise HTTPException(404, f"no table {table!r}; known tables: {', '.join(load_contracts())}")
        if first > last:
            raise HTTPException(422, f"from {first} is after to {last}")
        return _send_page(platform, book, platform.ask(table, first, last), page, page_size)

    # The body is read by hand: one list of any kinds of faults, checked by its own models.
    @app.put("/control/faults", dependencies=guarded)
    async def set_faults(request: Request) -> dict[str, int]:
        faults = _read_faults(await request.body())
        book.replace(list(faults))
        return {"faults": len(faults)}

    @app.delete("/control/faults", dependencies=guarded)
    def clear_faults() -> dict[str, int]:
        book.replace([])
        return {"faults": 0}

    return app


class StandinServer(uvicorn.Server):
    """A uvicorn server that says on standard output where it can be reached, once it can be."""

    @property
    def url(self) -> str:
        """Base address; only after start-up, when a port asked for as 0 has become a real one."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def startup(self, sockets: list | None = None) -> None:
        """Start listening and print one line."""
        await super().startup(sockets)
        if self.started:
            sys.stdout.write(f"stand-in ready at {self.url}\n")
            sys.stdout.flush()


def make_server(app: FastAPI, host: str, port: int) -> StandinServer:
    """Return a server for the application; port 0 takes a free one. `run()` blocks, `should_exit` ends it."""
    config = uvicorn.Config(app, host=host, port=port, log_level="error", access_log=False, lifespan="off")
    return StandinServer(config)


def serve(host: str, port: int, user: str, password: str, seed: int = DEFAULT_SEED) -> None:
    """Serve until interrupted. ValueError without a password; uvicorn exits with 1 if the port is taken."""
    if not password:
        raise ValueError("the stand-in needs a password: set TANHUAN_UPSTREAM_PASSWORD")
    platform = Platform(seed)
    try:
        make_server(make_app(platform, user, password), host, port).run()
    finally:
        platform.close()


def show_columns(contract: Contract) -> dict[str, str]:
    """Return what a page shows of each column: moments as ISO 8601 with +08:00, the rest as it is."""
    return {
        c.name: f"strftime({c.name}, '%Y-%m-%dT%H:%M:%S+08:00')" if c.type == "TIMESTAMPTZ" else c.name
        for c in contract.columns
    }


def _send_page(platform: Platform, book: FaultBook, answer: Answer, page: int, page_size: int) -> Response:
    contract = answer.contract
    offset = (page - 1) * page_size
    count = max(0, min(page_size, answer.total - offset))
    reply = Reply(contract, show_columns(contract), count, answer.total)
    book.bend(reply)
    if reply.stall_s:
        time.sleep(reply.stall_s)
    if reply.status != 200:
        raise HTTPException(reply.status, f"the stand-in was told to answer {reply.status}")
    pages = max(1, -(-reply.total // page_size))
    rows = platform.page_rows(answer, reply.columns, offset, reply.count)
    body = f'{{"table": "{contract.table}", "total": {reply.total}, "page": {page}, "pages": {pages}, "rows": {rows}}}'
    response = CutResponse if reply.cut_body else Response
    return response(body, media_type="application/json")


def _read_faults(body: bytes) -> list[AnyFault]:
    try:
        return FAULTS.validate_json(body)
    except ValueError as error:
        raise HTTPException(422, f"these faults are not understood: {error}") from error
