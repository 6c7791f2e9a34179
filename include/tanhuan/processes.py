"""Child processes that are certain to end: each in a group of its own, asked to stop, then made to.

Belongs here: starting, watching and ending processes. Does not belong here: which ones (services.py).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

_PATIENCE_S = 20
_LAST_PATIENCE_S = 5
_POLL_S = 0.05


def inherit_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this environment plus `extra`, with the virtual environment's programs first and byte code kept."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    return environment | {"PATH": path, "PYTHONUNBUFFERED": "1", **extra}


@contextmanager
def run_all(
    commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], logs: Path, cwd: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run commands side by side, each writing to `<logs>/<name>.log`; all have ended when the block is left."""
    logs.mkdir(parents=True, exist_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            with (logs / f"{name}.log").open("ab") as log:
                running[name] = subprocess.Popen(  # noqa: S603 - programs of this environment
                    command, env=dict(environment), stdout=log, stderr=log, cwd=cwd, start_new_session=True
                )
        yield running
    finally:
        end_all(list(running.values()))


def end_all(processes: Sequence[subprocess.Popen[bytes] | subprocess.Popen[str]]) -> None:
    """End processes and all they started: ask their groups together, then insist."""
    for wanted, patience in ((signal.SIGTERM, _PATIENCE_S), (signal.SIGKILL, _LAST_PATIENCE_S)):
        for process in processes:
            _signal_group(process, wanted)
        deadline = time.monotonic() + patience
        while any(_group_lives(p) for p in processes) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    for process in processes:
        process.wait()


def is_alive(pid: int) -> bool:
    """Tell whether a process of that number runs."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def end_orphans(groups: Sequence[int], word: str) -> None:
    """End what is left of process groups whose starter was killed; numbers that others have by now are let alone.

    Args:
        word: must occur in a process's command line for it to be one of ours.
    """
    orphans = [p for p in psutil.process_iter(["cmdline"]) if _belongs(p, groups, word)]
    for orphan in orphans:
        orphan.terminate()
    for survivor in psutil.wait_procs(orphans, timeout=_PATIENCE_S)[1]:
        survivor.kill()


def _belongs(process: psutil.Process, groups: Sequence[int], word: str) -> bool:
    try:
        return os.getpgid(process.pid) in groups and word in " ".join(process.info["cmdline"] or [])
    except ProcessLookupError:
        return False


def _signal_group(process: subprocess.Popen[bytes] | subprocess.Popen[str], wanted: signal.Signals) -> None:
    try:
        os.killpg(process.pid, wanted)
    except ProcessLookupError:
        return


def _group_lives(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> bool:
    process.poll()  # reaps the leader, which would otherwise count as living
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
