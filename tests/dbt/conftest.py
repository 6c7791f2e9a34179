"""What dbt made of the project for `two_nights`: its manifest, and SQL compiled from the project's own macros."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tanhuan.files import read_json
from tanhuan.settings import Settings
from tanhuan.warehouse.build import run_dbt

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def manifest(two_nights: Settings) -> dict[str, Any]:
    """dbt's own description of the project, as of the build of `two_nights`."""
    return dict(read_json(two_nights.root / "dbt" / "manifest.json"))


def read_compiled(settings: Settings, model: dict[str, Any]) -> str:
    """Return the SQL that dbt made of a model."""
    path = settings.root / "dbt" / "compiled" / "tanhuan" / model["original_file_path"]
    return path.read_text("utf-8")


def compile_inline(jinja: str, settings: Settings) -> str:
    """Return the SQL that dbt makes of a template which uses the project's macros."""
    run_dbt(["compile", "--inline", jinja], settings)
    (result,) = read_json(settings.root / "dbt" / "run_results.json")["results"]
    return str(result["compiled_code"])


@pytest.fixture(autouse=True)
def _own_environment() -> Any:
    """dbt is told the warehouse through the environment; give it back as it was."""
    before = os.environ.get("TANHUAN_WAREHOUSE")
    yield
    if before is None:
        os.environ.pop("TANHUAN_WAREHOUSE", None)
    else:
        os.environ["TANHUAN_WAREHOUSE"] = before
