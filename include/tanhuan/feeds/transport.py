"""One HTTP request, with everything that may go wrong on the way: login, retries, limits of time and size.

Belongs here: bytes into a sink, or a sentence about why not. Does not belong here: paging and counts (`pages.py`).
What may pass by itself (connections, stalls, cut bodies, 429, 5xx) is tried again; nothing else is. A redirect is never
followed: the token would go along. Logins, tokens and queries are in no sentence, log line or kept address.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_before_delay
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from tanhuan.errors import TokenExpired, UpstreamDown, UpstreamRefused
from tanhuan.settings import Settings, now

log = logging.getLogger(__name__)

#: what may change by itself and is therefore tried again: too many requests, and faults of the server (RFC 9110 §15.6)
_PASSING_STATUS = (429, 500, 502, 503, 504)
_KEPT_HEADERS = ("Content-Type", "Date", "Last-Modified", "ETag", "X-Row-Count", "X-Data-Basis")
_CHUNK_BYTES = 1 << 18
_CONNECT_TIMEOUT_S = 10.0
#: a pause that is asked for (Retry-After) and kept; a longer one would hold the night hostage
_LONGEST_PAUSE_S = 60.0
#: seconds before the second attempt at most, doubled with each; drawn, so that feeds do not knock in step
_BACK_OFF = wait_random_exponential(multiplier=0.3, max=30)
#: a token is renewed before it ends: when this share of its life is over
_TOKEN_LIFE_USED = 0.9
_STAYS = "the published version stays; clear the red `land` task when the platform has recovered."


class NotFound(UpstreamRefused):
    """The upstream does not know the address (404)."""


class Limit(NamedTuple):
    """The largest body that is accepted: what it is called, bytes, and what to do if there is more."""

    noun: str
    bytes: int
    advice: str


class Sink(Protocol):
    """What a body is written to. Only one that can be rewound (a file, io.IOBase.seekable) survives a cut body."""

    def write(self, chunk: bytes, /) -> object:
        """Take one chunk."""


class NotModified(Exception):
    """The upstream has nothing newer than the ETag it was shown (304): no failure, and no news."""


@dataclass(frozen=True)
class Export:
    """One body that is now in its sink; `bytes` and `sha256` are of what was written there.

    `name` is what the sender called it, `url` holds no query and no login. `stated_rows` is what the upstream says it
    sent (header X-Row-Count), None if it says nothing.
    """

    name: str
    url: str
    status: int
    headers: dict[str, str]
    bytes: int
    sha256: str
    stated_rows: int | None


class _Passing(Exception):
    """A fault that may pass; `failure` is what a person reads if it does not, `wait_s` the pause asked for."""

    def __init__(self, failure: UpstreamDown, wait_s: float | None = None) -> None:
        super().__init__(failure.what)
        self.failure = failure
        self.wait_s = wait_s


class _Intake:
    """Counts, hashes and bounds what goes into a sink, and starts again after a cut body if the sink can."""

    def __init__(self, sink: Sink, limit: Limit, where: str) -> None:
        self._sink = sink
        self._limit = limit
        self._where = where
        self._file = sink if isinstance(sink, io.IOBase) and sink.seekable() else None
        self._start = self._file.tell() if self._file else 0
        self.bytes = 0
        self.hash = hashlib.sha256()

    @property
    def can_restart(self) -> bool:
        return self.bytes == 0 or self._file is not None

    def restart(self) -> None:
        if self._file is not None and self.bytes:
            self._file.seek(self._start)
            self._file.truncate()
        self.bytes = 0
        self.hash = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        self.bytes += len(chunk)
        if self.bytes > self._limit.bytes:
            raise UpstreamRefused(
                f"{self._where}: {self._limit.noun} of more than {self._limit.bytes >> 20} MiB.", self._limit.advice
            )
        self.hash.update(chunk)
        self._sink.write(chunk)


@dataclass(frozen=True)
class _Token:
    text: str
    renew_at: float

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request (requests' protocol for `auth`, which also keeps a .netrc out of it)."""
        request.headers["Authorization"] = f"Bearer {self.text}"
        return request


class _TokenAnswer(msgspec.Struct):
    token: str
    expires_in: float = float("inf")


