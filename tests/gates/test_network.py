"""A gate with Great Expectations says nothing to anybody and leaves no file outside the place it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.gates.test_suite_files import EXPECTATIONS, GOOD_ROWS, create_table, read_columns

TIMEOUT_S = 120
#: what Great Expectations takes as the wish to talk to its makers
CHATTY = {
    "GX_ANALYTICS_ENABLED": "true",
    "GX_CLOUD_BASE_URL": "https://gx.example.invalid",
    "GX_CLOUD_ACCESS_TOKEN": "token",
    "GX_CLOUD_ORGANIZATION_ID": "11111111-1111-4111-8111-111111111111",
    "GX_CLOUD_WORKSPACE_ID": "22222222-2222-4222-8222-222222222222",
}
#: writes every attempt to reach another machine, from the first import to the last hook at exit
WATCH = """
import os, sys

attempts = open(os.environ["ATTEMPTS"], "a", buffering=1)
WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")
LOUD = ("urllib.", "http.client.", "ftplib.", "smtplib.", "subprocess.Popen", "os.system", "os.posix_spawn")

def note(event, arguments):
    if event in WATCHED or event.startswith(LOUD):
        local = event != "socket.getaddrinfo" and getattr(arguments[0], "family", None) == 1
        if not local:
            attempts.write(f"{event} {[a for a in arguments if not hasattr(a, 'family')]!r}\\n")

sys.addaudithook(note)
"""
GATE = """
from pathlib import Path
from tanhuan.gates.engine import get_validator
from tanhuan.gates.suites import load_suite

suite = load_suite(Path(os.environ["SUITE"]))
with get_validator().open_parquet(os.environ["BATCH"]) as batch:
    answers = get_validator().check(batch, suite, list(suite.checks), {"days": 1, "as_of": "2026-11-23"})
failed = [a.id for a in answers if not a.passed]
context = get_validator()._context
print("RESULT", len(answers), failed, context.variables.analytics_enabled, os.environ["GX_ANALYTICS_ENABLED"])
"""
#: the one call that this version of Great Expectations still can make by itself, at a name that no machine has
TALK = """
from great_expectations.data_context._version_checker import _VersionChecker

_VersionChecker._PYPI_GX_ENDPOINT = "http://gx.example.invalid/"
print("RESULT", _VersionChecker("1.0").check_if_using_latest_gx())
"""


def run(script: str, home: Path, **environment: str) -> tuple[str, list[str], list[str]]:
    """Run a script in a home and a folder of its own; return what it printed, whom it called, what it left."""
    inside, attempts = home / "work", home.with_suffix(".attempts")
    inside.mkdir(parents=True)
    attempts.touch()
    places = {"HOME": str(home), "TMPDIR": str(inside), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GX_") and not k.lower().endswith("_proxy")}
    answer = subprocess.run(
        [sys.executable, "-B", "-c", WATCH + script],
        env=kept | places | {"ATTEMPTS": str(attempts)} | environment,
        cwd=inside,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    said = next((line for line in answer.stdout.splitlines() if line.startswith("RESULT")), "")
    assert said, answer.stderr[-2000:]
    assert answer.returncode == 0, answer.stderr[-2000:]
    left = sorted(str(p.relative_to(home)) for p in home.rglob("*") if p.is_file())
    return said, attempts.read_text("utf-8").splitlines(), left


@pytest.fixture
def gate(tmp_path: Path) -> dict[str, str]:
    """A real suite, and a small batch of which one row is good and one is not."""
    suite, batch = EXPECTATIONS / "source" / "penalty.json", tmp_path / "batch.parquet"
    columns, good = read_columns(suite), GOOD_ROWS["penalty"]
    rows: list[dict[str, Any]] = [good, good | {"amount_cny": -1}]
    with duckdb.connect() as con:
        create_table(con, "penalty", columns)
        con.executemany(
            f"insert into penalty values ({', '.join('?' * len(columns))})", [[r.get(c) for c in columns] for r in rows]
        )
        con.execute(f"copy penalty to '{batch}' (format parquet)")
    return {"SUITE": str(suite), "BATCH": str(batch)}


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{}, CHATTY], ids=["plain", "asked to talk"])
def test_a_gate_calls_nobody_and_leaves_nothing(
    environment: dict[str, str], gate: dict[str, str], tmp_path: Path
) -> None:
    said, attempts, left = run(GATE, tmp_path / "home", **gate, **environment)
    assert "SRC-PN-050" in said, "the gate did work"
    assert said.endswith("False false"), "both settings are off, whatever the environment says"
    assert attempts == []
    assert left == []


@pytest.mark.slow
def test_an_attempt_would_be_seen(tmp_path: Path) -> None:
    """Great Expectations' own question for a newer version is seen by the same watch."""
    _, attempts, _ = run(TALK, tmp_path / "home")
    assert any("gx.example.invalid" in attempt for attempt in attempts)
