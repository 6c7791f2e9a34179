"""How the stand-in can be told to misbehave: each kind of fault is a model that bends one answer.

Belongs here: what a fault is, which requests it hits, and the book of faults in force. A fault changes the columns of
an answer, which rows it brings, its stated total, or the way it is sent. Does not belong here: sending (`server.py`).
Nothing misbehaves unless told to.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

from tanhuan.contracts import Column, Contract, get_contract, load_contracts

Share = Annotated[float, Field(gt=0, le=1)]
Name = Annotated[str, Field(pattern=r"^\w+$")]
#: what is asked for: pages by number, pages by cursor, a bulk export, a dated file, a login
Endpoint = Literal["pages", "cursor", "export", "files", "token"]
PAGED: frozenset[Endpoint] = frozenset({"pages", "cursor"})
ROWS: frozenset[Endpoint] = PAGED | {"export"}
DATA: frozenset[Endpoint] = ROWS | {"files"}


@dataclass
class Reply:
    """An answer about to be made and sent. Faults change it; without faults it tells the truth."""

    endpoint: Endpoint
    #: None for a login
    table: str | None = None
    page: int = 1
    #: Name shown → SQL expression over the answer's rows.
    columns: dict[str, str] = field(default_factory=dict)
    #: so many days before the first one asked for come along
    days_before: int = 0
    #: the rows of another page come: +1 of the next one, -1 of the one before
    page_skew: int = 0
    pages_missing: int = 0
    share_left_out: float = 0.0
    share_overstated: float = 0.0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    #: sent instead of what was asked for
    web_page: str | None = None
    stall_s: float = 0.0
    cut_body: bool = False


class Fault(BaseModel, ABC):
    """A fault of the requests that fit: of a table, a page, an endpoint (any if none is named), for so many of them."""

    #: the endpoints that a kind of fault can be made on; a login only if it is named
    reaches: ClassVar[frozenset[Endpoint]] = DATA

    model_config = ConfigDict(extra="forbid")

    table: str | None = None
    page: int | None = Field(default=None, ge=1)
    endpoint: Endpoint | None = None
    times: int | None = Field(default=None, ge=1)

    @field_validator("table")
    @classmethod
    def _known(cls, table: str | None) -> str | None:
        if table is not None and table not in load_contracts():
            raise ValueError(f"no table {table!r}; known tables: {', '.join(load_contracts())}")
        return table

    @model_validator(mode="after")
    def _can_reach(self) -> Fault:
        if self.endpoint is not None and self.endpoint not in self.reaches:
            raise ValueError(
                f"this fault cannot be made on {self.endpoint}; it can on {', '.join(sorted(self.reaches))}"
            )
        if self.endpoint == "token" and self.times is None:
            raise ValueError("a fault of the login needs `times`: nobody could log in to end it")
        return self

    def hits(self, reply: Reply) -> bool:
        """Whether the request behind this reply is one of those meant."""
        return (
            self.table in (None, reply.table)
            and self.fits_page(reply)
            and (reply.endpoint == self.endpoint if self.endpoint else reply.endpoint in self.reaches - {"token"})
        )

    def fits_page(self, reply: Reply) -> bool:
        """Whether the page is one of those meant; exports, files and logins are page 1."""
        return self.page in (None, reply.page)

    @abstractmethod
    def bend(self, reply: Reply) -> None:
        """Change the reply."""


class ColumnFault(Fault):
    """A fault of one column; the table must be named, so that the column can be checked."""

    reaches = ROWS

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
    to: Name

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


class RetypeColumn(ColumnFault):
    """The upstream sends a column in another type: numbers with their unit, e.g. "12.5 mg/L", as texts, or as lists."""

    kind: Literal["retype_column"]
    to: Literal["with_unit", "text", "list"] = "with_unit"
    unit: str = Field(default="mg/L", pattern=r"^[\w/%·³ ]+$")

    def bend(self, reply: Reply) -> None:
        """Show each value in the other type; what is missing stays missing."""
        if self.column in reply.columns:
            value = f"({reply.columns[self.column]})"
            shown = {
                "with_unit": f"{value}::varchar || ' {self.unit}'",
                "text": f"{value}::varchar",
                "list": f"[{value}]",
            }
            reply.columns[self.column] = shown[self.to]


class AddColumn(Fault):
    """The upstream sends a column that nobody announced."""

    reaches = ROWS

    kind: Literal["add_column"]
    name: Name = "new_column"

    def bend(self, reply: Reply) -> None:
        """Add a column of running numbers at the end."""
        reply.columns.setdefault(self.name, "_row")


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


class ShiftTimeZone(Fault):
    """The upstream shows moments in UTC: without saying so, or even as if they were Beijing time."""

    reaches = ROWS

    kind: Literal["shift_time_zone"]
    labelled: Literal["nothing", "+08:00"] = "nothing"

    def bend(self, reply: Reply) -> None:
        """Show the wall clock of Greenwich."""
        label = "" if self.labelled == "nothing" else self.labelled
        for column in get_contract(str(reply.table)).columns:
            if is_moment(column) and column.name in reply.columns:
                reply.columns[column.name] = f"strftime({column.name} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S{label}')"


class ResendOld(Fault):
    """The upstream sends rows, or packets marked RF=1, of the days before those asked for along with them."""

    kind: Literal["resend_old"]
    days: int = Field(default=1, ge=1, le=366)

    def bend(self, reply: Reply) -> None:
        """Reach further back."""
        reply.days_before = max(reply.days_before, self.days)


class ShortPage(Fault):
    """A page, or an export, brings fewer rows than the stated total promises."""

    reaches = ROWS

    kind: Literal["short_page"]
    share: Share = 0.1

    def bend(self, reply: Reply) -> None:
        """Leave out a share of the rows, one at least."""
        reply.share_left_out = self.share


class LyingCount(Fault):
    """The stated total is larger than the rows there are."""

    reaches = ROWS

    kind: Literal["lying_count"]
    share: Share = 0.1

    def bend(self, reply: Reply) -> None:
        """State a share more, one row at least."""
        reply.share_overstated = self.share


class RepeatPage(Fault):
    """A page brings the rows of the page before it once more."""

    reaches = PAGED

    kind: Literal["repeat_page"]
    page: int = Field(default=2, ge=2)

    def bend(self, reply: Reply) -> None:
        """Stand one page too early."""
        reply.page_skew -= 1


class DropPage(Fault):
    """A page is left out: the one after it comes in its place, and the last one is missing."""

    reaches = PAGED

    kind: Literal["drop_page"]
    page: int = Field(default=2, ge=1)

    def fits_page(self, reply: Reply) -> bool:
        """Every page is told of the missing one."""
        return True

    def bend(self, reply: Reply) -> None:
        """From this page on stand one page too late, and end one page earlier."""
        reply.pages_missing = 1
        if reply.page >= self.page:
            reply.page_skew += 1


class SendingFault(Fault):
    """A fault of the way an answer is sent, whatever is in it; the login can have it too."""

    reaches = DATA | {"token"}


class Status(SendingFault):
    """The upstream answers with an error: 429 and 5xx may pass, others do not."""

    kind: Literal["status"]
    status: int = Field(default=503, ge=400, le=599)
    #: seconds or an HTTP date
    retry_after: int | str | None = None

    def bend(self, reply: Reply) -> None:
        """Answer with this status and no rows."""
        reply.status = self.status
        if self.retry_after is not None:
            reply.headers["Retry-After"] = str(self.retry_after)


class Redirect(SendingFault):
    """The upstream points to another address, with a secret in its query as careless gateways do."""

    kind: Literal["redirect"]
    status: Literal[301, 302, 303, 307, 308] = 302
    to: str = "https://elsewhere.example/login?ticket=SECRET"

    def bend(self, reply: Reply) -> None:
        """Name the other address and nothing else."""
        reply.status = self.status
        reply.headers["Location"] = self.to


class WebPage(SendingFault):
    """Something in between answers 200 with a login page."""

    kind: Literal["web_page"]

    def bend(self, reply: Reply) -> None:
        """Send a page for people."""
        reply.web_page = "<!DOCTYPE html><html><body><h1>统一认证平台</h1><form>用户名</form></body></html>"


class Stall(SendingFault):
    """The upstream is silent for a while before it answers."""

    kind: Literal["stall"]
    seconds: float = Field(default=30.0, gt=0, le=600)

    def bend(self, reply: Reply) -> None:
        """Wait before the answer."""
        reply.stall_s += self.seconds


class CutBody(SendingFault):
    """The connection breaks in the middle of the body."""

    kind: Literal["cut_body"]

    def bend(self, reply: Reply) -> None:
        """Begin the body and leave it half sent."""
        reply.cut_body = True


AnyFault = Annotated[
    RenameColumn
    | DropColumn
    | NullColumn
    | RetypeColumn
    | AddColumn
    | ScaleColumn
    | BadRows
    | ShiftTimeZone
    | ResendOld
    | ShortPage
    | LyingCount
    | RepeatPage
    | DropPage
    | Status
    | Redirect
    | WebPage
    | Stall
    | CutBody,
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
        """Apply every fault that is meant for the reply, and count it against the fault's `times`."""
        with self._lock:
            hit = [fault for fault in self._faults if fault.hits(reply)]
            for fault in hit:
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times is None or fault.times > 0]
        for fault in hit:
            fault.bend(reply)


def is_moment(column: Column) -> bool:
    """Whether a column holds moments, which answers in JSON show as text."""
    return column.type == "TIMESTAMPTZ"


def _number_columns(contract: Contract) -> list[str]:
    """Return the columns that hold measured numbers: decimals, not integers such as years."""
    return [c.name for c in contract.columns if c.type.startswith("DECIMAL")]
