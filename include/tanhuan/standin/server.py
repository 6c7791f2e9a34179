"""The stand-in's HTTP server: token, pages, exports and dated files, and the switch for misbehaviour.

Belongs here: the protocol. Does not belong here: rows (`platform.py`), files of a day (`archive.py`, `packets.py`),
faults (`faults.py`). Neither the password nor a token is ever logged; there is no access log.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel
from starlette.types import Send

from tanhuan.contracts import Contract, get_contract, load_contracts
from tanhuan.standin import archive, packets
from tanhuan.standin.faults import FAULTS, AnyFault, Endpoint, FaultBook, Reply, is_moment
from tanhuan.standin.platform import TIME_ZONE, Answer, Platform, local_now

#: Seconds a token holds; longer than a night, so that a night needs one.
TOKEN_LIFETIME_S = 3600
DEFAULT_SEED = 2021
MAX_PAGE_ROWS = 50_000
#: Rows of an export that are made at a time; memory holds so many.
BATCH_ROWS = 20_000
FIRST_DAY = dt.date(2019, 1, 1)

_CHUNK_BYTES = 1 << 16

Day = Annotated[dt.date | None, Query()]
ETags = Annotated[str | None, Header()]


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


class CutResponse(StreamingResponse):
    """Sends the head and half of the first chunk and hangs up."""

    async def stream_response(self, send: Send) -> None:
        """Leave the body unfinished; the server closes the connection because the rest never comes."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self.body_iterator:
            await send({"type": "http.response.body", "body": chunk[: len(chunk) // 2], "more_body": True})
            return


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
    def give_token(shown: Credentials) -> Response:
        reply = Reply("token")
        told = {"token": desk.issue(shown), "expires_in": TOKEN_LIFETIME_S}
        return _bend(book, reply) or _send(reply, JSONResponse(told).body, "application/json")

    _add_tables(app, platform, book, guarded)
    _add_files(app, platform, book, guarded)

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


def _add_tables(app: FastAPI, platform: Platform, book: FaultBook, guarded: list) -> None:
    """Add what is asked for by table: pages by number, pages by cursor, exports."""

    @app.get("/api/v1/tables/{table}", dependencies=guarded)
    def give_page(
        table: str,
        first: Annotated[Day, Query(alias="from")] = None,
        last: Annotated[Day, Query(alias="to")] = None,
        page: Annotated[int, Query(ge=1)] = 1,
        page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 20_000,
        if_none_match: ETags = None,
    ) -> Response:
        return _give_page(platform, book, "pages", table, (first, last), page, page_size, if_none_match)

    @app.get("/api/v1/tables/{table}/cursor", dependencies=guarded)
    def give_page_at_cursor(
        table: str,
        first: Annotated[Day, Query(alias="from")] = None,
        last: Annotated[Day, Query(alias="to")] = None,
        cursor: str | None = None,
        page_size: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 20_000,
        if_none_match: ETags = None,
    ) -> Response:
        page = 1 if cursor is None else _read_cursor(cursor)
        return _give_page(platform, book, "cursor", table, (first, last), page, page_size, if_none_match)

    @app.get("/api/v1/export/{table}", dependencies=guarded)
    def give_export(
        table: str,
        first: Annotated[Day, Query(alias="from")] = None,
        last: Annotated[Day, Query(alias="to")] = None,
        format: Literal["ndjson", "parquet"] = "ndjson",
    ) -> Response:
        contract = _find_contract(table)
        days = _check_days(platform, contract, first, last)
        shown = show_columns(contract) if format == "ndjson" else {name: name for name in contract.names}
        reply = Reply("export", table, columns=shown)
        if bent := _bend(book, reply):
            return bent
        answer = _ask(platform, reply, days)
        count = answer.total - _share_of(answer.total, reply.share_left_out)
        stated = answer.total + _share_of(answer.total, reply.share_overstated)
        headers = {"X-Row-Count": str(stated), "ETag": _tag(platform.fingerprint(answer, reply.columns))}
        if format == "ndjson":
            lines = _make_lines(platform, answer, reply.columns, count)
            return _send(reply, lines, "application/x-ndjson", headers)
        chunks, length = _make_parquet(platform, answer, reply.columns, count)
        return _send(reply, chunks, "application/vnd.apache.parquet", headers | {"Content-Length": str(length)})


def _add_files(app: FastAPI, platform: Platform, book: FaultBook, guarded: list) -> None:
    """Add what exists as one file: archives by day, the keys of encrypted packets, published workbooks."""

    @app.get("/api/v1/files/{form}", dependencies=guarded)
    def tell_archive(form: str) -> dict[str, str]:
        return {
            "form": form,
            "table": _find_form(form).table,
            "first": str(FIRST_DAY),
            "last": str(platform.now().date()),
        }

    @app.get("/api/v1/files/{form}/{day}", dependencies=guarded)
    def give_file(form: str, day: dt.date, if_none_match: ETags = None) -> Response:
        kind = _find_form(form)
        reply = Reply("files", kind.table)
        if bent := _bend(book, reply):
            return bent
        body = kind.make(platform, day, reply.days_before) if FIRST_DAY <= day <= platform.now().date() else None
        if body is None:
            raise HTTPException(404, f"no {form} file of {day}")
        tag = _tag(hashlib.sha256(body).hexdigest())
        if _knows(if_none_match, tag):
            return Response(status_code=304, headers={"ETag": tag})
        headers = {
            "ETag": tag,
            "Content-Disposition": f'attachment; filename="{kind.name_of(day)}"',
            # The form itself has no place to say so.
            "X-Data-Basis": "synthetic" if platform.is_invented(kind.table, day) else "measured",
        }
        return _send(reply, body, kind.media_type, headers)

    @app.get("/api/v1/hj212/keys", dependencies=guarded)
    def give_keys() -> dict[str, str]:
        return packets.list_keys(platform)

    @app.get("/api/v1/forms/{table}.{extension}", dependencies=guarded)
    def give_form(table: str, extension: Literal["xlsx", "csv"]) -> Response:
        contract = _find_contract(table)
        if contract.mode != "snapshot":
            raise HTTPException(404, f"table {table} is not published as a form")
        reply = Reply("files", table)
        body = (
            archive.make_workbook(platform, contract) if extension == "xlsx" else archive.make_csv(platform, contract)
        )
        return _bend(book, reply) or _send(reply, body, "application/octet-stream")


class _Archive(BaseModel):
    """A kind of file that exists once a day: the table it belongs to, how it is called and made."""

    table: str
    pattern: str
    media_type: str
    make: Callable[[Platform, dt.date, int], bytes | None]

    def name_of(self, day: dt.date) -> str:
        return format(day, self.pattern)


_ARCHIVES = {
    "cnemc_air": _Archive(
        table="air_hour", pattern="china_sites_%Y%m%d.csv", media_type="text/csv", make=archive.make_air_day
    ),
    "cnemc_water": _Archive(
        table="water_section_4h", pattern="%Y-%m-%d.json", media_type="application/json", make=archive.make_water_day
    ),
    "hj212": _Archive(
        table="source_hour",
        pattern="hj212_%Y%m%d.bin",
        media_type="application/octet-stream",
        make=packets.make_packet_day,
    ),
}


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


def serve(
    host: str, port: int, user: str, password: str, seed: int = DEFAULT_SEED, today: dt.date | None = None
) -> None:
    """Serve until interrupted, as if it were `today` at this time of day.

    ValueError without a password or before the first day; uvicorn exits with 1 if the port is taken.
    """
    if not password:
        raise ValueError("the stand-in needs a password: set TANHUAN_UPSTREAM_PASSWORD")
    if today is not None and today < FIRST_DAY:
        raise ValueError(f"the stand-in plays days from {FIRST_DAY} on, not {today}")
    platform = Platform(seed, local_now if today is None else lambda: play(today))
    try:
        make_server(make_app(platform, user, password), host, port).run()
    finally:
        platform.close()


def play(today: dt.date) -> dt.datetime:
    """Return the present time of day on another day."""
    return dt.datetime.combine(today, local_now().time(), TIME_ZONE)


def show_columns(contract: Contract) -> dict[str, str]:
    """Return what JSON shows of each column: moments as ISO 8601 with +08:00, the rest as it is."""
    return {
        c.name: f"strftime({c.name}, '%Y-%m-%dT%H:%M:%S+08:00')" if is_moment(c) else c.name for c in contract.columns
    }


def _give_page(
    platform: Platform,
    book: FaultBook,
    endpoint: Endpoint,
    table: str,
    asked: tuple[dt.date | None, dt.date | None],
    page: int,
    page_size: int,
    known: str | None,
) -> Response:
    contract = _find_contract(table)
    days = _check_days(platform, contract, *asked)
    reply = Reply(endpoint, table, page, show_columns(contract))
    if bent := _bend(book, reply):
        return bent
    answer = _ask(platform, reply, days)
    tag = _tag(platform.fingerprint(answer, reply.columns))
    if _knows(known, tag):
        return Response(status_code=304, headers={"ETag": tag})
    offset = (page - 1 + reply.page_skew) * page_size
    count = max(0, min(page_size, answer.total - offset))
    count -= _share_of(count, reply.share_left_out)
    total = answer.total + _share_of(answer.total, reply.share_overstated)
    pages = max(1, -(-total // page_size) - reply.pages_missing)
    rows = platform.page_rows(answer, reply.columns, offset, max(0, count))
    if endpoint == "pages":
        place = f'"page": {page}, "pages": {pages}'
    else:
        place = f'"next": "{_make_cursor(page + 1)}"' if page < pages else '"next": null'
    body = f'{{"table": "{table}", "total": {total}, {place}, "rows": [{rows}]}}'
    return _send(reply, body.encode(), "application/json", {"ETag": tag})


def _find_contract(table: str) -> Contract:
    if table not in load_contracts():
        raise HTTPException(404, f"no table {table!r}; known tables: {', '.join(load_contracts())}")
    return get_contract(table)


def _find_form(form: str) -> _Archive:
    if form not in _ARCHIVES:
        raise HTTPException(404, f"no archive {form!r}; known archives: {', '.join(_ARCHIVES)}")
    return _ARCHIVES[form]


def _check_days(
    platform: Platform, contract: Contract, first: dt.date | None, last: dt.date | None
) -> tuple[dt.date, dt.date]:
    """Return the days asked for; a snapshot is what it is today, whatever is asked."""
    if first is not None and last is not None and first > last:
        raise HTTPException(422, f"from {first} is after to {last}")
    if contract.mode == "snapshot":
        return platform.now().date(), platform.now().date()
    if first is None or last is None:
        raise HTTPException(422, f"table {contract.table} is asked for by days: from, to")
    return first, last


def _bend(book: FaultBook, reply: Reply) -> Response | None:
    """Put the faults in force into the reply; return what is sent if it is not the answer at all."""
    book.bend(reply)
    if reply.stall_s:
        time.sleep(reply.stall_s)
    if reply.web_page is not None:
        return HTMLResponse(reply.web_page)
    if reply.status != 200:
        told = {"detail": f"the stand-in was told to answer {reply.status}"}
        return JSONResponse(told, reply.status, headers=reply.headers)
    return None


def _ask(platform: Platform, reply: Reply, days: tuple[dt.date, dt.date]) -> Answer:
    first, last = days
    return platform.ask(str(reply.table), first - dt.timedelta(days=reply.days_before), last)


def _send(
    reply: Reply, body: bytes | Iterable[bytes], media_type: str, headers: dict[str, str] | None = None
) -> Response:
    """Send a body, its length announced if it is known."""
    headers = dict(headers or {})
    if isinstance(body, bytes):
        if not reply.cut_body:
            return Response(body, media_type=media_type, headers=headers)
        headers["Content-Length"] = str(len(body))
        body = [body]
    response = CutResponse if reply.cut_body else StreamingResponse
    return response(body, media_type=media_type, headers=headers)


def _share_of(count: int, share: float) -> int:
    """Return a share of rows, one at least; nothing of no share."""
    return max(1, round(count * share)) if share else 0


def _make_lines(platform: Platform, answer: Answer, columns: dict[str, str], count: int) -> Iterator[bytes]:
    for offset in range(0, count, BATCH_ROWS):
        yield platform.page_rows(answer, columns, offset, min(BATCH_ROWS, count - offset), "\n").encode() + b"\n"


def _make_parquet(
    platform: Platform, answer: Answer, columns: dict[str, str], count: int
) -> tuple[Iterator[bytes], int]:
    """Return the chunks of a Parquet file and its length."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.parquet"
        platform.write_parquet(answer, columns, count, path)
        # The folder goes at once; the open file lasts until its last chunk is read.
        file = path.open("rb")
        length = path.stat().st_size

    def read() -> Iterator[bytes]:
        with file:
            yield from iter(lambda: file.read(_CHUNK_BYTES), b"")

    return read(), length


def _tag(digest: str) -> str:
    """Return a strong ETag (RFC 9110 §8.8.3)."""
    return f'"{digest}"'


def _knows(if_none_match: str | None, tag: str) -> bool:
    return tag in {known.strip() for known in (if_none_match or "").split(",")}


def _make_cursor(page: int) -> str:
    """Return a mark that says nothing to a client."""
    return base64.urlsafe_b64encode(f"page:{page}".encode()).decode()


def _read_cursor(cursor: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("page:"))
    except (binascii.Error, ValueError) as error:
        raise HTTPException(422, "this cursor is none of ours") from error


def _read_faults(body: bytes) -> list[AnyFault]:
    try:
        return FAULTS.validate_json(body)
    except ValueError as error:
        raise HTTPException(422, f"these faults are not understood: {error}") from error
