"""Each misbehaviour of the stand-in, met after a clean night: what the operator reads, and that nothing is lost.

One test per kind of fault and way of sending: a clean night is in the lake, the platform misbehaves in the next one and
then behaves again. Whatever it did, no file of the lake changes, no other day is touched, and the night ends with the
rows of a platform that never misbehaved.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest

from tanhuan.admit import admit_loads
from tanhuan.batch import Outcome
from tanhuan.contracts import get_contract
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings
from tanhuan.standin.faults import AnyFault, Fault, SendingFault
from tests.conftest import Upstream, change_settings, copy_installation, land_table, settings_for
from tests.intake.installation import (
    forget_etag,
    quarantined_rows,
    read_days,
    read_files,
    standing_rows,
)

FIRST, SECOND = dt.date(2021, 3, 3), dt.date(2021, 3, 4)

MODELS: dict[str, type[Fault]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(AnyFault)[0])
}


@dataclass(frozen=True)
class Channel:
    """A way of sending: the stand-in's endpoint, a table that comes that way, in which form, how many rows a page."""

    endpoint: str
    table: str
    form: str
    page_rows: int = 50


CHANNELS = [
    Channel("pages", "water_section_4h", "pages"),
    Channel("cursor", "penalty", "pages", page_rows=10),
    Channel("export", "water_section_4h", "ndjson"),
    Channel("export", "water_section_4h", "parquet"),
    Channel("files", "water_section_4h", "cnemc_water"),
]
NUMBER = {"water_section_4h": "ph", "penalty": "amount_cny"}
REQUIRED = {"water_section_4h": "section_name", "penalty": "law_basis"}

#: what a misbehaviour comes to
FAILED, REFUSED, HELD, TOLD, HARMLESS = "no answer", "batch refused", "rows held", "admitted, with a note", "harmless"


@dataclass(frozen=True)
class Case:
    """A fault, what it comes to and what the operator reads; `on` limits it to some tables."""

    fault: dict[str, Any]
    becomes: str
    reads: list[str] = field(default_factory=list)
    column_of: dict[str, str] | None = None
    on: Callable[[Channel], bool] = lambda channel: True

    def fits(self, channel: Channel) -> bool:
        model = MODELS[self.fault["kind"]]
        # Both exports are sent the same way.
        is_told_by_lines = channel.form == "parquet" and issubclass(model, SendingFault)
        return channel.endpoint in model.reaches and self.on(channel) and not is_told_by_lines

    def fault_on(self, channel: Channel) -> dict[str, Any]:
        column = {"column": self.column_of[channel.table]} if self.column_of else {}
        return {"table": channel.table, **column, **self.fault}


def _is(table: str) -> Callable[[Channel], bool]:
    return lambda channel: channel.table == table


def _sends_rows(channel: Channel) -> bool:
    return channel.endpoint != "files"


STAYS = "the published version stays"
WATER, PENALTY = _is("water_section_4h"), _is("penalty")
CASES = [
    Case({"kind": "status", "status": 429}, FAILED, ["answered 429", STAYS]),
    Case({"kind": "status", "status": 429, "retry_after": 7200}, FAILED, ["asks for a pause until", STAYS]),
    Case({"kind": "status", "status": 500}, FAILED, ["answered 500", STAYS]),
    Case({"kind": "status", "status": 503}, FAILED, ["answered 503", STAYS]),
    Case({"kind": "status", "status": 403}, FAILED, ["answered 403", "right to read this table"]),
    Case({"kind": "status", "status": 404}, FAILED, ["answered 404", "TANHUAN_UPSTREAM_URL"], on=_sends_rows),
    Case({"kind": "redirect"}, FAILED, ["points to https://elsewhere.example/login; redirects are not followed"]),
    Case({"kind": "web_page"}, FAILED, ["a web page (text/html) instead of data", "in a browser"]),
    Case({"kind": "stall", "seconds": 0.5}, FAILED, ["no answer from", "Timeout", "tanhuan doctor"]),
    Case({"kind": "cut_body"}, FAILED, ["broke off after", "tanhuan doctor"]),
    Case({"kind": "short_page"}, FAILED, ["the upstream states", "nothing was admitted"]),
    Case({"kind": "lying_count"}, FAILED, ["the upstream states", "nothing was admitted"]),
    Case({"kind": "repeat_page"}, FAILED, ["rows came twice", "nothing was admitted"]),
    Case({"kind": "drop_page"}, FAILED, ["the upstream states", "nothing was admitted"]),
    Case({"kind": "rename_column", "to": "other"}, REFUSED, ["instead other: probably renamed"], NUMBER),
    Case({"kind": "drop_column"}, REFUSED, ["did not arrive", "Ask the platform"], NUMBER),
    Case({"kind": "null_column"}, REFUSED, ["is required and missing"], REQUIRED),
    Case(
        {"kind": "null_column"},
        REFUSED,
        ["ph"],
        NUMBER,
        on=WATER,
    ),
    Case({"kind": "retype_column"}, REFUSED, ["TYPE-amount_cny", "correct and resend"], NUMBER, on=PENALTY),
    Case({"kind": "retype_column"}, REFUSED, ["TYPE-ph", "values would be discarded"], NUMBER, on=WATER),
    Case({"kind": "retype_column", "to": "text"}, HARMLESS, [], NUMBER),
    Case({"kind": "retype_column", "to": "list"}, REFUSED, ["TYPE-amount_cny"], NUMBER, on=PENALTY),
    Case({"kind": "retype_column", "to": "list"}, REFUSED, ["TYPE-ph", "values would be discarded"], NUMBER, on=WATER),
    Case({"kind": "add_column", "name": "extra"}, TOLD, ["column extra is not in the contract"]),
    Case({"kind": "scale_column", "factor": 1000}, REFUSED, ["SRC-WS-030", "rows are refused"], NUMBER, on=WATER),
    Case({"kind": "scale_column", "factor": 1000}, REFUSED, ["SRC-PN-120", "万元"], NUMBER, on=PENALTY),
    Case({"kind": "bad_rows", "share": 0.04}, HELD, ["SRC-WS-030", "then resend"], NUMBER, on=WATER),
    Case({"kind": "bad_rows", "share": 0.04}, HELD, ["SRC-PN-050", "cannot be negative"], NUMBER, on=PENALTY),
    Case({"kind": "bad_rows", "share": 0.5}, REFUSED, ["more than the 5% that the contract"], NUMBER),
    *(
        Case(
            {"kind": "shift_time_zone", "labelled": label},
            REFUSED,
            ["check the platform's time zone"],
            on=WATER,
        )
        for label in ("nothing", "+08:00")
    ),
    Case({"kind": "shift_time_zone"}, HARMLESS, on=PENALTY),
    Case({"kind": "resend_old"}, HARMLESS),
]


