"""The warehouse is disposable: what was published can be made again from the lake, to the byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tanhuan.admit import admit_loads
from tanhuan.duck import open_published
from tanhuan.errors import TanhuanError
from tanhuan.files import read_json
from tanhuan.settings import Settings
from tanhuan.warehouse.publish import Publication
from tanhuan.warehouse.rebuild import rebuild_warehouse
from tests.conftest import NIGHTS, Upstream, copy_installation, land_table


@pytest.fixture
def own(published: tuple[Settings, Publication], tmp_path: Path) -> Settings:
    return copy_installation(published[0], tmp_path / "home")


def read_manifest(publication: Publication) -> dict[str, Any]:
    return dict(read_json(publication.path / "manifest.json"))


def test_a_warehouse_that_is_damaged_is_made_again_with_the_same_content(
    published: tuple[Settings, Publication], own: Settings
) -> None:
    own.warehouse.write_bytes(b"not a database any more")
    rebuilt = rebuild_warehouse(own, Console(quiet=True))
    assert read_manifest(rebuilt)["tables"] == read_manifest(published[1])["tables"]
    assert rebuilt.content_hash == published[1].content_hash
    with open_published(own) as con:
        assert con.execute("select count(*) from ops_publication").fetchone() == (1,), "the one before this"


@pytest.mark.slow
def test_a_rebuild_stands_where_the_last_night_stood_even_after_an_old_night_was_made_up_for(
    published: tuple[Settings, Publication], own: Settings, upstream: Upstream
) -> None:
    (late,) = admit_loads(land_table("penalty", NIGHTS[0], own), own)
    assert late.state == "unchanged", "the old night brings nothing new, it only comes last"
    rebuilt = rebuild_warehouse(own, Console(quiet=True))
    assert read_manifest(rebuilt)["as_of"] == NIGHTS[-1].isoformat()
    assert rebuilt.content_hash == published[1].content_hash


def test_an_empty_lake_says_what_to_do_first(home: Settings) -> None:
    with pytest.raises(TanhuanError, match=r"nothing in the lake.*tanhuan night"):
        rebuild_warehouse(home, Console(quiet=True))
    assert not home.warehouse.exists()
