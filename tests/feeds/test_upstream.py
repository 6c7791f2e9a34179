"""The client of the bureau's platform, against a real server on loopback that behaves in every bad way we know."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from tanhuan.contracts import get_contract
from tanhuan.errors import ShortAnswer, TanhuanError, UpstreamDown, UpstreamRefused
from tanhuan.feeds.upstream import NotModified, Page, Upstream
from tanhuan.settings import Settings
from tests.conftest import change_settings
from tests.feeds.scripted import Answer, Platform, page_of, serve

DAY = dt.date(2025, 12, 31)
PASSWORD = "a pass phrase nobody prints"
TOO_MUCH = 65 * 1024 * 1024
PERMIT, SOURCE_HOUR = get_contract("permit"), get_contract("source_hour")
BY_CURSOR = PERMIT.model_copy(update={"paging": "cursor"})
LINES = b'{"n":1}\n{"n":2}\n'

Fetch = Callable[..., list[Page]]


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serve() as platform:
        yield platform


@pytest.fixture
def patient(platform: Platform, home: Settings) -> Settings:
    """Settings that reach the platform and try everything twice."""
    return change_settings(
        home,
        upstream_url=platform.url + "/",
        upstream_user="bureau",
        upstream_password=SecretStr(PASSWORD),
        request_retries=1,
        request_timeout_s=5.0,
    )


@pytest.fixture
def upstream(patient: Settings) -> Iterator[Upstream]:
    with Upstream(patient) as upstream:
        yield upstream


@pytest.fixture
def fetch(upstream: Upstream) -> Fetch:
    return lambda contract=PERMIT, etag=None: list(upstream.fetch_pages(contract, DAY, DAY, etag))


def test_all_pages_are_fetched_with_one_login_over_one_connection(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda n: page_of(n, pages=3)
    pages = fetch()
    assert [p.rows for p in pages] == [2, 2, 2]
    assert {p.stated_total for p in pages} == {6}
    assert platform.tokens == 1
    assert platform.shown_tokens == ["Bearer token-1"] * 3
    assert pages[2].url == f"{platform.url}/api/v1/tables/permit?page=3"
    assert platform.connections == 1


def test_only_a_table_of_days_is_asked_for_days(platform: Platform, fetch: Fetch) -> None:
    fetch(PERMIT)
    fetch(SOURCE_HOUR)
    snapshot, window = [asked.query for asked in platform.questions]
    assert set(snapshot) == {"page", "page_size"}
    assert (window["from"], window["to"]) == ("2025-12-31", "2025-12-31")


def test_a_cursor_is_followed_to_its_end(platform: Platform, fetch: Fetch) -> None:
    marks = ["first&mark", "second=mark", None]
    platform.give = lambda n: page_of(n, total=6, next=marks[n - 1])
    pages = fetch(BY_CURSOR)
    assert [p.rows for p in pages] == [2, 2, 2]
    assert {asked.path for asked in platform.questions} == {"/api/v1/tables/permit/cursor"}
    assert [asked.query.get("cursor") for asked in platform.questions] == [None, "first&mark", "second=mark"]
    assert not any("mark" in p.url for p in pages), "a mark may be worth a login"


def test_a_page_is_the_bytes_that_came_and_no_cookie(platform: Platform, fetch: Fetch) -> None:
    odd = b' {"total":1 ,"pages":1,"rows":[ {"permit_no":"\\u6e58\xe6\xbd\xad", "area":1.50} ]}\n'
    platform.give = lambda _: (200, {"Content-Type": "application/json", "Set-Cookie": "session=secret"}, odd)
    (page,) = fetch()
    assert page.body == odd
    assert set(page.headers) <= {"Content-Type", "Date", "Last-Modified", "ETag"}


@pytest.mark.parametrize("contract", [PERMIT, BY_CURSOR], ids=["page", "cursor"])
def test_nothing_new_is_no_failure(platform: Platform, fetch: Fetch, contract: object) -> None:
    platform.give = lambda n: (
        (304, {"ETag": '"v1"'}, b"") if n > 2 else page_of(n, pages=2, next=None if n == 2 else "m")
    )
    fetch(contract)
    with pytest.raises(NotModified):
        fetch(contract, '"v1"')
    assert [asked.headers.get("If-None-Match") for asked in platform.questions] == [None, None, '"v1"']


def test_only_the_first_page_is_asked_for_on_condition(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda n: page_of(n, pages=2)
    fetch(PERMIT, '"v0"')
    assert [asked.headers.get("If-None-Match") for asked in platform.questions] == ['"v0"', None]


def test_a_page_short_of_the_stated_count_is_a_failure(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda n: page_of(n, pages=2, total=5)
    with pytest.raises(
        ShortAnswer,
        match=r"feed monitoring, table source_hour, days 2025-12-31 to 2025-12-31: .*states 5 rows but sent 4 in 2",
    ):
        fetch(SOURCE_HOUR)


def test_more_rows_than_stated_are_a_failure_too(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda n: page_of(n, total=1)
    with pytest.raises(ShortAnswer, match=r"feed permits, table permit: the upstream states 1 rows but sent 2"):
        fetch()


def test_rows_that_come_twice_mean_that_as_many_are_missing(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda n: page_of(min(n, 2), pages=3)
    with pytest.raises(
        ShortAnswer, match=r"table permit: 2 rows came twice: the paging overlaps, so as many are missing"
    ):
        fetch()


def test_equal_rows_on_one_page_are_the_senders_data(platform: Platform, fetch: Fetch) -> None:
    twins = json.dumps({"total": 2, "pages": 1, "rows": [{"permit_no": "1"}] * 2}).encode()
    platform.give = lambda _: (200, {}, twins)
    assert [p.rows for p in fetch()] == [2]


def test_a_total_that_changes_on_the_way_is_a_failure(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda n: page_of(n, pages=3, total=6 if n < 3 else 7)
    with pytest.raises(ShortAnswer, match="stated total changed from 6 to 7 rows between pages 2 and 3"):
        fetch()


@pytest.mark.parametrize("contract", [PERMIT, BY_CURSOR], ids=["page", "cursor"])
def test_endless_pages_end(platform: Platform, fetch: Fetch, contract: object) -> None:
    platform.give = lambda n: page_of(n, pages=n + 1, total=6, next="again")
    with pytest.raises(ShortAnswer, match="states 6 rows but sent 8"):
        fetch(contract)
    platform.asked.clear()
    platform.give = lambda n: page_of(n, pages=n + 1, total=6, rows=0, next="again")
    with pytest.raises(ShortAnswer, match="states 6 rows but sent 0"):
        fetch(contract)


def test_a_redirect_is_refused_and_nobody_else_is_shown_the_token(platform: Platform, fetch: Fetch) -> None:
    with serve() as elsewhere:
        target = elsewhere.url.replace("//", "//clerk:hush@") + "/login?ticket=hush"
        platform.give = lambda _: (302, {"Location": target}, b"")
        with pytest.raises(UpstreamRefused, match=r"feed permits, table permit.*answered 302") as failure:
            fetch()
        assert f"points to {elsewhere.url}/login;" in str(failure.value)
        assert "hush" not in str(failure.value)
        assert elsewhere.asked == []
    assert len(platform.questions) == 1


def test_a_body_beyond_the_bound_is_refused(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda _: (200, {}, b" " * TOO_MUCH)
    with pytest.raises(UpstreamRefused, match=r"a page of more than 64 MiB.*TANHUAN_PAGE_ROWS"):
        fetch()


def test_a_small_body_that_swells_is_refused_too(platform: Platform, fetch: Fetch) -> None:
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
def test_what_is_no_page_is_a_fault_of_the_upstream(platform: Platform, fetch: Fetch, body: bytes) -> None:
    platform.give = lambda _: (200, {}, body)
    with pytest.raises(UpstreamDown, match=r"feed permits, table permit.*page 1 is not a whole answer.*Next step"):
        fetch()


@pytest.mark.parametrize(
    "broken",
    [
        (200, {"Content-Length": "1000"}, b'{"total": 2, '),
        (200, {"Transfer-Encoding": "chunked"}, b'20\r\n{"total": 2, '),
        (200, {"Transfer-Encoding": "chunked"}, b'5\r\n{"tot\r\n'),
        (200, {"Content-Encoding": "gzip"}, b"no gzip at all"),
    ],
    ids=["shorter than announced", "in a chunk", "between chunks", "not what it is encoded as"],
)
def test_a_broken_body_is_asked_for_again(platform: Platform, fetch: Fetch, broken: Answer) -> None:
    platform.give = lambda n: broken if n == 1 else page_of(n)
    assert [p.rows for p in fetch()] == [2]
    assert len(platform.questions) == 2
    platform.give = lambda _: broken
    with pytest.raises(
        UpstreamDown, match=r"feed permits, table permit: (the answer .* broke off|no answer from).*land"
    ):
        fetch()


def test_a_token_that_expires_on_the_way_is_replaced_once(platform: Platform, fetch: Fetch) -> None:
    """A long history takes longer than a token holds."""
    expired: Answer = (401, {}, b"token expired")
    platform.give = lambda n: (
        expired if platform.shown_tokens[-1] == "Bearer token-1" and n > 1 else page_of(n, pages=3)
    )
    assert [p.rows for p in fetch()] == [2, 2, 2]
    assert platform.tokens == 2


def test_a_token_is_replaced_before_it_ends(platform: Platform, fetch: Fetch) -> None:
    platform.token_life_s = 0.0
    platform.give = lambda n: page_of(n, pages=3)
    fetch()
    assert platform.shown_tokens == ["Bearer token-1", "Bearer token-2", "Bearer token-3"]


def test_an_account_that_is_refused_for_good_is_not_asked_for_ever(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda _: (401, {}, b"no")
    for _ in range(2):
        with pytest.raises(UpstreamRefused, match="check TANHUAN_UPSTREAM_USER and TANHUAN_UPSTREAM_PASSWORD"):
            fetch()
    assert platform.tokens == 2


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (403, UpstreamRefused, "ask the platform's operator for the right"),
        (404, UpstreamRefused, "check TANHUAN_UPSTREAM_URL"),
        (400, UpstreamRefused, "published version stays"),
        (206, UpstreamRefused, "published version stays"),
        (500, UpstreamDown, "published version stays"),
        (429, UpstreamDown, "published version stays"),
    ],
)
def test_every_refusal_has_its_advice(
    platform: Platform, fetch: Fetch, status: int, error: type[TanhuanError], advice: str
) -> None:
    platform.give = lambda _: (status, {}, b"")
    with pytest.raises(error, match=rf"{platform.url} answered {status}\. Next step: .*{advice}"):
        fetch()
    assert len(platform.questions) == (2 if error.retryable else 1), "only what may change is asked again"


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_short_pause_is_kept(platform: Platform, fetch: Fetch, form: str) -> None:
    moments: list[float] = []
    # An HTTP date has whole seconds; 2 s ahead are more than 1 s.
    pause = (
        "1" if form == "seconds" else format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2), usegmt=True)
    )

    def give(n: int) -> Answer:
        moments.append(time.monotonic())
        return (429, {"Retry-After": pause}, b"") if n == 1 else page_of(n)

    platform.give = give
    assert [p.rows for p in fetch()] == [2]
    first, second = moments
    assert second - first > 0.9, "the back-off by itself is at most 0.3 s"


def test_a_pause_longer_than_a_night_waits_fails_at_once(platform: Platform, fetch: Fetch) -> None:
    platform.give = lambda _: (503, {"Retry-After": "7200"}, b"")
    with pytest.raises(
        UpstreamDown, match=r"answered 503 and asks for a pause until 20\d\d-.*after \d\d:\d\d; "
    ) as failure:
        fetch()
    back = dt.datetime.now(dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=8))) + dt.timedelta(hours=2)
    assert f"{back:%Y-%m-%d}" in str(failure.value)
    assert len(platform.questions) == 1


def test_a_request_has_an_end_however_steadily_it_drips(platform: Platform, patient: Settings) -> None:
    def drip() -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b" "

    platform.give = lambda _: (200, {"Content-Length": "1000000"}, drip())
    with (
        Upstream(change_settings(patient, request_deadline_s=0.2)) as upstream,
        pytest.raises(UpstreamDown, match=r"table permit: .* took longer than 0\.2 s.*TANHUAN_REQUEST_DEADLINE_S"),
    ):
        list(upstream.fetch_pages(PERMIT, DAY, DAY))


def test_a_platform_that_is_not_there_is_named(home: Settings) -> None:
    with serve() as gone:
        url = gone.url
    settings = change_settings(home, upstream_url=url.replace("//", "//clerk:hush@"), request_retries=0)
    with Upstream(settings) as upstream:
        assert upstream.base == url
        with pytest.raises(UpstreamDown, match=rf"feed permits, table permit: no answer from {url} .*tanhuan doctor"):
            list(upstream.fetch_pages(PERMIT, DAY, DAY))


def test_without_a_platform_the_settings_are_named(home: Settings) -> None:
    with pytest.raises(UpstreamRefused, match="TANHUAN_UPSTREAM_URL"):
        Upstream(home)


def test_a_strange_login_is_no_login(platform: Platform, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "answer", lambda _: (200, {}, b'{"token": 5, "hint": "hush"}'))
    with pytest.raises(UpstreamDown, match="answered without a token") as failure:
        fetch()
    assert failure.value.__cause__ is None


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "platform.pem"
    plain = serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_certificate_that_nobody_trusts_is_refused(patient: Settings, certificate: Path) -> None:
    with serve(str(certificate)) as secure:
        with (
            Upstream(change_settings(patient, upstream_url=secure.url)) as upstream,
            pytest.raises(UpstreamRefused, match=r"certificate of https://.* not trusted.*TANHUAN_UPSTREAM_CA_BUNDLE"),
        ):
            list(upstream.fetch_pages(PERMIT, DAY, DAY))
        assert secure.asked == []
        with Upstream(change_settings(patient, upstream_url=secure.url, upstream_ca_bundle=certificate)) as upstream:
            assert [p.rows for p in upstream.fetch_pages(PERMIT, DAY, DAY)] == [2]


def test_secrets_are_in_no_log_sentence_or_kept_address(
    platform: Platform, patient: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = change_settings(patient, upstream_url=platform.url.replace("//", "//clerk:hush@"))
    kept: list[object] = []
    with Upstream(settings) as upstream:
        platform.give = lambda n: (500, {}, PASSWORD.encode()) if n == 1 else page_of(n)
        kept += upstream.fetch_pages(BY_CURSOR.model_copy(update={"paging": "page"}), DAY, DAY)
        for status in (400, 401, 429, 503):
            platform.give = lambda _, status=status: (status, {}, PASSWORD.encode())  # type: ignore[misc]
            with pytest.raises(TanhuanError) as failure:
                list(upstream.fetch_pages(PERMIT, DAY, DAY))
            kept += [failure.value, failure.value.__cause__, failure.value.__context__]
        kept.append(upstream.base)
    said = caplog.text + "".join(f"{thing!r}{thing!s}" for thing in kept)
    assert "Trying again in" in caplog.text
    for secret in (PASSWORD, "hush", *(f"token-{n}" for n in range(1, platform.tokens + 1))):
        assert secret not in said


def test_an_export_streams_into_a_file(platform: Platform, upstream: Upstream, tmp_path: Path) -> None:
    platform.give = lambda _: (200, {"X-Row-Count": "2", "Content-Type": "application/x-ndjson"}, LINES)
    path = tmp_path / "export"
    with path.open("wb") as sink:
        export = upstream.fetch_export(SOURCE_HOUR, DAY, DAY, "ndjson", sink)
    assert path.read_bytes() == LINES
    assert (export.bytes, export.sha256) == (len(LINES), hashlib.sha256(LINES).hexdigest())
    assert (export.stated_rows, export.url) == (2, f"{platform.url}/api/v1/export/source_hour")
    assert platform.questions[0].query == {"from": "2025-12-31", "to": "2025-12-31", "format": "ndjson"}


def test_an_export_that_breaks_off_starts_again_where_its_file_stood(platform: Platform, upstream: Upstream) -> None:
    cut: Answer = (200, {"Content-Length": "1000"}, b"torn")
    platform.give = lambda n: cut if n == 1 else (200, {}, LINES)
    sink = io.BytesIO()
    sink.write(b"kept ")
    export = upstream.fetch_export(SOURCE_HOUR, DAY, DAY, "ndjson", sink)
    assert sink.getvalue() == b"kept " + LINES
    assert export.sha256 == hashlib.sha256(LINES).hexdigest()
    assert export.stated_rows is None


def test_a_sink_that_cannot_forget_gets_nothing_twice(platform: Platform, upstream: Upstream) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.taken = b""

        def write(self, chunk: bytes) -> None:
            self.taken += chunk

    sink = Pipe()
    platform.give = lambda n: (503, {}, b"") if n == 1 else (200, {"Content-Length": "1000"}, b"torn")
    with pytest.raises(
        UpstreamDown, match=r"feed monitoring, table source_hour, .*parquet export: .* broke off after 4 bytes"
    ):
        upstream.fetch_export(SOURCE_HOUR, DAY, DAY, "parquet", sink)
    assert sink.taken == b"torn"
    assert len(platform.questions) == 2


def test_an_export_beyond_the_bound_is_refused(platform: Platform, patient: Settings) -> None:
    platform.give = lambda _: (200, {}, b" " * (2 << 20))
    sink = io.BytesIO()
    with (
        Upstream(change_settings(patient, export_max_bytes=1 << 20)) as upstream,
        pytest.raises(UpstreamRefused, match=r"a body of more than 1 MiB.*TANHUAN_EXPORT_MAX_BYTES"),
    ):
        upstream.fetch_export(SOURCE_HOUR, DAY, DAY, "ndjson", sink)
    assert len(sink.getvalue()) <= 1 << 20


def test_a_full_disk_is_no_fault_of_the_upstream(platform: Platform, upstream: Upstream) -> None:
    class Full(io.BytesIO):
        def write(self, chunk: object, /) -> int:
            raise OSError(28, "No space left on device")

    platform.give = lambda _: (200, {}, LINES)
    with pytest.raises(OSError, match="No space left"):
        upstream.fetch_export(SOURCE_HOUR, DAY, DAY, "ndjson", Full())
    assert len(platform.questions) == 1


def test_a_file_has_the_name_that_its_sender_gave(platform: Platform, upstream: Upstream) -> None:
    named = {"Content-Disposition": 'attachment; filename="../../china_sites_20190101.csv"'}
    platform.give = lambda n: (200, named if n == 1 else {}, LINES)
    files = [upstream.fetch_file(get_contract("air_hour"), "cnemc_air/2019-01-01", io.BytesIO()) for _ in range(2)]
    assert [file.name if file else None for file in files] == ["china_sites_20190101.csv", "2019-01-01"]


def test_a_missing_day_is_not_a_wrong_address(platform: Platform, upstream: Upstream) -> None:
    platform.give = lambda _: (404, {}, b"") if platform.questions[-1].path.endswith("2019-04-08") else (200, {}, b"{}")
    assert upstream.fetch_file(get_contract("air_hour"), "cnemc_air/2019-04-08", io.BytesIO()) is None
    platform.give = lambda _: (404, {}, b"")
    with pytest.raises(UpstreamRefused, match=r"archive file cnemc_air/2019-04-08: .* 404\..*TANHUAN_UPSTREAM_URL"):
        upstream.fetch_file(get_contract("air_hour"), "cnemc_air/2019-04-08", io.BytesIO())


def test_a_file_that_is_known_is_not_sent_again(platform: Platform, upstream: Upstream) -> None:
    platform.give = lambda _: (304, {}, b"")
    with pytest.raises(NotModified):
        upstream.fetch_file(get_contract("air_hour"), "cnemc_air/2019-01-01", io.BytesIO(), '"v1"')
    assert platform.questions[0].headers["If-None-Match"] == '"v1"'
