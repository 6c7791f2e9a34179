"""The rooms of the house, and who may enter which: what the design fixes and a linter does not see."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "include" / "tanhuan"
MAX_BYTES = 4 * 1024 * 1024
#: a path or address of the machine a thing was made on has no place in it
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+)/")
TEXT_SUFFIXES = {".py", ".sql", ".yml", ".yaml", ".json", ".md", ".toml", ".csv", ".lock", ""}


def tracked() -> list[Path]:
    answer = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in answer.stdout.split("\0") if name and (ROOT / name).exists()]


def imports(path: Path) -> Iterator[str]:
    """Yield the modules a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def find(folder: Path, package: str) -> list[str]:
    """Return the files under a folder that import a package."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted(folder.rglob("*.py"))
        if any(is_within(module, package) for module in imports(path))
    ]


def test_what_is_not_airflow_does_not_import_it() -> None:
    assert find(PACKAGE, "airflow") == []
    assert find(ROOT / "dags", "airflow") != [], "the search itself works"


@pytest.mark.parametrize(
    ("room", "known"),
    [("standards", {"standards", "contracts"}), ("formats", {"formats", "standards", "contracts", "errors"})],
)
def test_standards_and_formats_know_little_of_the_house(room: str, known: set[str]) -> None:
    for path in sorted((PACKAGE / room).glob("*.py")):
        ours = {m for m in imports(path) if is_within(m, "tanhuan")}
        assert all(any(is_within(m, f"tanhuan.{k}") for k in known) for m in ours), (path, ours)


def test_only_the_command_and_tests_know_the_stand_in() -> None:
    knowing = find(PACKAGE, "tanhuan.standin") + find(ROOT / "dags", "tanhuan.standin")
    knowing += find(ROOT / "plugins", "tanhuan.standin")
    outside = {name for name in knowing if not name.startswith("include/tanhuan/standin/")}
    assert outside <= {"include/tanhuan/cli.py", "include/tanhuan/services.py"}
    assert outside, "the search itself works"


def test_zones_do_not_know_the_warehouse() -> None:
    for name in ("landing", "lake", "ledger", "quarantine", "files", "duck", "errors", "settings"):
        ours = {m for m in imports(PACKAGE / f"{name}.py") if is_within(m, "tanhuan")}
        assert not [m for m in ours if is_within(m, "tanhuan.warehouse") or is_within(m, "tanhuan.gates")], name


def test_only_settings_read_the_environment() -> None:
    reading = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"):
                reading.add(str(path.relative_to(PACKAGE)))
    # The others hand the environment on to children, or tell a library what it wants to be told there.
    assert reading <= {"processes.py", "warehouse/build.py", "gates/engine.py"}


def test_only_the_engine_of_the_gates_imports_great_expectations() -> None:
    assert find(ROOT / "include", "great_expectations") == [
        "include/tanhuan/gates/engine.py",
        "include/tanhuan/gates/found_rows.py",
    ]


@pytest.mark.parametrize("package", sorted(p.parent for p in PACKAGE.rglob("__init__.py")), ids=lambda p: p.name)
def test_every_package_says_what_belongs_there(package: Path) -> None:
    said = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    assert len(said) > 60, package


def test_dbt_project_is_no_package() -> None:
    assert list((ROOT / "dbt_project").rglob("__init__.py")) == []


def test_no_tracked_file_is_large() -> None:
    files = tracked()
    assert len(files) > 200
    assert [str(f) for f in files if f.stat().st_size > MAX_BYTES] == []


def test_no_tracked_file_names_a_place_of_the_machine_it_was_made_on() -> None:
    found = []
    for path in tracked():
        if path.suffix in TEXT_SUFFIXES and path != Path(__file__):
            found += [f"{path.relative_to(ROOT)}: {hit}" for hit in MACHINE.findall(path.read_text("utf-8"))]
    assert found == []


def test_no_state_and_no_byte_code_is_tracked() -> None:
    for path in tracked():
        parts = path.relative_to(ROOT).parts
        assert not {"var", ".venv", "__pycache__", "target", "logs", ".hypothesis"} & set(parts), path
        assert path.name != ".env", path


def test_the_lock_names_versions_and_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in text
    assert " @ " not in text
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) > 150
    assert [r for r in requirements if not re.match(r"[A-Za-z0-9._\[\],-]+==[^ ;*]+", r)] == []
    assert text.count("--hash=sha256:") >= len(requirements)


def test_the_lock_fits_the_bounds_of_the_project() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    locked = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", text, re.M))
    exact = re.findall(r'^  "([a-z0-9._-]+)==([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert exact
    assert {name: locked[name] for name, _ in exact} == dict(exact)
