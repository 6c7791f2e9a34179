"""Whatever arrives is in exactly one place: received = admitted + quarantined + unchanged, and each row can be found.

Batches are drawn: repeats, keys that contradict each other, values that do not fit, missing values, several days; then
the same again with some rows changed. The table is water_section_4h's contract and suite, its rows are synthetic.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tanhuan.admit import admit_load
from tanhuan.batch import Outcome
from tanhuan.contracts import get_contract
from tanhuan.landing import Arrival, new_load
from tanhuan.settings import Settings
from tests.intake.installation import drop, lake_rows, quarantined_rows, take_dropped

TABLE = "device_binding"
NIGHT = dt.date(2021, 3, 5)
WINDOW = "water_section_4h"
Row = dict[str, str | None]


def draw_rows() -> st.SearchStrategy[list[Row]]:
    """Rows of three sections and two days: few keys, so that they repeat and contradict each other."""
    row = st.fixed_dictionaries(
        {
            "province": st.sampled_from(["湖南省", None]),
            "section_name": st.sampled_from(["昭山", "霞湾"]),
            "measured_at": st.sampled_from(
                [
                    "2021-03-04T08:00:00+08:00",
                    "2021-03-05T08:00:00+08:00",
                    "2021-03-05T08:00:00.0+08:00",
                    "昨天",
                    "2020-01-01T00:00:00+08:00",
                ]
            ),
            "ph": st.sampled_from(["7", "7.0", "8.1", "-1", "7 左右", None]),
            "station_status": st.sampled_from(["正常", "维护"]),
        }
    )
    return st.lists(row, min_size=1, max_size=12)


def complete(row: Row) -> dict[str, Any]:
    """Return a row with every column of the contract."""
    names = get_contract(WINDOW).names
    fixed = {"basin": "长江流域", "value_form": "original", "data_status": "preliminary", "data_basis": "synthetic"}
    return dict.fromkeys(names) | fixed | row


def pull(rows: list[Row], home: Settings) -> Outcome:
    """Admit rows as if a platform had sent them for two days."""
    contract = get_contract(WINDOW)
    load = new_load(contract, NIGHT, NIGHT - dt.timedelta(days=1), NIGHT, "night", "ndjson")
    arrival = Arrival(load, home, None)
    with arrival.stream("ndjson") as sink:
        sink.write("".join(json.dumps(complete(row)) + "\n" for row in rows).encode())
    arrival.close()
    return admit_load(load, home)


def describe(row: dict[str, Any]) -> tuple:
    """Return what a row says, however its number or moment is written."""
    moment, value = row["measured_at"], row["ph"]
    try:
        moment = dt.datetime.fromisoformat(str(moment)).astimezone(dt.UTC)
    except ValueError:
        moment = str(moment)
    try:
        value = None if value is None else float(value)
    except ValueError:
        value = str(value)
    return row["province"], row["section_name"], moment, value, row["station_status"]


def find_places(home: Settings) -> Counter[tuple]:
    """Return what every row in lake or quarantine says."""
    return Counter(
        [describe(row) for row in lake_rows(WINDOW, home)]
        + [describe(json.loads(row["row_json"])) for row in quarantined_rows(WINDOW, home)]
    )


def without_discarded(said: tuple) -> tuple:
    """Return what a row says once a value that does not fit has been discarded."""
    return tuple(None if part == "7 左右" else part for part in said)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=draw_rows(), changed=draw_rows())
def test_every_row_of_a_platform_is_in_exactly_one_place(first: list[Row], changed: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Settings(home=Path(folder), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
        for rows in (first, first, first[:-1] + changed):
            outcome = pull(rows, home)
            assert outcome.received == len(rows)
            assert outcome.received == outcome.admitted + outcome.quarantined + outcome.unchanged
            found = find_places(home)
            lost = [row for row in rows if not {describe(row), without_discarded(describe(row))} & found.keys()]
            assert lost == [], f"in no place: {lost} after {outcome}"


def draw_bindings() -> st.SearchStrategy[list[list[str]]]:
    cells = st.tuples(
        st.sampled_from(["430304000000000000000001", "430304000000000000000002"]),
        st.sampled_from(["91430300MA4L00000E001P"]),
        st.sampled_from(["DA001", "DA002", "X"]),
        st.sampled_from(["2021-01-01", "2021年1月1日", "2021-02-01", "很早"]),
        st.just("synthetic"),
    )
    return st.lists(cells.map(list), min_size=1, max_size=8)


def drop_bindings(rows: list[list[str]], home: Settings) -> Outcome:
    head = ["mn_code", "permit_no", "outlet_code", "valid_from_date", "data_basis"]
    drop(TABLE, "bindings.csv", "".join(",".join(row) + "\n" for row in [head, *rows]).encode(), home)
    (outcome,) = take_dropped(TABLE, NIGHT, home)
    return outcome


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=draw_bindings(), changed=draw_bindings())
def test_every_row_of_a_dropped_file_is_in_exactly_one_place(first: list[list[str]], changed: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Settings(home=Path(folder), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
        for rows in (first, first, first[:-1] + changed):
            outcome = drop_bindings(rows, home)
            assert outcome.received == len(rows)
            assert outcome.received == outcome.admitted + outcome.quarantined + outcome.unchanged
            kept = {(r["mn_code"], r["outlet_code"], str(r["valid_from_date"])) for r in lake_rows(TABLE, home)}
            held = [json.loads(r["row_json"]) for r in quarantined_rows(TABLE, home)]
            kept |= {(r["mn_code"], r["outlet_code"], r["valid_from_date"].replace("年1月1日", "-01-01")) for r in held}
            assert {(r[0], r[2], r[3].replace("年1月1日", "-01-01")) for r in rows} <= kept
