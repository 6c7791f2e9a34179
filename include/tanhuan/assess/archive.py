"""The frozen assessments as they lie in `published/assessments/<plan_id>/<point>/<number>/`: listed, read, verified.

A frozen assessment is a folder that appears whole, is read-only from then on, and says in `manifest.json` what each of
its files hashes to. The ledger holds the manifest's own hash, so that not even both can be changed unnoticed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tanhuan import ledger
from tanhuan.files import read_json
from tanhuan.settings import Settings

#: event kind in the ledger
KIND = "assessments"
MANIFEST = "manifest.json"
DATABASE = "assessment.duckdb"


@dataclass(frozen=True)
class Freeze:
    """One frozen assessment: its folder and what its manifest says."""

    path: Path
    manifest: dict[str, Any]

    @property
    def plan_id(self) -> str:
        """The plan, e.g. 14."""
        return str(self.manifest["plan_id"])

    @property
    def point(self) -> str:
        """The assessment point, e.g. MID_2023."""
        return str(self.manifest["assessment_point"])

    @property
    def number(self) -> int:
        """1 for the first freeze of a point, then one more for each revision."""
        return int(self.manifest["freeze_no"])

    @property
    def name(self) -> str:
        """How people call it: plan/point/number."""
        return f"{self.plan_id}/{self.point}/{self.number}"


def archive_folder(settings: Settings) -> Path:
    """Return where frozen assessments lie; housekeeping never looks in there."""
    return settings.published / "assessments"


def list_freezes(settings: Settings, plan_id: str = "*", point: str = "*") -> list[Freeze]:
    """Return the frozen assessments in order of plan, point and number."""
    found = archive_folder(settings).glob(f"{plan_id}/{point}/[0-9]*/{MANIFEST}")
    freezes = [Freeze(path.parent, dict(read_json(path))) for path in found]
    return sorted(freezes, key=lambda f: (f.plan_id, f.manifest["due_date"], f.point, f.number))


def hash_file(path: Path) -> str:
    """Return a file's sha256."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_files(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file under a folder but the manifest, by relative name."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in paths}


def hash_whole(files: dict[str, str]) -> str:
    """Return one hash of all files, names included."""
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items())).encode()).hexdigest()


def verify(settings: Settings) -> dict[str, list[str]]:
    """Hash every file of every frozen assessment again; return what differs, by its name: no sentence is good.

    Also looks for assessments that the ledger knows and the folder has not, and the other way round.
    """
    known = {event["name"]: event for event in ledger.read_last(KIND, settings)}
    folders = sorted(p for p in archive_folder(settings).glob("*/*/[0-9]*") if p.is_dir())
    answer = {}
    for path in folders:
        name = path.relative_to(archive_folder(settings)).as_posix()
        answer[name] = _verify_folder(path, known.get(name))
    for name in known.keys() - answer.keys():
        answer[name] = ["the folder is gone, though the ledger knows it"]
    return dict(sorted(answer.items()))


def _verify_folder(path: Path, event: dict[str, Any] | None) -> list[str]:
    manifest_path = path / MANIFEST
    if not manifest_path.exists():
        return [f"{MANIFEST} is missing"]
    wrong = []
    if event is None:
        wrong.append("the ledger does not know it")
    elif hash_file(manifest_path) != event["manifest_sha256"]:
        wrong.append(f"{MANIFEST} is not the one that was written")
    try:
        manifest = read_json(manifest_path)
        stated: dict[str, str] = manifest["files"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return [*wrong, f"{MANIFEST} cannot be read"]
    found = hash_files(path)
    wrong += [f"{name} is missing" for name in stated.keys() - found.keys()]
    wrong += [f"{name} was added" for name in found.keys() - stated.keys()]
    wrong += [f"{name} differs" for name in stated.keys() & found.keys() if stated[name] != found[name]]
    if hash_whole(stated) != manifest.get("content_hash"):
        wrong.append("content_hash is not that of the files listed")
    return sorted(wrong)
