"""The contract of every feed table: one YAML file a table, and its loader.

A contract is the only place where a table's columns are listed. Parquet schemas, the staging models and the data
dictionary are generated from it or tested against it. Rules about *values* belong to `expectations/`, not here.
"""

from __future__ import annotations

import datetime as dt
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


class Column(_Strict):
    """One column: DuckDB type, whether a row may lack it, unit and meaning."""

    name: str
    type: str
    required: bool
    zh: str
    en: str
    unit: str | None = None


class DayColumn(_Strict):
    """The column that decides a row's business day, and which end of its hour it labels."""

    column: str
    label: Literal["start", "end"]


class Period(_Strict):
    """Dates of history to load first; without `to` it reaches up to the night's own window."""

    from_: dt.date
    to: dt.date | None = None

    @model_validator(mode="before")
    @classmethod
    def _rename(cls, data: dict) -> dict:
        return {"from_": data["from"], "to": data.get("to")} if "from" in data else data


class Contract(_Strict):
    """What one feed table promises.

    `mode` is `window` (rows belong to days; the last `window_days` are pulled again every night) or `snapshot`
    (every pull is the whole state).
    """

    table: str
    feed: Literal["monitoring", "permits", "credit", "returns"]
    title: Text
    cadence: str
    mode: Literal["window", "snapshot"]
    window_days: int = 0
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
    def required_names(self) -> list[str]:
        """Columns that every row must have."""
        return [c.name for c in self.columns if c.required]

    @model_validator(mode="after")
    def _check(self) -> Contract:
        missing = set(self.key) - set(self.names)
        assert not missing, f"contract {self.table}: key columns {sorted(missing)} are not among its columns"
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
