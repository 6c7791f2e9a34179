"""Landing: the bytes as received, with a receipt. Nothing edits them, everything later can be rebuilt from them."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import zstandard

from tanhuan.contracts import Contract
from tanhuan.feeds.paged_api import Page
from tanhuan.files import read_json, write_bytes, write_json
from tanhuan.settings import Settings, now

_load_counter = itertools.count()


@dataclass(frozen=True)
class Load:
    """One pull of one table: which night (`key`) asked for which business days, for itself or as history.

    `load_id` sorts by time; a later load of the same day replaces the earlier one in staging. Dates are ISO texts, so
    that a load travels between tasks as plain data.
    """

    load_id: str
    table: str
    key: str
    first: str
    last: str
    kind: Literal["night", "history"]

    def folder(self, settings: Settings) -> Path:
        """Return where this load's payloads and receipt lie."""
        return settings.landing / self.table / f"dt={self.key}" / self.load_id


def new_load(
    contract: Contract, key: dt.date, first: dt.date, last: dt.date, kind: Literal["night", "history"] = "night"
) -> Load:
    """Name a load that is about to be made."""
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S%f")
    load_id = f"{stamp}{next(_load_counter) % 1000:03d}-{contract.table}"
    return Load(load_id, contract.table, key.isoformat(), first.isoformat(), last.isoformat(), kind)


def write_load(load: Load, pages: Iterable[Page], settings: Settings) -> int:
    """Keep every page as it arrives and, when all are in, the receipt; return the rows received.

    A load without a receipt was interrupted and is never parsed.
    """
    folder = load.folder(settings)
    compressor = zstandard.ZstdCompressor(level=3)
    payloads: list[dict[str, Any]] = []
    for number, page in enumerate(pages, start=1):
        name = f"payload-{number:05d}.json.zst"
        write_bytes(folder / name, compressor.compress(page.body))
        payloads.append(
            {
                "file": name,
                "url": page.url,
                "status": page.status,
                "headers": page.headers,
                "bytes": len(page.body),
                "sha256": hashlib.sha256(page.body).hexdigest(),
                "rows": page.rows,
                "rows_stated_in_all": page.stated_total,
            }
        )
    receipt = {
        "load_id": load.load_id,
        "table": load.table,
        "source": settings.upstream_url,
        "request": {"from": load.first, "to": load.last},
        "fetched_at": now().isoformat(),
        "payloads": payloads,
    }
    write_json(folder / "receipt.json", receipt)
    return sum(int(p["rows"]) for p in payloads)


def read_receipt(load: Load, settings: Settings) -> dict[str, Any]:
    """Return the receipt of a load whose pages are all in."""
    return read_json(load.folder(settings) / "receipt.json")
