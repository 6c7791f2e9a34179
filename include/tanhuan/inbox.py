"""The inbox: files that people drop under `inbox/<table>/`, taken into landing byte for byte.

A file is taken once it is whole and nobody has it open. It is gone from the inbox when it has been judged, not before:
whatever breaks off in between, the next pull takes it again. A packed file (tar, zip, gzip) is taken as the files in
it. Nothing in a file is executed or followed.
"""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import lzma
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tanhuan.contracts import Contract, load_contracts
from tanhuan.errors import TanhuanError
from tanhuan.forms import get_form, recognise_form
from tanhuan.landing import Arrival, Load, new_load, read_receipt
from tanhuan.settings import Settings

log = logging.getLogger(__name__)

#: a file that has changed this recently may still be on its way
_QUIET_S = 2.0
_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 20
#: what a file may be that cannot be opened or unpacked: damaged, encrypted, packed in a way that is not known
_DAMAGED = (OSError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


def land_inbox(contract: Contract, key: dt.date, settings: Settings) -> list[Load]:
    """Take every file dropped for a table into landing; one that cannot be taken stays, with a sentence in the log."""
    loads = []
    for path in list_dropped(contract.table, settings):
        try:
            loads.append(land_file(contract, path, key, settings))
        except (TanhuanError, *_DAMAGED) as failure:
            log.error("table %s: %s stays in the inbox: %s", contract.table, path.name, failure)
    return loads


def clear_dropped(load: Load, settings: Settings) -> None:
    """Take a dropped file that has been judged out of the inbox, unless another one lies there under its name."""
    receipt = read_receipt(load, settings)
    path = settings.root / receipt["source"]
    if path.exists() and _describe(path) == tuple(receipt["original"]):
        path.unlink()


def list_strays(settings: Settings) -> list[Path]:
    """Return what lies in the inbox where no table would find it."""
    if not settings.inbox.is_dir():
        return []
    return sorted(path for path in settings.inbox.iterdir() if path.name not in load_contracts() or not path.is_dir())


def list_dropped(table: str, settings: Settings) -> list[Path]:
    """Return the files that wait for a table, oldest first; hidden files and office programs' lock files are none."""
    folder = settings.inbox / table
    if not folder.is_dir():
        return []
    files = [path for path in folder.iterdir() if not path.name.startswith((".", "~$"))]
    return sorted(files, key=lambda path: (path.lstat().st_mtime, path.name))


def land_file(contract: Contract, path: Path, key: dt.date, settings: Settings) -> Load:
    """Copy one file, or all files of an archive, into landing as one load.

    Raises:
        TanhuanError: the file is open elsewhere, too large, empty, no regular file, or meant for another table.
    """
    _check_free(path)
    arrival, left = None, settings.inbox_max_bytes
    for name, stream in _open_members(path, left):
        head = stream.read(_HEAD_BYTES)
        if arrival is None:
            form = recognise_form(contract.table, path.name, head)
            source = f"inbox/{contract.table}/{path.name}"
            load = new_load(contract, key, None, None, "file", form)
            arrival = Arrival(load, settings, source, original=_describe(path))
        with arrival.stream(get_form(arrival.load.form, settings).extension) as sink:
            sink.facts = {"name": name}
            chunk = head
            while chunk:
                sink.write(chunk)
                _check_size(path, sink.bytes, left)
                chunk = stream.read(_CHUNK_BYTES)
        left -= sink.bytes
    if arrival is None or left == settings.inbox_max_bytes:
        raise TanhuanError(f"inbox: {path.name} is empty.", "drop it again once it has been filled.")
    arrival.close()
    return arrival.load


def _describe(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def _check_free(path: Path) -> None:
    facts = path.lstat()
    if not stat.S_ISREG(facts.st_mode):
        raise TanhuanError(f"inbox: {path.name} is a link or a folder.", "drop the file itself.")
    locks = (path.with_name(f"~${path.name}"), path.with_name(f".~lock.{path.name}#"))
    if any(lock.exists() for lock in locks):
        raise TanhuanError(f"inbox: {path.name} is open in an office program.", "close it; the next pull takes it.")
    if time.time() - facts.st_mtime < _QUIET_S:
        raise TanhuanError(f"inbox: {path.name} is still being written.", "the next pull takes it.")


def _check_size(path: Path, size: int, limit: int) -> None:
    if size > limit:
        raise TanhuanError(
            f"inbox: {path.name} holds more than may be unpacked ({limit >> 20} MiB left of TANHUAN_INBOX_MAX_BYTES).",
            "split it, or raise TANHUAN_INBOX_MAX_BYTES if it is meant.",
        )


def _open_members(path: Path, limit: int) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield name and bytes of every file in an archive, in the order of their names, else of the file itself."""
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            for member in _list_files(path, archive, limit):
                stream = archive.extractfile(member)
                assert stream is not None, f"{member.name} is a regular file"
                yield PurePosixPath(member.name).name, stream
    elif zipfile.is_zipfile(path) and not _is_workbook(path):
        with zipfile.ZipFile(path) as packed:
            for info in sorted((i for i in packed.infolist() if not i.is_dir()), key=lambda i: i.filename):
                with packed.open(info) as stream:
                    yield PurePosixPath(info.filename).name, stream
    elif path.suffix == ".gz":
        with gzip.open(path) as unpacked:
            yield path.stem, unpacked  # type: ignore[misc]
    else:
        with path.open("rb") as stream:
            yield path.name, stream


def _list_files(path: Path, archive: tarfile.TarFile, limit: int) -> list[tarfile.TarInfo]:
    """Return the files of an archive by name; listing unpacks it, so it is bounded, too."""
    files, size = [], 0
    for member in archive:
        size += member.size
        _check_size(path, size, limit)
        if member.isfile():
            files.append(member)
    return sorted(files, key=lambda member: member.name)


def _is_workbook(path: Path) -> bool:
    with zipfile.ZipFile(path) as packed:
        return "[Content_Types].xml" in packed.namelist()