def _list_tests() -> Iterator[Any]:
    for channel in CHANNELS:
        for case in filter(lambda case: case.fits(channel), CASES):
            name = "-".join([channel.table, channel.form, *(str(v) for v in case.fault.values()), case.becomes])
            # One table with pages stands for all in the fast tests.
            marks = [] if (channel.table, channel.form) == ("penalty", "pages") else [pytest.mark.slow]
            yield pytest.param(channel, case, id=name, marks=marks)


@pytest.fixture(scope="module")
def clean(standin: Upstream, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[Channel, dt.date], Settings]:
    """Installations with one clean night, and with the next one too, by channel and last night."""
    standin.behave()
    installations: dict[tuple[Channel, dt.date], Settings] = {}
    for channel in CHANNELS:
        home = tmp_path_factory.mktemp(f"{channel.table}-{channel.form}")
        first = change_settings(
            settings_for(standin, home / "first"),
            forms={channel.table: channel.form},
            page_rows=channel.page_rows,
            request_timeout_s=0.4,
            request_retries=0,
        )
        take_in(channel.table, FIRST, first)
        # A conditional request would be answered 304 before most faults show.
        forget_etag(channel.table, first)
        both = copy_installation(first, home / "both")
        take_in(channel.table, SECOND, both)
        installations |= {(channel, FIRST): first, (channel, SECOND): both}
    return installations


def take_in(table: str, key: dt.date, settings: Settings) -> Outcome:
    (outcome,) = admit_loads(land_table(table, key, settings), settings)
    return outcome


@pytest.mark.parametrize(("channel", "case"), list(_list_tests()))
def test_after_a_misbehaviour(
    clean: dict[tuple[Channel, dt.date], Settings],
    upstream: Upstream,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    channel: Channel,
    case: Case,
) -> None:
    table, contract = channel.table, get_contract(channel.table)
    settings = copy_installation(clean[channel, FIRST], tmp_path / "home")
    lake, days = read_files(settings.lake), read_days(table, settings)

    upstream.misbehave(case.fault_on(channel))
    outcome = None
    with caplog.at_level(logging.WARNING):
        try:
            outcome = take_in(table, SECOND, settings)
        except TanhuanError as failure:
            read = str(failure)
            assert " Next step: " in read
            assert f"feed {contract.feed}" in read
            assert f"table {table}" in read
            assert "SECRET" not in read
        else:
            read = "\n".join([caplog.text, *outcome.notes])

    assert [part for part in case.reads if part not in read] == [], read
    after = read_files(settings.lake)
    assert {name: after[name] for name in lake} == lake, "what was admitted stays as it is"
    held = quarantined_rows(table, settings)
    if outcome is None:
        assert case.becomes in (FAILED, REFUSED)
        assert (after, read_days(table, settings)) == (lake, days), "nothing entered"
        assert bool(held) == (case.becomes == REFUSED), "a refused batch is kept for a person, a failed pull is not"
    else:
        assert case.becomes in (HELD, TOLD, HARMLESS)
        untouched = days.keys() - outcome.content.keys()
        assert {day: read_days(table, settings)[day] for day in untouched} == {day: days[day] for day in untouched}
        assert len(held) == outcome.quarantined
        assert bool(held) == (case.becomes == HELD)

    upstream.behave()
    take_in(table, SECOND, settings)
    asked_for = {day for day, _ in standing_rows(table, clean[channel, SECOND])}
    standing = {row for row in standing_rows(table, settings) if row[0] in asked_for}
    assert standing == standing_rows(table, clean[channel, SECOND]), "the same night goes through"


def test_every_kind_of_fault_is_met_wherever_it_can_be_made() -> None:
    met = {(case.fault["kind"], channel.endpoint) for channel in CHANNELS for case in CASES if case.fits(channel)}
    assert met == {(kind, end) for kind, model in MODELS.items() for end in model.reaches - {"token"}}


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "cut_body"}, {"kind": "web_page"}], ids=str
)
def test_a_login_that_fails_names_the_table_and_passes(
    clean: dict[tuple[Channel, dt.date], Settings], upstream: Upstream, tmp_path: Path, fault: dict[str, Any]
) -> None:
    channel = CHANNELS[0]
    settings = copy_installation(clean[channel, FIRST], tmp_path / "home")
    before = read_files(settings.lake)
    upstream.misbehave({**fault, "endpoint": "token", "times": 1})
    with pytest.raises(TanhuanError, match=f"feed monitoring, table {channel.table}.*Next step"):
        take_in(channel.table, SECOND, settings)
    assert read_files(settings.lake) == before
    assert take_in(channel.table, SECOND, settings).state == "admitted"
