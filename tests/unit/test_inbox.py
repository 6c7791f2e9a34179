"""What the inbox takes and what it leaves: a file that cannot be taken stays, with a sentence about why."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tanhuan.admit import admit_loads
from tanhuan.contracts import get_contract
from tanhuan.formats.workbook import OLE2_MAGIC
from tanhuan.inbox import clear_dropped, land_inbox, list_dropped
from tanhuan.landing import list_payloads, read_receipt
from tanhuan.settings import Settings
from tests.conftest import NIGHTS, change_settings
from tests.intake.installation import drop

TABLE = "penalty"
CONTRACT = get_contract(TABLE)
LINES = "处罚决定书文号,统一社会信用代码\n1,2\n".encode()


def land(settings: Settings) -> int:
    """Take what can be taken, as if it had been judged at once; return how many loads that made."""
    loads = land_inbox(CONTRACT, NIGHTS[0], settings)
    for load in loads:
        clear_dropped(load, settings)
    return len(loads)


def make_zip(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return stream.getvalue()


def test_a_file_is_kept_byte_for_byte_and_gone_from_the_inbox_once_it_has_been_judged(home: Settings) -> None:
    path = drop(TABLE, "行政处罚.csv", LINES, home)
    (load,) = land_inbox(CONTRACT, NIGHTS[0], home)
    receipt = read_receipt(load, home)
    assert (load.kind, load.first, load.last) == ("file", "", "")
    assert receipt["source"] == "inbox/penalty/行政处罚.csv"
    assert [payload["bytes"] for payload in receipt["payloads"]] == [len(LINES)]
    assert path.exists(), "a night that is killed now finds it again"
    clear_dropped(load, home)
    assert not path.exists()


def test_a_newer_file_of_the_same_name_is_not_cleared_with_the_older_one(home: Settings) -> None:
    path = drop(TABLE, "penalty.csv", LINES, home)
    (load,) = land_inbox(CONTRACT, NIGHTS[0], home)
    path.write_bytes(LINES + b"3,4\n")
    clear_dropped(load, home)
    assert path.exists()


def test_files_are_taken_in_the_order_in_which_they_came(home: Settings) -> None:
    for name, age in (("b.csv", 300), ("a.csv", 100), ("c.csv", 200)):
        path = drop(TABLE, name, LINES, home)
        os.utime(path, (time.time() - age,) * 2)
    loads = land_inbox(CONTRACT, NIGHTS[0], home)
    sources = [read_receipt(load, home)["source"].rpartition("/")[2] for load in loads]
    assert sources == ["b.csv", "c.csv", "a.csv"]
    assert [load.load_id for load in loads] == sorted(load.load_id for load in loads)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "gz"])
def test_a_packed_file_is_taken_as_the_files_in_it(home: Settings, kind: str) -> None:
    stream = io.BytesIO()
    if kind == "zip":
        stream.write(make_zip(**{"b.csv": LINES, "年/a.csv": LINES}))
    elif kind == "gz":
        stream.write(gzip.compress(LINES))
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as packed:
            for name in ("b.csv", "../../年/a.csv"):
                info = tarfile.TarInfo(name)
                info.size = len(LINES)
                packed.addfile(info, io.BytesIO(LINES))
    drop(TABLE, f"b.csv.{kind}", stream.getvalue(), home)
    (load,) = land_inbox(CONTRACT, NIGHTS[0], home)
    names = [payload.name for payload in list_payloads(load, home)]
    assert names == (["b.csv"] if kind == "gz" else names)
    assert sorted(names) == (["b.csv"] if kind == "gz" else ["a.csv", "b.csv"])
    assert {path.parent for path in home.root.rglob("payload-*")} == {load.folder(home)}, "nothing leaves landing"


def _link(path: Path, home: Settings) -> None:
    path.unlink()
    path.symlink_to(home.project_root / "pyproject.toml")


def _folder(path: Path, home: Settings) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path, home: Settings) -> None:
    path.unlink()
    os.mkfifo(path)


def _office_lock(path: Path, home: Settings) -> None:
    path.with_name(f"~${path.name}").write_bytes(b"somebody")


def _libre_lock(path: Path, home: Settings) -> None:
    path.with_name(f".~lock.{path.name}#").write_bytes(b"somebody")


def _touch(path: Path, home: Settings) -> None:
    os.utime(path)


def _empty(path: Path, home: Settings) -> None:
    fill(path, b"")


def _empty_packed(path: Path, home: Settings) -> None:
    fill(path, gzip.compress(b""), ".gz")


def _cut_packed(path: Path, home: Settings) -> None:
    fill(path, gzip.compress(os.urandom(100_000))[:50_000], ".gz")


def _torn_gzip(path: Path, home: Settings) -> None:
    data = bytearray(gzip.compress("".join(map(str, range(100_000))).encode()))
    data[1000:1100] = bytes(100)
    fill(path, bytes(data), ".gz")


def _torn_zip(path: Path, home: Settings) -> None:
    data = bytearray(make_zip(**{"a.csv": "".join(map(str, range(100_000))).encode()}))
    data[1000:1100] = bytes(100)
    fill(path, bytes(data), ".zip")


def _cut_zip(path: Path, home: Settings) -> None:
    # The directory at the end is whole, the data before it are not.
    data = bytearray(make_zip(**{"a.csv": os.urandom(1000)}))
    data[200:300] = bytes(100)
    fill(path, bytes(data), ".zip")


def _locked_zip(path: Path, home: Settings) -> None:
    data = bytearray(make_zip(**{"a.csv": LINES}))
    data[6] |= 1  # local head: encrypted
    data[data.index(b"PK\x01\x02") + 8] |= 1
    fill(path, bytes(data), ".zip")


def _water(path: Path, home: Settings) -> None:
    fill(path, b'{"result": 1, "thead": [], "tbody": []}')


def _air(path: Path, home: Settings) -> None:
    fill(path, b"date,hour,type,1001A\n")


def _packets(path: Path, home: Settings) -> None:
    fill(path, b"##0101QN=20160801085857223;")


def fill(path: Path, data: bytes, suffix: str = "") -> None:
    path.unlink()
    path = path.with_name(path.name + suffix)
    path.write_bytes(data)
    os.utime(path, (time.time() - 60,) * 2)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_link, "is a link or a folder"),
        (_folder, "is a link or a folder"),
        (_pipe, "is a link or a folder"),
        (_office_lock, "is open in an office program"),
        (_libre_lock, "is open in an office program"),
        (_touch, "is still being written"),
        (_empty, "is empty"),
        (_empty_packed, "is empty"),
        (_cut_packed, "stays in the inbox"),
        (_torn_gzip, "stays in the inbox"),
        (_torn_zip, "stays in the inbox"),
        (_cut_zip, "stays in the inbox"),
        (_locked_zip, "stays in the inbox"),
        (_water, "move it to inbox/water_section_4h/"),
        (_air, "move it to inbox/air_hour/"),
        (_packets, "move it to inbox/source_hour/"),
    ],
)
def test_what_cannot_be_taken_stays_and_says_why(
    home: Settings, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path, Settings], None], sentence: str
) -> None:
    drop(TABLE, "good.csv", LINES, home)
    spoil(drop(TABLE, "bad.csv", LINES, home), home)
    waiting = [path.name for path in list_dropped(TABLE, home) if path.name.startswith("bad")]
    assert land(home) == 1, "the good file beside it is taken"
    assert sentence in caplog.text
    assert waiting[0] in caplog.text
    assert [path.name for path in list_dropped(TABLE, home)] == waiting
    assert len(list(home.landing.rglob("receipt.json"))) == 1, "what was not taken has no receipt"


def test_a_bomb_stops_at_the_limit_and_stays(home: Settings, caplog: pytest.LogCaptureFixture) -> None:
    small = change_settings(home, inbox_max_bytes=3 << 20)
    for name, data in (
        ("bomb.zip", make_zip(**{"a.csv": bytes(1 << 24)})),
        ("bomb.csv.gz", gzip.compress(b"1,2\n" * (1 << 22))),
    ):
        drop(TABLE, name, data, small)
    assert land(small) == 0
    assert "bomb.zip holds more than may be unpacked (3 MiB" in caplog.text
    assert "bomb.csv.gz holds more than may be unpacked (3 MiB" in caplog.text
    assert len(list_dropped(TABLE, small)) == 2


def test_many_small_files_count_together(home: Settings) -> None:
    small = change_settings(home, inbox_max_bytes=3 << 20)
    drop(TABLE, "many.zip", make_zip(**{f"{n}.csv": bytes(1 << 20) for n in range(4)}), small)
    assert land(small) == 0


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (OLE2_MAGIC + bytes(512) + "EncryptedPackage".encode("utf-16-le") + bytes(512), "encrypted with a password"),
        (OLE2_MAGIC + bytes(1024), "in the .xls format"),
        (b"PK\x03\x04 no more", "book.xlsx"),
        ("金额,统一社会信用代码\n1,2\n".encode(), "处罚决定书文号"),
    ],
)
def test_a_table_that_cannot_be_read_is_answered_and_does_not_stop_the_night(
    home: Settings, data: bytes, sentence: str
) -> None:
    drop(TABLE, "book.xlsx", data, home)
    (outcome,) = admit_loads(land_inbox(CONTRACT, NIGHTS[0], home), home)
    assert outcome.state == "refused"
    assert sentence in str(outcome.reason)
    assert "Next step" in str(outcome.reason)
    assert not home.lake.exists()


def test_a_file_of_a_person_is_never_run_or_followed_out_of_the_inbox(home: Settings) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as packed:
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        packed.addfile(link)
    drop(TABLE, "links.tar", stream.getvalue(), home)
    assert land(home) == 0
    assert not list(home.landing.rglob("payload-*"))


def test_no_folder_is_no_failure(home: Settings) -> None:
    assert list_dropped(TABLE, home) == []
    assert land(home) == 0
