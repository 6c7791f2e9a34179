"""Landing: the bytes as received, with a receipt. Nothing edits them, everything later can be rebuilt from them."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import zstandard

from tanhuan.contracts import Contract
from tanhuan.feeds.upstream import Page
from tanhuan.files import read_json, sync_and_rename, temporary_name, write_bytes, write_json
from tanhuan.formats.rows import Payload
from tanhuan.settings import Settings, now

_load_counter = itertools.count()

#: why a load was made: for a night, as first history, as a closed period restated, for a recorded request, by hand
#: from a terminal, from a file that somebody dropped, or of rows that somebody released from quarantine
Kind = Literal["night", "history", "restated", "backfill", "pull", "file", "release"]


@dataclass(frozen=True)
class Load:
    """One pull of one table: which night (`key`) asked for which business days, why, and in which form it came.

    `load_id` sorts by time; a later load of the same day replaces the earlier one in staging. Dates are ISO texts, so
    that a load travels between tasks as plain data; a dropped file has no days asked for (`first` and `last` empty).
    """

    load_id: str
    table: str
    key: str
    first: str
    last: str
    kind: Kind
    form: str

    def folder(self, settings: Settings) -> Path:
        """Return where this load's payloads and receipt lie."""
        return settings.landing / self.table / f"dt={self.key}" / self.load_id


@dataclass
class Arrival:
    """A load on its way into landing: its payloads so far. Without a receipt it was interrupted and is never parsed."""

    load: Load
    settings: Settings
    source: str | None
    #: for a dropped file: size and time of change, by which it is recognised when it has been admitted
    original: tuple[int, int] | None = None
    payloads: list[dict[str, Any]] = field(default_factory=list)
    #: whether the upstream said that nothing has changed since the last time
    not_modified: bool = False

    def keep(self, extension: str, body: bytes, **facts: Any) -> None:
        """Keep one payload that is in memory; `facts` go to the receipt."""
        name = self._name(extension)
        write_bytes(self.load.folder(self.settings) / name, zstandard.ZstdCompressor(level=3).compress(body))
        self._note(name, len(body), hashlib.sha256(body).hexdigest(), facts)

    @contextmanager
    def stream(self, extension: str) -> Iterator[Sink]:
        """Give a sink for a payload of any size; it appears in landing when the block ends well."""
        target = self.load.folder(self.settings) / self._name(extension)
        temporary = temporary_name(target)
        try:
            with temporary.open("wb") as file, _compress(file, target) as out:
                sink = Sink(out)
                yield sink
            sync_and_rename(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        self._note(target.name, sink.bytes, sink.sha256, sink.facts)

    def drop_last(self) -> None:
        """Forget the last payload: there turned out to be none."""
        (self.load.folder(self.settings) / self.payloads.pop()["file"]).unlink()

    def close(self) -> int:
        """Write the receipt; return the rows that the payloads are known to hold."""
        receipt = {
            "load_id": self.load.load_id,
            "table": self.load.table,
            "form": self.load.form,
            "source": self.source,
            "request": {"from": self.load.first, "to": self.load.last},
            "fetched_at": now().isoformat(),
            "not_modified": self.not_modified,
            "original": self.original,
            "payloads": self.payloads,
        }
        write_json(self.load.folder(self.settings) / "receipt.json", receipt)
        return sum(int(p["rows"] or 0) for p in self.payloads)

    def _name(self, extension: str) -> str:
        suffix = extension if extension == "parquet" else f"{extension}.zst"
        return f"payload-{len(self.payloads) + 1:05d}.{suffix}"

    def _note(self, file: str, size: int, sha256: str, facts: dict[str, Any]) -> None:
        unless_told: dict[str, Any] = {"name": file, "headers": {}}
        unless_told |= dict.fromkeys(("url", "status", "rows", "rows_stated"))
        self.payloads.append({"file": file, "bytes": size, "sha256": sha256, **unless_told, **facts})


class Sink:
    """What a body is written to as it comes: counts, hashes and passes on, and keeps nothing."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.bytes = 0
        self._newlines = 0
        self._end = b"\n"
        #: for the receipt
        self.facts: dict[str, Any] = {}

    def write(self, chunk: bytes) -> int:
        """Take one chunk."""
        self._hash.update(chunk)
        self.bytes += len(chunk)
        self._newlines += chunk.count(b"\n")
        self._end = chunk[-1:] or self._end
        self._out.write(chunk)
        return len(chunk)

    @property
    def lines(self) -> int:
        """Lines written so far, the last one with or without its end."""
        return self._newlines + (self._end != b"\n")

    @property
    def sha256(self) -> str:
        """The hash of what has been written, as hexadecimal digits."""
        return self._hash.hexdigest()


def new_load(
    contract: Contract, key: dt.date, first: dt.date | None, last: dt.date | None, kind: Kind, form: str
) -> Load:
    """Name a load that is about to be made."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
    load_id = f"{stamp}{next(_load_counter) % 1000:03d}-{contract.table}"
    asked = [day.isoformat() if day else "" for day in (first, last)]
    return Load(load_id, contract.table, key.isoformat(), asked[0], asked[1], kind, form)


def write_pages(arrival: Arrival, pages: Iterable[Page]) -> int:
    """Keep every page as it arrives and, when all are in, the receipt; return the rows received."""
    for page in pages:
        arrival.keep(
            "json",
            page.body,
            url=page.url,
            status=page.status,
            headers=page.headers,
            rows=page.rows,
            rows_stated=page.stated_total,
        )
    return arrival.close()


def read_receipt(load: Load, settings: Settings) -> dict[str, Any]:
    """Return the receipt of a load whose payloads are all in."""
    return read_json(load.folder(settings) / "receipt.json")


def list_payloads(load: Load, settings: Settings) -> list[Payload]:
    """Return the payloads of a load, in the order in which they came."""
    receipt = read_receipt(load, settings)
    fetched_at = dt.datetime.fromisoformat(receipt["fetched_at"])
    folder = load.folder(settings)
    return [
        Payload(folder / p["file"], p["name"], fetched_at, p["headers"].get("X-Data-Basis") == "synthetic")
        for p in receipt["payloads"]
    ]


@contextmanager
def _compress(file: IO[bytes], target: Path) -> Iterator[IO[bytes]]:
    if target.suffix != ".zst":
        yield file
        return
    with zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as out:
        yield out
