"""The protocol over real HTTP: token, pages that add up, and every way to misbehave."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from tanhuan.contracts import get_contract, load_contracts
from tanhuan.standin.platform import Platform
from tanhuan.standin.server import make_app, make_server, play, serve

USER, PASSWORD = "clerk", "loopback only"
DAY = "2026-09-17"


class Client:
    """Asks a running stand-in the way the feeds do."""

    def __init__(self, url: str) -> None:
        self.url = url
        answer = requests.post(f"{url}/api/token", json={"user": USER, "password": PASSWORD}, timeout=5)
        answer.raise_for_status()
        assert answer.json()["expires_in"] > 0
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def ask(
        self, path: str, parameters: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        return requests.get(
            f"{self.url}/api/v1/{path}", params=parameters, headers=self.headers | (headers or {}), timeout=10
        )

    def get(self, table: str, first: str = DAY, last: str = DAY, timeout: float = 10, **more: int) -> requests.Response:
        return requests.get(
            f"{self.url}/api/v1/tables/{table}",
            params={"from": first, "to": last} | {name: str(value) for name, value in more.items()},
            headers=self.headers,
            timeout=timeout,
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        answer = self.get(table)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json(parse_float=Decimal)["rows"]
        return rows

    def misbehave(self, *faults: dict[str, Any]) -> None:
        answer = self.tell(*faults)
        assert answer.ok, answer.text
        assert answer.json() == {"faults": len(faults)}

    def tell(self, *faults: dict[str, Any]) -> requests.Response:
        return requests.put(f"{self.url}/control/faults", json=list(faults), headers=self.headers, timeout=5)


@pytest.fixture(scope="module")
def url(platform: Platform) -> Iterator[str]:
    server = make_server(make_app(platform, USER, PASSWORD), "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started, "the stand-in did not start within 10 s"
    yield server.url
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def session(url: str) -> Client:
    return Client(url)


@pytest.fixture
def client(session: Client) -> Iterator[Client]:
    """A client of a stand-in whose faults end with the test."""
    yield session
    requests.delete(f"{session.url}/control/faults", headers=session.headers, timeout=5).raise_for_status()


def test_nothing_but_health_without_a_token(url: str) -> None:
    assert requests.get(f"{url}/health", timeout=5).status_code == 200
    table = f"{url}/api/v1/tables/permit"
    parameters = {"from": DAY, "to": DAY}
    assert requests.get(table, params=parameters, timeout=5).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert requests.get(table, params=parameters, headers=wrong, timeout=5).status_code == 401
    assert requests.put(f"{url}/control/faults", json=[], headers=wrong, timeout=5).status_code == 401
    assert requests.delete(f"{url}/control/faults", timeout=5).status_code == 401


@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("wrong", PASSWORD), ("", ""), ("文", "密")])
def test_a_wrong_account_gets_no_token(url: str, user: str, password: str) -> None:
    answer = requests.post(f"{url}/api/token", json={"user": user, "password": password}, timeout=5)
    assert answer.status_code == 401
    assert "token" not in answer.json()


@pytest.mark.parametrize("table", list(load_contracts()))
def test_every_table_is_served_in_contract_order(client: Client, table: str) -> None:
    answer = client.get(table, page_size=50)
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert (body["table"], body["page"]) == (table, 1)
    assert len(body["rows"]) == min(50, body["total"])
    assert all(list(row) == get_contract(table).names for row in body["rows"])


def test_pages_add_up_to_the_stated_total(client: Client) -> None:
    whole = client.get("source_hour").json()
    assert whole["pages"] == 1
    pages = [client.get("source_hour", page=n, page_size=2000).json() for n in (1, 2, 3)]
    assert {page["total"] for page in pages} == {whole["total"]}
    assert {page["pages"] for page in pages} == {3}
    assert [row for page in pages for row in page["rows"]] == whole["rows"]
    beyond = client.get("source_hour", page=4, page_size=2000).json()
    assert (beyond["rows"], beyond["total"]) == ([], whole["total"])


def test_values_travel_unchanged(client: Client, platform: Platform) -> None:
    row = client.rows("air_hour")[0]
    assert re.fullmatch(r"2026-09-17T01:00:00\+08:00", row["hour_end"])
    assert isinstance(row["pm25_ug_m3"], Decimal)
    assert client.rows("permit")[0]["zone_code"] in (None, "430371", "430373")
    limits = [row["limit_value"] for row in client.rows("permit_limit")]
    assert all(isinstance(value, Decimal) for value in limits)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", client.rows("permit")[0]["issued_date"])


def test_a_snapshot_is_the_same_every_night(client: Client) -> None:
    one, other = client.get("permit", "2025-03-01", "2025-03-01"), client.get("permit", "2026-11-19", "2026-11-19")
    assert one.content == other.content


def test_tomorrow_is_empty(client: Client) -> None:
    body = client.get("air_hour", "2026-11-21", "2026-11-22").json()
    assert (body["total"], body["pages"], body["rows"]) == (0, 1, [])


def test_nonsense_is_refused_with_a_reason(client: Client) -> None:
    unknown = client.get("no_such_table")
    assert unknown.status_code == 404
    assert "source_hour" in unknown.json()["detail"]
    assert client.get("permit", "2026-09-18", "2026-09-17").status_code == 422
    assert client.get("permit", "soon", "later").status_code == 422
    assert client.get("permit", page=0).status_code == 422


def test_rename_column_shows_another_name(client: Client) -> None:
    client.misbehave({"table": "air_hour", "kind": "rename_column", "column": "pm25_ug_m3", "to": "pm2_5"})
    names = list(client.rows("air_hour")[0])
    assert names == [n if n != "pm25_ug_m3" else "pm2_5" for n in get_contract("air_hour").names]
    assert "pm2_5" not in client.rows("micro_air_hour")[0]


def test_drop_column_leaves_it_out(client: Client) -> None:
    client.misbehave({"table": "permit", "kind": "drop_column", "column": "county_code"})
    assert list(client.rows("permit")[0]) == [n for n in get_contract("permit").names if n != "county_code"]


def test_null_column_empties_it(client: Client) -> None:
    client.misbehave({"table": "permit", "kind": "null_column", "column": "county_code"})
    assert {row["county_code"] for row in client.rows("permit")} == {None}


def test_scale_column_changes_the_unit(client: Client) -> None:
    before = [row["co_mg_m3"] for row in client.rows("air_hour")]
    client.misbehave({"table": "air_hour", "kind": "scale_column", "column": "co_mg_m3", "factor": 1000})
    after = [row["co_mg_m3"] for row in client.rows("air_hour")]
    assert any(value is not None for value in before)
    assert after == [None if value is None else value * 1000 for value in before]


def test_bad_rows_spoils_a_share_of_the_rows(client: Client) -> None:
    client.misbehave({"table": "source_hour", "kind": "bad_rows", "column": "avg_value", "share": 0.02})
    values = [row["avg_value"] for row in client.rows("source_hour")]
    negative = sum(value is not None and value < 0 for value in values)
    assert negative == len(values) // 50


def test_bad_rows_chooses_a_column_if_none_is_named(client: Client) -> None:
    client.misbehave({"table": "air_hour", "kind": "bad_rows", "share": 0.1})
    assert any(row["pm25_ug_m3"] is not None and row["pm25_ug_m3"] < 0 for row in client.rows("air_hour"))


def test_short_page_falls_short_of_the_total(client: Client) -> None:
    honest = client.get("permit").json()
    client.misbehave({"table": "permit", "kind": "short_page", "share": 0.5})
    short = client.get("permit").json()
    assert short["total"] == honest["total"]
    assert short["rows"] == honest["rows"][: len(short["rows"])]
    assert len(short["rows"]) == honest["total"] - round(honest["total"] * 0.5)


def test_lying_count_states_more_than_there_is(client: Client) -> None:
    honest = client.get("permit").json()
    client.misbehave({"table": "permit", "kind": "lying_count"})
    lying = client.get("permit").json()
    assert lying["rows"] == honest["rows"]
    assert lying["total"] > honest["total"]


def test_status_lasts_for_so_many_requests(client: Client) -> None:
    client.misbehave({"table": "permit", "kind": "status", "status": 429, "times": 2})
    assert client.get("air_hour").status_code == 200
    assert [client.get("permit").status_code for _ in range(3)] == [429, 429, 200]


def test_a_fault_without_a_table_hits_every_table(client: Client) -> None:
    client.misbehave({"kind": "status", "status": 503})
    assert {client.get(table).status_code for table in load_contracts()} == {503}


def test_stall_outlasts_a_patient_client(client: Client) -> None:
    client.misbehave({"table": "permit", "kind": "stall", "seconds": 0.8, "times": 1})
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.get("permit", timeout=0.2)
    assert client.get("permit", timeout=5).status_code == 200


def test_cut_body_breaks_the_connection(client: Client) -> None:
    client.misbehave({"table": "permit", "kind": "cut_body", "times": 1})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        client.get("permit")
    assert client.get("permit").status_code == 200


def test_a_cursor_leads_through_all_pages(client: Client) -> None:
    whole = client.get("source_hour").json()["rows"]
    rows, cursor = [], None
    for _ in range(10):
        # requests leaves out what is None.
        asked = {"from": DAY, "to": DAY, "page_size": 2000, "cursor": cursor}
        body = client.ask("tables/source_hour/cursor", asked).json()
        assert body["total"] == len(whole)
        rows += body["rows"]
        cursor = body["next"]
        if cursor is None:
            break
    assert rows == whole
    assert client.ask("tables/source_hour/cursor", {"from": DAY, "to": DAY, "cursor": "!"}).status_code == 422


def test_only_a_snapshot_may_be_asked_without_days(client: Client) -> None:
    assert client.ask("tables/permit").json() == client.get("permit").json()
    for path in ("tables/air_hour", "tables/air_hour/cursor", "export/air_hour"):
        assert client.ask(path).status_code == 422


def test_an_etag_holds_while_nothing_changes(client: Client) -> None:
    etags = {day: client.get("air_hour", day, day).headers["ETag"] for day in ("2026-09-16", "2026-09-17")}
    assert len(set(etags.values())) == 2
    days = {"from": DAY, "to": DAY}
    known = {"If-None-Match": etags[DAY]}
    assert client.get("air_hour", page_size=10).headers["ETag"] == etags[DAY], "of the whole answer, not of a page"
    answer = client.ask("tables/air_hour", days, known)
    assert (answer.status_code, answer.content) == (304, b"")
    client.misbehave({"table": "air_hour", "kind": "rename_column", "column": "aqi", "to": "api"})
    assert client.ask("tables/air_hour", days, known).status_code == 200


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_an_export_states_its_rows(client: Client, form: str) -> None:
    honest = client.get("permit").json()
    answer = client.ask("export/permit", {"format": form})
    assert int(answer.headers["X-Row-Count"]) == honest["total"]
    if form == "ndjson":
        assert [json.loads(line, parse_float=Decimal) for line in answer.content.splitlines()] == client.rows("permit")
    else:
        assert answer.content[:4] == answer.content[-4:] == b"PAR1"
        assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_files_exist_by_day(client: Client) -> None:
    assert client.ask("files/cnemc_air").json()["first"] == "2019-01-01"
    for path, name in (
        ("cnemc_air/2019-01-01", "china_sites_20190101.csv"),
        ("cnemc_water/2020-12-31", "2020-12-31.json"),
        ("hj212/2025-12-31", "hj212_20251231.bin"),
    ):
        answer = client.ask(f"files/{path}")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert client.ask(f"files/{path}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    for path in ("cnemc_air/2019-04-08", "cnemc_air/2018-12-31", "cnemc_air/2030-01-01", "moon", "moon/2019-01-01"):
        assert client.ask(f"files/{path}").status_code == 404
    assert client.ask("files/cnemc_air/yesterday").status_code == 422


def test_keys_and_forms_need_the_token_too(client: Client) -> None:
    keys = client.ask("hj212/keys").json()
    assert keys
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys.values())
    assert client.ask("forms/penalty.xlsx").content[:2] == b"PK"
    assert "罚款金额（万元）" in client.ask("forms/penalty.csv").content.decode("gb18030")
    assert client.ask("forms/air_hour.xlsx").status_code == 404
    for path in ("hj212/keys", "forms/penalty.csv", "files/cnemc_air/2019-01-01", "export/permit"):
        assert requests.get(f"{client.url}/api/v1/{path}", timeout=5).status_code == 401


def test_a_fault_hits_the_endpoint_and_page_that_it_names(client: Client) -> None:
    client.misbehave(
        {"endpoint": "export", "kind": "status", "status": 500}, {"page": 2, "kind": "status", "status": 501}
    )
    assert client.ask("export/permit").status_code == 500
    assert client.get("permit").status_code == 200
    assert client.get("permit", page=2).status_code == 501
    assert client.ask("files/cnemc_air/2019-01-01").status_code == 200


def test_a_page_is_repeated_or_dropped(client: Client) -> None:
    def pages() -> list[dict[str, Any]]:
        return [client.get("permit", page=n, page_size=10).json() for n in (1, 2, 3, 4)]

    honest = pages()
    client.misbehave({"table": "permit", "kind": "repeat_page", "page": 3})
    repeating = pages()
    assert [page["rows"] for page in repeating] == [honest[n]["rows"] for n in (0, 1, 1, 3)]
    client.misbehave({"table": "permit", "kind": "drop_page", "page": 2})
    dropping = pages()
    assert [page["rows"] for page in dropping] == [honest[n]["rows"] for n in (0, 2, 3)] + [[]]
    assert {page["pages"] for page in dropping} == {honest[0]["pages"] - 1}


def test_the_login_can_fail_for_a_while_only(client: Client) -> None:
    assert client.tell({"endpoint": "token", "kind": "status"}).status_code == 422
    client.misbehave({"endpoint": "token", "kind": "status", "times": 1})
    login = {"user": USER, "password": PASSWORD}
    answers = [requests.post(f"{client.url}/api/token", json=login, timeout=5).status_code for _ in range(2)]
    assert answers == [503, 200]


def test_it_plays_any_day_it_is_told(platform: Platform) -> None:
    day = dt.date(2019, 3, 1)
    moment = play(day)
    assert (moment.date(), moment.utcoffset()) == (day, dt.timedelta(hours=8))
    with pytest.raises(ValueError, match="2019-01-01"):
        serve("127.0.0.1", 0, USER, PASSWORD, today=dt.date(2018, 12, 31))


def test_faults_end_when_told(client: Client) -> None:
    client.misbehave({"table": "permit", "kind": "status"})
    assert client.get("permit").status_code == 503
    requests.delete(f"{client.url}/control/faults", headers=client.headers, timeout=5).raise_for_status()
    assert client.get("permit").status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"table": "permit", "kind": "explode"},
        {"table": "no_such_table", "kind": "status"},
        {"table": "permit", "kind": "drop_column", "column": "no_such_column"},
        {"table": "permit", "kind": "scale_column", "column": "county_code", "factor": 2},
        {"table": "permit", "kind": "bad_rows"},
        {"kind": "drop_column", "column": "county_code"},
        {"table": "permit", "kind": "status", "status": 200},
        {"table": "permit", "kind": "status", "colour": "red"},
        {"table": "permit", "kind": "rename_column", "column": "county_code", "to": "x' from permit --"},
        {"table": "permit", "kind": "drop_column", "column": "county_code", "endpoint": "files"},
        {"kind": "repeat_page", "page": 1},
        {"kind": "repeat_page", "endpoint": "export"},
        {"kind": "status", "endpoint": "moon"},
    ],
)
def test_faults_that_make_no_sense_are_refused(client: Client, fault: dict[str, Any]) -> None:
    assert client.tell(fault).status_code == 422
    assert client.get("permit").status_code == 200


def test_the_process_says_where_it_is_and_keeps_its_secrets() -> None:
    environment = {**os.environ, "TANHUAN_UPSTREAM_USER": USER, "TANHUAN_UPSTREAM_PASSWORD": PASSWORD}
    process = subprocess.Popen(
        [sys.executable, "-m", "tanhuan.cli", "standin", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.fullmatch(r"stand-in ready at (http://127\.0\.0\.1:\d+)\n", line)
        assert found, line
        client = Client(found[1])
        assert client.get("permit").json()["total"] == 37
        token = client.headers["Authorization"].split()[1]
    finally:
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert not any(secret in out + err for secret in (PASSWORD, token))


def test_no_password_no_server() -> None:
    with pytest.raises(ValueError, match="TANHUAN_UPSTREAM_PASSWORD"):
        serve("127.0.0.1", 0, USER, "")
