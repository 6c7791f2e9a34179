"""The `tanhuan` command at a terminal: help in two languages, sentences instead of traces, honest exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from tanhuan.cli import app
from tanhuan.processes import inherit_environment
from tanhuan.settings import Settings

COMMANDS: dict[str, Any] = dict(getattr(get_command(app), "commands", {}))
#: `airflow` hands --help on to airflow itself
OWN_HELP = sorted(name for name, c in COMMANDS.items() if c.context_settings.get("help_option_names") != [])
CHINESE, ENGLISH = re.compile(r"[\u4e00-\u9fff]{2}"), re.compile(r"[A-Za-z]{3,} [a-z]+")


def run(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own, far from the checkout."""
    settings.root.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "tanhuan.cli", *arguments],
        env=inherit_environment(settings.as_environment()) | {"COLUMNS": "200"},
        cwd=settings.root,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_there_are_commands() -> None:
    assert {"night", "up", "show", "rebuild", "quarantine", "standin", "doctor"} <= set(OWN_HELP)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself_in_chinese_and_english(command: str) -> None:
    described = COMMANDS[command].help or ""
    assert CHINESE.search(described), described
    assert ENGLISH.search(described), described
    for parameter in COMMANDS[command].params:
        text = getattr(parameter, "help", None) or ""
        assert CHINESE.search(text), f"{command} {parameter.name}: {text!r}"
        assert ENGLISH.search(text), f"{command} {parameter.name}: {text!r}"


@pytest.mark.parametrize("command", OWN_HELP)
def test_help_is_printed_and_ends_well(command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert CHINESE.search(answer.output)
    assert "Usage:" in answer.output


def test_show_without_a_publication_is_a_sentence(home: Settings) -> None:
    answer = run(home, "show")
    assert answer.returncode == 1
    assert "Nothing is published" in answer.stdout
    assert "Next step: run `make night`" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr


def test_show_for_programs_without_a_publication_is_a_sentence_too(home: Settings) -> None:
    answer = run(home, "show", "--json")
    assert answer.returncode == 1
    assert "Nothing is published" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("night", "--date", "31.12.2025"), "'31.12.2025' is not a date."),
        (("night", "--date", "2999-01-01"), "is not over yet in Asia/Shanghai"),
        (("rebuild",), "There is nothing in the lake to rebuild from."),
        (("quarantine",), "There are no refused rows."),
        (("quarantine", "no-such-load"), "There are no refused rows of load no-such-load."),
        (("standin",), "The stand-in needs a password."),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_what_cannot_be_done_is_a_sentence_and_not_a_trace(
    home: Settings, arguments: tuple[str, ...], sentence: str
) -> None:
    answer = run(home, *arguments)
    assert answer.returncode == 1
    assert sentence in answer.stdout
    assert "Next step" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr


def test_the_doctor_tells_the_shell_when_something_is_wrong(home: Settings) -> None:
    answer = run(home, "doctor")
    assert answer.returncode == 1
    assert "✗ 发布 publication: nothing is published yet" in answer.stdout


def test_a_publication_can_be_shown_and_read_by_programs(two_nights: Settings, tmp_path: Path) -> None:
    from tanhuan.warehouse.publish import publish
    from tests.conftest import NIGHTS, copy_installation

    own = copy_installation(two_nights, tmp_path / "home")
    publication = publish(NIGHTS[-1], own)
    shown = run(own, "show")
    assert shown.returncode == 0, shown.stderr
    assert publication.version in shown.stdout
    statuses = "missing|review|attained|on_track|at_risk|insufficient"
    assert len(re.findall(rf"^\d+ .* \w*(?:{statuses}) ", shown.stdout, re.M)) == 28
    read = run(own, "show", "--json")
    assert read.returncode == 0, read.stderr
    rows = json.loads(read.stdout)
    assert [r["indicator_no"] for r in rows] == list(range(1, 29))
    assert all(r["status"] for r in rows)
