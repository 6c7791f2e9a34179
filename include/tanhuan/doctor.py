"""What a person checks first when a night did not go as it should."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from dataclasses import dataclass

from tanhuan.contracts import get_contract
from tanhuan.errors import TanhuanError
from tanhuan.feeds.upstream import Upstream
from tanhuan.files import read_json
from tanhuan.settings import Settings, now, yesterday

_FREE_GB_WANTED = 5
_FRESH_DAYS = 2


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def examine(settings: Settings) -> list[Finding]:
    """Look at Python, disk, upstream and publication."""
    return [_python(), _disk(settings), _upstream(settings), _publication(settings)]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info[:2] == (3, 11), f"{version} (3.11 is needed)")


def _disk(settings: Settings) -> Finding:
    settings.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.root).free / 1e9
    return Finding("磁盘 disk", free > _FREE_GB_WANTED, f"{free:.0f} GB free under {settings.root}")


def _upstream(settings: Settings) -> Finding:
    if settings.upstream_url is None:
        return Finding("上游 upstream", True, "none configured: nights use the stand-in (synthetic rows say so)")
    try:
        with Upstream(settings) as upstream:
            pages = list(upstream.fetch_pages(get_contract("permit"), yesterday(), yesterday()))
    except TanhuanError as failure:
        return Finding("上游 upstream", False, str(failure))
    return Finding("上游 upstream", True, f"{upstream.base} answered {sum(p.rows for p in pages)} permits")


def _publication(settings: Settings) -> Finding:
    path = settings.published / "current" / "manifest.json"
    if not path.exists():
        return Finding("发布 publication", False, "nothing is published yet; run `tanhuan night`")
    manifest = read_json(path)
    age = now() - dt.datetime.fromisoformat(manifest["published_at"])
    hours, missing = age.total_seconds() / 3600, manifest["missing_tables"] or "none"
    detail = f"{manifest['version']}, {hours:.0f} h old; missing tables: {missing}"
    return Finding("发布 publication", age.days < _FRESH_DAYS and not manifest["missing_tables"], detail)
