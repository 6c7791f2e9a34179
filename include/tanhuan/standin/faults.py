"""How the stand-in can be told to misbehave: each kind of fault is a model that bends one answer.

Belongs here: what a fault is, and the book of faults in force. A fault changes the columns of a page, its length, its
stated total, or the way it is sent. Does not belong here: sending (`server.py`). Nothing misbehaves unless told to.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from tanhuan.contracts import Contract, get_contract, load_contracts

Share = Annotated[float, Field(gt=0, le=1)]


@dataclass
class Reply:
    """A page about to be sent. Faults change it; without faults it tells the truth."""

    contract: Contract
    #: Name shown → SQL expression over the answer's rows.
    columns: dict[str, str]
    count: int
    total: int
    status: int = 200
    stall_s: float = 0.0
    cut_body: bool = False


class Fault(BaseModel, ABC):
    """A fault of one table (of every table if none is named), for so many requests (for ever if no number is given)."""

    model_config = ConfigDict(extra="forbid")

    table: str | None = None
    times: int | None = Field(default=None, ge=1)

    @field_validator("table")
    @classmethod
    def _known(cls, table: str | None) -> str | None:
        if table is not None and table not in load_contracts():
            raise ValueError(f"no table {table!r}; known tables: {', '.join(load_contracts())}")
        return table

    @abstractmethod
    def bend(self, reply: Reply) -> None:
        """Change the reply."""


class ColumnFault(Fault):
    """A fault of one column; the table must be named, so that the column can be checked."""

    table: str
    column: str

    @model_validator(mode="after")
    def _has_column(self) -> ColumnFault:
        names = get_contract(self.table).names
        if self.column not in names:
            raise ValueError(f"table {self.table} has no column {self.column!r}; it has: {', '.join(names)}")
        return self


class RenameColumn(ColumnFault):
    """The upstream renamed a column without telling."""

    kind: Literal["rename_column"]
    to: str

    def bend(self, reply: Reply) -> None:
        """Show the column under another name, at the same place."""
        reply.columns = {self.to if n == self.column else n: e for n, e in reply.columns.items()}


class DropColumn(ColumnFault):
    """The upstream no longer sends a column."""

    kind: Literal["drop_column"]

    def bend(self, reply: Reply) -> None:
        """Leave the column out."""
        reply.columns.pop(self.column, None)


class NullColumn(ColumnFault):
    """The upstream sends a column without values."""

    kind: Literal["null_column"]

    def bend(self, reply: Reply) -> None:
        """Empty the column."""
        if self.column in reply.columns:
            reply.columns[self.column] = "null"


class NumberFault(ColumnFault):
    """A fault of one column of numbers."""

    @model_validator(mode="after")
    def _is_number(self) -> NumberFault:
        if self.column not in _number_columns(get_contract(self.table)):
            raise ValueError(f"column {self.column} of {self.table} holds no numbers")
        return self


class ScaleColumn(NumberFault):
    """The upstream changed a unit, e.g. mg to ug by a factor of 1000."""

    kind: Literal["scale_column"]
    factor: float

    def bend(self, reply: Reply) -> None:
        """Multiply every value of the column."""
        if self.column in reply.columns:
            reply.columns[self.column] = f"({reply.columns[self.column]}) * {self.factor!r}"


class BadRows(NumberFault):
    """A share of the rows is wrong, each by itself: a negative value where none can be."""

    kind: Literal["bad_rows"]
    column: str = ""
    share: Share = 0.01

    @model_validator(mode="before")
    @classmethod
    def _choose_column(cls, data: dict) -> dict:
        if data.get("column") or data.get("table") not in load_contracts():
            return data
        numbers = _number_columns(get_contract(data["table"]))
        if not numbers:
            raise ValueError(f"table {data['table']} has no column of numbers to spoil")
        return {**data, "column": numbers[0]}

    def bend(self, reply: Reply) -> None:
        """Make the value of every n-th row negative."""
        value = reply.columns[self.column]
        every = max(1, round(1 / self.share))
        reply.columns[self.column] = (
            f"case when _row % {every} = 0 then -1 - abs(coalesce({value}, 0)) else {value} end"
        )


class ShortPage(Fault):
    """A page brings fewer rows than the stated total promises."""

    kind: Literal["short_page"]
    share: Share = 0.1

    def bend(self, reply: Reply) -> None:
        """Leave out a share of the page's rows, one at least."""
        reply.count = max(0, reply.count - max(1, round(reply.count * self.share)))


class LyingCount(Fault):
    """The stated total is larger than the rows there are."""

    kind: Literal["lying_count"]
    share: Share = 0.1

    def bend(self, reply: Reply) -> None:
        """State a share more, one row at least."""
        reply.total += max(1, round(reply.total * self.share))


class Status(Fault):
    """The upstream answers with an error: 429 and 5xx may pass, others do not."""

    kind: Literal["status"]
    status: int = Field(default=503, ge=400, le=599)

    def bend(self, reply: Reply) -> None:
        """Answer with this status and no rows."""
        reply.status = self.status


class Stall(Fault):
    """The upstream is silent for a while before it answers."""

    kind: Literal["stall"]
    seconds: float = Field(default=30.0, gt=0, le=600)

    def bend(self, reply: Reply) -> None:
        """Wait before the answer."""
        reply.stall_s += self.seconds


class CutBody(Fault):
    """The connection breaks in the middle of the body."""

    kind: Literal["cut_body"]

    def bend(self, reply: Reply) -> None:
        """Announce the whole body and send half."""
        reply.cut_body = True


AnyFault = Annotated[
    RenameColumn | DropColumn | NullColumn | ScaleColumn | BadRows | ShortPage | LyingCount | Status | Stall | CutBody,
    Field(discriminator="kind"),
]
FAULTS: TypeAdapter[list[AnyFault]] = TypeAdapter(list[AnyFault])


class FaultBook:
    """The faults in force. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, faults: list[Fault]) -> None:
        """Put these faults in force, and no others."""
        with self._lock:
            self._faults = [fault.model_copy() for fault in faults]

    def bend(self, reply: Reply) -> None:
        """Apply every fault of the reply's table, and count it against the fault's `times`."""
        with self._lock:
            hit = [fault for fault in self._faults if fault.table in (None, reply.contract.table)]
            for fault in hit:
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times is None or fault.times > 0]
        for fault in hit:
            fault.bend(reply)


def _number_columns(contract: Contract) -> list[str]:
    """Return the columns that hold measured numbers: decimals, not integers such as years."""
    return [c.name for c in contract.columns if c.type.startswith("DECIMAL")]
