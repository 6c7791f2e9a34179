"""The kinds of corruption, read from `tests/gates/mutations/`: one YAML file a table, and its loader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tanhuan.contracts import load_contracts
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings

#: the file whose kinds spoil the built warehouse, for gate 2
MARTS = "marts"


class Kind(BaseModel):
    """One way to spoil a table: what it is, what the gates promise to do about it, and the SQL that does it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    id: str = Field(pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)+$")
    zh: str
    en: str
    expect: Literal["refused", "flagged", "passed"]
    shown_as: Literal["typed", "text"] = Field(default="typed", alias="as")
    sql: str


def read_kinds(settings: Settings, tables: Sequence[str] = (), ids: Sequence[str] = ()) -> list[Kind]:
    """Return the kinds of the tables named (or all), in the order of their files.

    Raises:
        TanhuanError: a file is not as `tests/gates/mutations/README.md` says, or nothing has the names asked for.
    """
    folder = settings.project_root / "tests" / "gates" / "mutations"
    kinds = [kind for path in sorted(folder.glob("*.yml")) for kind in _read_file(path)]
    if twice := [name for name, count in Counter(kind.id for kind in kinds).items() if count > 1]:
        raise TanhuanError(f"Kinds of corruption named twice: {', '.join(twice)}.", "give each its own id.")
    wanted = [kind for kind in kinds if (not tables or kind.table in tables) and (not ids or kind.id in ids)]
    if not wanted:
        named = ", ".join([*tables, *ids]) or str(folder)
        raise TanhuanError(
            f"There is no kind of corruption for {named}.",
            f"name a table of {', '.join(dict.fromkeys(kind.table for kind in kinds)) or 'none'}.",
        )
    return wanted


def _read_file(path: Path) -> list[Kind]:
    data = yaml.safe_load(path.read_text("utf-8"))
    table = data.get("table")
    if table != path.stem or table not in {*load_contracts(), MARTS}:
        raise TanhuanError(f"{path} says table {table!r}.", "name the contract of the file's name, or marts.")
    try:
        return [Kind.model_validate({"table": table, **kind}) for kind in data["kinds"]]
    except ValidationError as wrong:
        raise TanhuanError(f"{path}: {wrong}", "see README.md beside it for the form of a kind.") from wrong
