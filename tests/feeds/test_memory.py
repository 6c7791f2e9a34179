"""Memory stays flat however large an answer is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.feeds.scripted import Answer, page_of, serve

CHUNK = bytes(range(256)) * 4096
CHUNKS = 300


def test_an_export_of_300_mib_takes_less_than_64_mib(tmp_path: Path) -> None:
    expected = hashlib.sha256()

    def body() -> Iterator[bytes]:
        for _ in range(CHUNKS):
            expected.update(CHUNK)
            yield CHUNK

    def give(n: int) -> Answer:
        return page_of(n) if n == 1 else (200, {"Content-Length": str(len(CHUNK) * CHUNKS)}, body())

    target = tmp_path / "export"
    with serve() as platform:
        platform.give = give
        answer = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("stream_export.py")), platform.url, str(target)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert answer.returncode == 0, answer.stderr
    size, sha256, grown = answer.stdout.split()
    assert int(size) == target.stat().st_size == 300 << 20
    assert sha256 == expected.hexdigest()
    assert int(grown) < 64 << 20
