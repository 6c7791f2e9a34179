"""Every way in which the stand-in can misbehave: what the operator reads, or how the answer differs if nobody can tell.

Faults of what a page says (columns, units, time zones, old rows) pass the client on purpose: it keeps the bytes that
came, and the gate judges them.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from tanhuan.contracts import Contract, get_contract
from tanhuan.errors import ShortAnswer, TanhuanError, UpstreamDown, UpstreamRefused
from tanhuan.feeds.upstream import NotModified, Upstream
from tests.conftest import Upstream as Standin
from tests.conftest import change_settings, settings_for

DAY = dt.date(2019, 11, 20)
TABLE, FEED = "source_hour", "monitoring"
WHERE = f"feed {FEED}, table {TABLE}, days 2019-11-20 to 2019-11-20"
CONTRACTS = [get_contract(TABLE), get_contract(TABLE).model_copy(update={"paging": "cursor"})]
STYLES = pytest.mark.parametrize("contract", CONTRACTS, ids=["page", "cursor"])
PAGING = "nothing was admitted and the published version stays"


@pytest.fixture
def client(upstream: Standin, tmp_path: Any) -> Iterator[Upstream]:
    """A client that asks for small pages, tries once more and loses patience after a second."""
    settings = change_settings(settings_for(upstream, tmp_path), page_rows=1000, request_timeout_s=1.0)
    with Upstream(settings) as client:
        yield client


def read_rows(client: Upstream, contract: Contract) -> list[dict[str, Any]]:
    return [row for page in client.fetch_pages(contract, DAY, DAY) for row in json.loads(page.body)["rows"]]


@STYLES
def test_without_faults_pages_add_up_in_either_style(client: Upstream, contract: Contract) -> None:
    pages = list(client.fetch_pages(contract, DAY, DAY))
    assert len(pages) > 2
    assert sum(page.rows for page in pages) == pages[0].stated_total


@STYLES
def test_an_answer_is_known_by_its_first_pages_etag(client: Upstream, upstream: Standin, contract: Contract) -> None:
    etag = next(client.fetch_pages(contract, DAY, DAY)).headers["ETag"]
    with pytest.raises(NotModified):
        next(client.fetch_pages(contract, DAY, DAY, etag))
    upstream.misbehave({"table": TABLE, "kind": "scale_column", "column": "avg_value", "factor": 1.5})
    assert next(client.fetch_pages(contract, DAY, DAY, etag)).headers["ETag"] != etag


@STYLES
@pytest.mark.parametrize(
    ("fault", "error", "parts"),
    [
        (
            {"kind": "short_page"},
            ShortAnswer,
            ["the upstream states", "rows but sent", PAGING, "paging of source_hour"],
        ),
        ({"kind": "short_page", "page": 2}, ShortAnswer, ["rows but sent", PAGING]),
        ({"kind": "lying_count"}, ShortAnswer, ["the upstream states", "rows but sent", PAGING]),
        ({"kind": "lying_count", "page": 2}, ShortAnswer, ["stated total changed from", "between pages 1 and 2"]),
        ({"kind": "repeat_page"}, ShortAnswer, ["1000 rows came twice", "as many are missing", PAGING]),
        ({"kind": "drop_page"}, ShortAnswer, ["the upstream states", "rows but sent", PAGING]),
        ({"kind": "status", "status": 429}, UpstreamDown, ["answered 429", "clear the red `land` task"]),
        ({"kind": "status", "status": 429, "retry_after": 3600}, UpstreamDown, ["asks for a pause until", "after"]),
        ({"kind": "status", "status": 500}, UpstreamDown, ["answered 500", "the published version stays"]),
        ({"kind": "status", "status": 403}, UpstreamRefused, ["answered 403", "ask the platform's operator"]),
        ({"kind": "stall", "seconds": 1.5}, UpstreamDown, ["no answer from", "Timeout", "tanhuan doctor"]),
        ({"kind": "cut_body"}, UpstreamDown, ["broke off after", "bytes", "tanhuan doctor"]),
        ({"kind": "cut_body", "page": 2}, UpstreamDown, ["broke off after", "bytes"]),
        ({"kind": "redirect"}, UpstreamRefused, ["answered 302 and points to https://elsewhere.example/login;"]),
        ({"kind": "web_page"}, UpstreamDown, ["a web page (text/html) instead of data", "in a browser"]),
    ],
    ids=lambda value: "-".join(str(part) for part in value.values()) if isinstance(value, dict) else "",
)
def test_what_the_operator_reads(
    client: Upstream,
    upstream: Standin,
    contract: Contract,
    fault: dict[str, Any],
    error: type[TanhuanError],
    parts: list[str],
) -> None:
    upstream.misbehave({"table": TABLE, **fault})
    with pytest.raises(error) as failure:
        read_rows(client, contract)
    sentence = str(failure.value)
    assert sentence.startswith(f"{WHERE}: ")
    assert " Next step: " in sentence
    assert [part for part in parts if part not in sentence] == [], sentence
    assert "SECRET" not in sentence


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429, "retry_after": 0},
        {"kind": "stall", "seconds": 1.5},
        {"kind": "cut_body"},
        {"kind": "cut_body", "page": 2},
        {"kind": "status", "status": 502, "endpoint": "token"},
        {"kind": "cut_body", "endpoint": "token"},
    ],
    ids=lambda fault: "-".join(str(part) for part in fault.values()),
)
def test_what_passes_by_itself_is_tried_again(client: Upstream, upstream: Standin, fault: dict[str, Any]) -> None:
    honest = read_rows(client, CONTRACTS[0])
    # A login is no request of a table, and a new session needs one.
    table = {} if fault.get("endpoint") == "token" else {"table": TABLE}
    upstream.misbehave({**table, **fault, "times": 1})
    client._transport._token = None
    assert read_rows(client, CONTRACTS[0]) == honest


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        (
            {"kind": "retype_column", "column": "avg_value"},
            lambda row: row["avg_value"] is None or str(row["avg_value"]).endswith(" mg/L"),
        ),
        (
            {"kind": "retype_column", "column": "avg_value", "to": "list"},
            lambda row: isinstance(row["avg_value"], list),
        ),
        ({"kind": "add_column", "name": "operator_note"}, lambda row: list(row)[-1] == "operator_note"),
        ({"kind": "shift_time_zone"}, lambda row: row["hour_start"][:11] in ("2019-11-19T", "2019-11-20T")),
        (
            {"kind": "shift_time_zone", "labelled": "+08:00"},
            lambda row: row["hour_start"].endswith("+08:00") and row["hour_start"] < "2019-11-20T16",
        ),
    ],
    ids=["with unit", "list", "add", "unlabelled", "mislabelled"],
)
def test_what_rows_say_is_kept_for_the_gate(
    client: Upstream, upstream: Standin, fault: dict[str, Any], change: Any
) -> None:
    honest = read_rows(client, CONTRACTS[0])
    upstream.misbehave({"table": TABLE, **fault})
    bent = read_rows(client, CONTRACTS[0])
    assert len(bent) == len(honest)
    assert bent != honest
    assert all(change(row) for row in bent)


def test_old_rows_come_along(client: Upstream, upstream: Standin) -> None:
    honest = read_rows(client, CONTRACTS[0])
    upstream.misbehave({"table": TABLE, "kind": "resend_old", "days": 2})
    bent = read_rows(client, CONTRACTS[0])
    assert {row["hour_start"][:10] for row in bent} == {"2019-11-18", "2019-11-19", "2019-11-20"}
    assert all(row in bent for row in honest[:50])


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_an_export_says_the_same_as_the_pages(client: Upstream, form: Any, tmp_path: Any) -> None:
    path = tmp_path / form
    with path.open("wb") as sink:
        export = client.fetch_export(CONTRACTS[0], DAY, DAY, form, sink)
    reader = "read_json" if form == "ndjson" else "read_parquet"
    options = ", format = 'newline_delimited'" if form == "ndjson" else ""
    with duckdb.connect() as con:
        [(rows, mass)] = con.execute(
            f"select count(*), round(sum(total_value), 2) from {reader}('{path}'{options})"
        ).fetchall()
    pages = read_rows(client, CONTRACTS[0])
    assert rows == export.stated_rows == len(pages)
    assert float(mass) == pytest.approx(sum(row["total_value"] or 0 for row in pages), abs=0.01)
    assert export.bytes == path.stat().st_size


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
@pytest.mark.parametrize(
    ("fault", "error", "part"),
    [
        ({"kind": "cut_body"}, UpstreamDown, "broke off after"),
        ({"kind": "status", "status": 503}, UpstreamDown, "answered 503"),
        ({"kind": "web_page"}, UpstreamDown, "a web page"),
        ({"kind": "redirect"}, UpstreamRefused, "points to https://elsewhere.example/login"),
    ],
    ids=["cut", "503", "web page", "redirect"],
)
def test_what_the_operator_reads_of_an_export(
    client: Upstream, upstream: Standin, form: Any, fault: dict[str, Any], error: type[TanhuanError], part: str
) -> None:
    upstream.misbehave({"table": TABLE, "endpoint": "export", **fault})
    with pytest.raises(error, match=part) as failure:
        client.fetch_export(CONTRACTS[0], DAY, DAY, form, io.BytesIO())
    assert str(failure.value).startswith(f"{WHERE}, {form} export: ")
    assert len(read_rows(client, CONTRACTS[0])) > 0, "the pages are well"


def test_a_short_export_states_more_than_it_brings(client: Upstream, upstream: Standin) -> None:
    for fault in ({"kind": "short_page"}, {"kind": "lying_count"}):
        upstream.misbehave({"table": TABLE, **fault})
        sink = io.BytesIO()
        export = client.fetch_export(CONTRACTS[0], DAY, DAY, "ndjson", sink)
        assert export.stated_rows
        assert sink.getvalue().count(b"\n") < export.stated_rows


def test_files_of_a_day_and_days_without_one(client: Upstream, upstream: Standin) -> None:
    sink = io.BytesIO()
    export = client.fetch_file(get_contract("air_hour"), "cnemc_air/2019-01-01", sink)
    assert export
    assert export.name == "china_sites_20190101.csv"
    with pytest.raises(NotModified):
        client.fetch_file(get_contract("air_hour"), "cnemc_air/2019-01-01", io.BytesIO(), export.headers["ETag"])
    assert client.fetch_file(get_contract("air_hour"), "cnemc_air/2019-04-08", io.BytesIO()) is None
    with pytest.raises(UpstreamRefused, match=r"archive file moon/2019-01-01: .* answered 404"):
        client.fetch_file(get_contract("air_hour"), "moon/2019-01-01", io.BytesIO())
    upstream.misbehave({"endpoint": "files", "kind": "cut_body", "times": 1})
    again = io.BytesIO()
    resent = client.fetch_file(get_contract("air_hour"), "cnemc_air/2019-01-01", again)
    assert resent
    assert (again.getvalue(), resent.sha256) == (sink.getvalue(), export.sha256)
