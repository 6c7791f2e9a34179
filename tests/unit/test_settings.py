"""Settings reach child processes whole, and secrets never reach a screen or a log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from tanhuan.processes import inherit_environment
from tanhuan.settings import Settings
from tests.conftest import change_settings

SECRET = "open sesame"

_PRINT = """
from tanhuan.settings import get_settings
s = get_settings()
print(s.model_dump_json(), s.upstream_password.get_secret_value(), s.root, sep="\\n")
"""


@pytest.fixture
def full(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "a home with blanks",
        upstream_url="http://127.0.0.1:9",
        upstream_password=SecretStr(SECRET),
        load_history=False,
        request_timeout_s=1.5,
        publications_kept=3,
        _env_file=None,  # type: ignore[call-arg]
    )


def test_a_secret_shows_nowhere(full: Settings) -> None:
    for text in (repr(full), str(full), f"{full.model_dump()}", full.model_dump_json()):
        assert SECRET not in text
        assert "upstream_password" in text


def test_a_child_process_finds_the_same_settings(full: Settings, tmp_path: Path) -> None:
    clean = {k: v for k, v in inherit_environment({}).items() if not k.startswith("TANHUAN_")}
    answer = subprocess.run(
        [sys.executable, "-c", _PRINT],
        env=clean | full.as_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    dumped, password, root = answer.stdout.splitlines()
    assert json.loads(dumped) == json.loads(full.model_dump_json())
    assert password == SECRET
    assert root == str(full.root)


def test_a_relative_home_is_passed_on_as_an_absolute_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=Path("var"), _env_file=None)  # type: ignore[call-arg]
    assert settings.as_environment()["TANHUAN_HOME"] == str(tmp_path / "var")


def test_what_is_not_set_is_not_passed_on_as_text(home: Settings) -> None:
    assert "TANHUAN_UPSTREAM_URL" not in home.as_environment()
    assert "None" not in home.as_environment().values()


def test_all_state_lies_under_home(home: Settings) -> None:
    zones = (
        home.landing,
        home.lake,
        home.quarantine,
        home.ledger,
        home.airflow_home,
        home.warehouse,
        home.published,
    )
    assert len(set(zones)) == len(zones)
    assert all(zone.is_relative_to(home.root) for zone in zones)


def test_a_copy_with_another_home_lies_there(home: Settings, tmp_path: Path) -> None:
    assert home.root == tmp_path / "home"
    assert home.model_copy(update={"home": tmp_path / "other"}).root == tmp_path / "other"


@pytest.mark.parametrize(("name", "text"), [("PUBLICATIONS_KEPT", "many"), ("LOAD_HISTORY", "perhaps")])
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"TANHUAN_{name}", text)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings(_env_file=None)  # type: ignore[call-arg]


def test_a_test_helper_changes_what_it_says(full: Settings) -> None:
    changed = change_settings(full, publications_kept=1)
    assert (changed.publications_kept, changed.upstream_url) == (1, full.upstream_url)
    assert changed.upstream_password.get_secret_value() == SECRET
    assert "TANHUAN_PUBLICATIONS_KEPT" not in os.environ
