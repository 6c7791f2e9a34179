"""docker-compose.yml: one image, loopback only, no secret in it, and nothing to be set that is not explained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tanhuan.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z0-9_]+)(?P<rest>[^}]*)\}")
FOREIGN = {"postgres", "redis"}
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|JWT")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(TEXT)["services"])


def test_only_loopback_is_bound(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    for port in ports:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port
    assert not [name for name, s in services.items() if s.get("network_mode") == "host" or s.get("privileged")]


def test_every_service_of_ours_runs_the_same_image(services: dict[str, dict[str, Any]]) -> None:
    ours = {name: s for name, s in services.items() if name not in FOREIGN}
    assert set(ours) == {"init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
    assert {s["image"] for s in ours.values()} == {"tanhuan:0.1.0"}
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert version is not None
    assert {s["image"].partition(":")[2] for s in ours.values()} == {version[1]}
    assert all(re.fullmatch(r".+:\d[\w.-]*", services[name]["image"]) for name in FOREIGN), "no floating image"


def test_every_service_of_ours_sees_the_same_state(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if name not in FOREIGN:
            assert "tanhuan_home:/var/lib/tanhuan" in service["volumes"], name
            assert service["environment"]["TANHUAN_HOME"] == "/var/lib/tanhuan", name


def test_what_must_be_set_stops_the_start_and_is_explained() -> None:
    found = {m["name"]: m["rest"] for m in VARIABLE.finditer(TEXT)}
    assert found
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    for name, rest in found.items():
        assert rest.startswith(":?"), f"{name} has a default or may be empty"
        assert f"`{name}`" in operations, f"{name} is not explained in docs/operations.md"


def test_no_secret_is_written_down(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET_NAME.search(variable):
                assert VARIABLE.fullmatch(str(value)), f"{name}: {variable} is written down"
    assert not re.search(r"://[^\s/:@$]*:[^\s@$]+@", TEXT), "a password in an address"


def test_settings_named_there_exist(services: dict[str, dict[str, Any]]) -> None:
    known = {f"TANHUAN_{name.upper()}" for name in Settings.model_fields}
    for name, service in services.items():
        ours = {v for v in service.get("environment", {}) if v.startswith("TANHUAN_")}
        assert ours <= known, f"{name} sets what nothing reads: {ours - known}"
