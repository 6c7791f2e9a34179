"""The contract of every feed table: one YAML file a table, and its loader.

A contract is the only place where a table's columns are listed. Parquet schemas, the staging models and the data
dictionary are generated from it or tested against it. Rules about *values* are checked by `expectations/`, not here.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, model_validator

FEEDS = ("monitoring", "permits", "credit", "returns")
_FOLDER = Path(__file__).parent


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Strict):
    """A text in Chinese and English."""

    zh: str
    en: str


#: What happens when what arrives has drifted from a column. From strict to lenient:
#:
#: | policy          | the column is absent   | a value does not fit its type        |
#: |-----------------|------------------------|--------------------------------------|
#: | `freeze`        | the batch is refused   | the batch is refused                 |
#: | `refuse_row`    | the batch is refused   | the row is refused                   |
#: | `discard_value` | the batch is refused   | the value becomes NULL and is flagged |
#: | `evolve`        | it is NULL, with a note | the value becomes NULL and is flagged |
Drift = Literal["freeze", "refuse_row", "discard_value", "evolve"]


class Column(_Strict):
    """One column: DuckDB type, whether a row may lack it, unit, range of possible values and meaning.

    `range` is what can physically or formally be, ends included, null for an open end; values outside are a matter of
    the suite in `expectations/source/`, which a test holds to this range. `unsaid` is what a list means that has no
    such column at all; an empty cell stays empty.
    """

    name: str
    type: str
    required: bool
    zh: str
    en: str
    unit: str | None = None
    range: tuple[Decimal | None, Decimal | None] | None = None
    drift: Drift = "refuse_row"
    unsaid: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Column:
        assert not (self.required and self.drift in ("discard_value", "evolve")), (
            f"column {self.name}: a required column cannot be emptied, so its drift is freeze or refuse_row"
        )
        return self


class DayColumn(_Strict):
    """The column that decides a row's business day, and which end of its hour it labels."""

    column: str
    label: Literal["start", "end"]

    @property
    def shift(self) -> str:
        """SQL that moves the column into its hour.

        Ambient air labels the end of the hour: 00:00 belongs to the day before (GB 3095, HJ 663-2013 A.1).
        """
        return " - interval 1 hour" if self.label == "end" else ""


class Period(_Strict):
    """Dates of history to load first, a load a month or year; without `to` it reaches up to the night's own window."""

    from_: dt.date
    to: dt.date | None = None
    by: Literal["month", "year"] = "month"

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, data: dict) -> dict:
        return {**{k: v for k, v in data.items() if k != "from"}, "from_": data["from"]} if "from" in data else data


class Restatement(_Strict):
    """A closed period that is restated: it is pulled once more, so many days after its end."""

    period: Literal["month", "quarter"]
    after_days: int


class Settled(_Strict):
    """What stands once admitted: a change of it is no error by itself, but a person is told.

    `by` names the document, decision or version in which rows stand (snapshots); all that one of them says stays as it
    is, and a change comes with a new one. `when` tells the rows that are final (windows), e.g. {data_status: final}.
    """

    by: list[str] = []
    when: dict[str, str] = {}


class Contract(_Strict):
    """What one feed table promises.

    `mode` is `window` (rows belong to days; the last `late_window_days` are pulled again every night) or `snapshot`
    (every pull is the whole state; a file adds to it by key).
    `owner` answers for the data; `expected_by` is the time of the morning after by which it is there; without anything
    new for `stale_after_hours` it counts as stale. `may_be_empty`: an answer without a row is an answer.
    `paging` is how its pages are asked for.
    `settled` says what does not change any more once it is admitted. `volume_tolerance` is the share by which the rows
    of a day, or of a snapshot, may differ from what came before without a person being told; where fewer than
    `volume_min_rows` come, their number says nothing.
    """

    table: str
    feed: Literal["monitoring", "permits", "credit", "returns"]
    title: Text
    owner: Text
    cadence: str
    expected_by: str
    stale_after_hours: int
    mode: Literal["window", "snapshot"]
    settled: Settled | None = None
    volume_tolerance: float = 0.5
    volume_min_rows: int = 20
    may_be_empty: bool = False
    paging: Literal["page", "cursor"] = "page"
    late_window_days: int = 0
    restated: list[Restatement] = []
    day: DayColumn | None = None
    history: list[Period] = []
    key: list[str]
    refused_share_max: float
    columns: list[Column]

    @property
    def names(self) -> list[str]:
        """Column names in contract order."""
        return [c.name for c in self.columns]

    @property
    def stated_key(self) -> list[str]:
        """The columns of the key that every list has to have."""
        return [c.name for c in self.columns if c.name in self.key and c.unsaid is None]

    def type_of(self, column: str) -> str:
        """Return the DuckDB type of a column."""
        return next(c.type for c in self.columns if c.name == column)

    @model_validator(mode="after")
    def _check(self) -> Contract:
        settled = {*self.settled.by, *self.settled.when} if self.settled else set()
        missing = {*self.key, *settled} - set(self.names)
        assert not missing, f"contract {self.table}: columns {sorted(missing)} are named but not among its columns"
        assert (self.mode == "window") == (self.day is not None), (
            f"contract {self.table}: a window table names the column of its day, a snapshot does not"
        )
        return self


@lru_cache(maxsize=1)
def load_contracts() -> dict[str, Contract]:
    """Read every contract, by table name in alphabetical order."""
    contracts = [
        Contract.model_validate(yaml.safe_load(path.read_text("utf-8"))) for path in sorted(_FOLDER.glob("*.yml"))
    ]
    return {c.table: c for c in contracts}


def get_contract(table: str) -> Contract:
    """Return one table's contract; KeyError with the known names if there is none."""
    contracts = load_contracts()
    if table not in contracts:
        raise KeyError(f"no contract for table {table!r}; known tables: {', '.join(contracts)}")
    return contracts[table]


def tables_of(feed: str) -> list[str]:
    """Return the tables that a feed brings, e.g. `monitoring` -> air_hour, micro_air_hour, source_hour."""
    tables = [c.table for c in load_contracts().values() if c.feed == feed]
    if not tables:
        raise KeyError(f"no feed {feed!r}; known feeds: {', '.join(FEEDS)}")
    return tables