class Transport:
    """A pool of connections to one upstream and the token that opens it."""

    def __init__(self, settings: Settings) -> None:
        if settings.upstream_url is None:
            raise UpstreamRefused(
                "No upstream is configured.",
                "set TANHUAN_UPSTREAM_URL, TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD, or run "
                "`tanhuan night`, which starts the stand-in.",
            )
        self._settings = settings
        self._session = requests.Session()
        self._token: _Token | None = None
        #: address of the upstream without a login
        self.base = _strip(settings.upstream_url).rstrip("/")

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def get(
        self,
        path: str,
        where: str,
        sink: Sink,
        limit: Limit,
        params: Mapping[str, str | int] | None = None,
        etag: str | None = None,
    ) -> Export:
        """Stream the answer to a GET into a sink, chunk by chunk. A token that no longer holds is renewed once.

        Raises:
            NotModified: the answer still is the one of `etag`.
            UpstreamDown: no or no whole answer after the retries; may be tried again later. A body that breaks off is
                tried again at once only if the sink can be rewound.
            UpstreamRefused: the account, the address or the size is wrong; NotFound for 404.
        """
        intake = _Intake(sink, limit, where)
        headers = {"If-None-Match": etag} if etag else {}

        def send(token: _Token) -> Export:
            return self._send("GET", path, where, intake, auth=token, params=params, headers=headers)

        known = self._token
        token = self._log_in(where)
        try:
            return send(token)
        except TokenExpired:
            if token is not known:
                raise
            self._token = None
            return send(self._log_in(where))

    def _log_in(self, where: str) -> _Token:
        if self._token is None or self._token.renew_at <= time.monotonic():
            answer = self._ask_for_token(where)
            self._token = _Token(answer.token, time.monotonic() + _TOKEN_LIFE_USED * answer.expires_in)
        return self._token

    def _ask_for_token(self, where: str) -> _TokenAnswer:
        credentials = {
            "user": self._settings.upstream_user,
            "password": self._settings.upstream_password.get_secret_value(),
        }
        body = io.BytesIO()
        limit = Limit("a login's answer", 1 << 20, "check TANHUAN_UPSTREAM_URL: this is not the platform's login.")
        self._send("POST", "/api/token", where, _Intake(body, limit, where), auth=_unsigned, json=credentials)
        try:
            return msgspec.json.decode(body.getvalue(), type=_TokenAnswer)
        except msgspec.DecodeError:
            # Without the cause: it may quote the token.
            raise UpstreamDown(
                f"{where}: the login at {self.base} answered without a token.",
                "check TANHUAN_UPSTREAM_URL; if it is right, ask the platform's operator what changed.",
            ) from None

    def _send(self, method: str, path: str, where: str, intake: _Intake, **kwargs: Any) -> Export:
        """Send a request until it is answered, the retries are used up or its time is over."""
        ends = time.monotonic() + self._settings.request_deadline_s

        def attempt() -> Export:
            intake.restart()
            return self._send_once(method, path, where, intake, ends, **kwargs)

        retrying = Retrying(
            retry=retry_if_exception(lambda fault: isinstance(fault, _Passing) and intake.can_restart),
            stop=stop_after_attempt(self._settings.request_retries + 1)
            | stop_before_delay(self._settings.request_deadline_s),
            wait=_wait,
            before_sleep=_tell,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _Passing as fault:
            raise fault.failure from fault.__cause__

    def _send_once(self, method: str, path: str, where: str, intake: _Intake, ends: float, **kwargs: Any) -> Export:
        settings = self._settings
        try:
            with self._session.request(
                method,
                self.base + path,
                timeout=(_CONNECT_TIMEOUT_S, settings.request_timeout_s),
                verify=str(settings.upstream_ca_bundle) if settings.upstream_ca_bundle else True,
                allow_redirects=False,
                stream=True,
                **kwargs,
            ) as response:
                self._check(response, where)
                # read1 returns what has come; read would wait for a whole chunk, however slowly it drips.
                while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                    intake.write(chunk)
                    if time.monotonic() > ends:
                        raise self._too_slow(where, intake)
                headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
                stated = headers.get("X-Row-Count", "")
                return Export(
                    name=_read_name(response),
                    url=self.base + path,
                    status=response.status_code,
                    headers=headers,
                    bytes=intake.bytes,
                    sha256=intake.hash.hexdigest(),
                    stated_rows=int(stated) if stated.isdecimal() else None,
                )
        except (requests.RequestException, HTTPError) as exc:
            raise self._explain(exc, where, intake) from exc

    def _check(self, response: requests.Response, where: str) -> None:
        """Let a good answer pass; every other status becomes its failure."""
        status = response.status_code
        if status == requests.codes.not_modified:
            raise NotModified(where)
        if status in _PASSING_STATUS:
            failure = UpstreamDown(f"{where}: {self.base} answered {status}.", _STAYS)
            raise _Passing(failure, self._read_pause(response, where))
        if response.is_redirect or 300 <= status < 400:
            target = _strip(requests.compat.urljoin(self.base, response.headers.get("Location", "")))
            raise UpstreamRefused(
                f"{where}: {self.base} answered {status} and points to {target}; redirects are not followed, "
                "because the token would go along.",
                "ask the platform's operator; if the platform has moved, set TANHUAN_UPSTREAM_URL to its new address.",
            )
        if status != requests.codes.ok:
            raise self._refusal(status, where)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise UpstreamDown(
                f"{where}: {self.base} answered with a web page (text/html) instead of data.",
                "open the address in a browser: the platform may be under maintenance, or a proxy asks for a login; "
                "then clear the red `land` task.",
            )

    def _refusal(self, status: int, where: str) -> UpstreamRefused:
        errors: dict[int, type[UpstreamRefused]] = {401: TokenExpired, 404: NotFound}
        advice = {
            401: "check TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD.",
            403: "ask the platform's operator for the right to read this table.",
            404: "check TANHUAN_UPSTREAM_URL; the platform does not know this address.",
        }.get(status, _STAYS)
        return errors.get(status, UpstreamRefused)(f"{where}: {self.base} answered {status}.", advice)

    def _read_pause(self, response: requests.Response, where: str) -> float | None:
        """Return the seconds of Retry-After (RFC 9110 §10.2.3: seconds or a date); a pause beyond the bound fails."""
        stated = response.headers.get("Retry-After")
        if stated is None:
            return None
        try:
            pause = Retry().parse_retry_after(stated)
        except InvalidHeader:
            return None
        if pause > _LONGEST_PAUSE_S:
            back = now() + dt.timedelta(seconds=pause)
            raise UpstreamDown(
                f"{where}: {self.base} answered {response.status_code} and asks for a pause until "
                f"{back:%Y-%m-%d %H:%M:%S}, longer than a night waits ({_LONGEST_PAUSE_S:g} s).",
                f"clear the red `land` task after {back:%H:%M}; the other feeds go on and the published version stays.",
            )
        return pause

    def _explain(self, exc: Exception, where: str, intake: _Intake) -> Exception:
        if "CERTIFICATE_VERIFY_FAILED" in str(exc):
            return UpstreamRefused(
                f"{where}: the certificate of {self.base} is not trusted, so nothing was sent.",
                "if the platform uses an authority of its own, set TANHUAN_UPSTREAM_CA_BUNDLE to its certificate file; "
                "else ask the platform's operator.",
            )
        advice = (
            "check that the platform is up and reachable (`tanhuan doctor`), then clear the red `land` task; the other "
            "feeds go on and the published version stays."
        )
        if intake.bytes:
            what = f"the answer of {self.base} broke off after {intake.bytes} bytes ({type(exc).__name__})"
        else:
            what = f"no answer from {self.base} ({type(exc).__name__})"
        return _Passing(UpstreamDown(f"{where}: {what}.", advice))

    def _too_slow(self, where: str, intake: _Intake) -> UpstreamDown:
        return UpstreamDown(
            f"{where}: {self.base} took longer than {self._settings.request_deadline_s:g} s and had sent "
            f"{intake.bytes} bytes.",
            "ask for fewer days, or raise TANHUAN_REQUEST_DEADLINE_S if the line is that slow; " + _STAYS,
        )


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request without a login: the credentials are in its body, and a .netrc has no say."""
    return request


def _read_name(response: requests.Response) -> str:
    """Return the file's name by Content-Disposition (RFC 6266), else by the address; never a path."""
    message = Message()
    message["Content-Disposition"] = response.headers.get("Content-Disposition", "attachment")
    return PurePosixPath(message.get_filename() or urlsplit(response.url).path).name


def _strip(url: str) -> str:
    """Return scheme, host, port and path of an address: no login, no query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _wait(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.wait_s if isinstance(fault, _Passing) else None
    return _BACK_OFF(state) if asked is None else asked


def _tell(state: RetryCallState) -> None:
    fault = state.outcome.exception() if state.outcome else None
    log.warning("%s Trying again in %.1f s.", fault, state.upcoming_sleep)
