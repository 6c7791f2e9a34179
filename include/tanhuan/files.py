"""Files that are either whole or not there: written under a temporary name, synced, then renamed.

The one place that writes small files and moves large ones into a zone.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

import msgspec


def temporary_name(target: Path) -> Path:
    """Return a name beside `target` that no reader looks for."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")


def sync_and_rename(temporary: Path, target: Path) -> None:
    """Make a finished temporary file appear under its final name, durable and in one step."""
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.replace(target)


def sync_tree(folder: Path) -> None:
    """Make a folder and everything in it durable."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_bytes(target: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a whole file atomically; `mode` holds from its first byte on."""
    temporary = temporary_name(target)
    temporary.touch(mode=mode)
    temporary.write_bytes(data)
    sync_and_rename(temporary, target)


def write_json(target: Path, value: Any) -> None:
    """Write a value as readable JSON, atomically."""
    encoded = msgspec.json.encode(value)
    write_bytes(target, msgspec.json.format(encoded, indent=1) + b"\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return msgspec.json.decode(path.read_bytes())
