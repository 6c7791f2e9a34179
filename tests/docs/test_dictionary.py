"""Documents agree with the project: dictionary and sources, links and files; and nothing private is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tanhuan.dictionary import UNITS, Table, list_ops, list_published, render
from tanhuan.duck import open_memory
from tanhuan.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))

_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
_HEADING = re.compile(r"^#+\s+(.+?)\s*$", re.MULTILINE)
_SQL = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LETTERS = re.compile(r"[A-Za-z0-9]")
#: where developers and build machines keep their checkouts; containers use /opt and /var
_MACHINE_PATH = re.compile(r"(?<![\w.])(?:/(?:root|home|Users|work|workspace|tmp|builds)/\w|[A-Z]:\\\w)")
_REGISTRY = re.compile(
    r"https?://[^\s)]*(?:pypi|pythonhosted|/simple\b|artifactory|nexus|npmjs|anaconda)", re.IGNORECASE
)


def name_document(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def list_anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def published() -> list[Table]:
    return list_published(ROOT / "dbt_project")


def test_the_committed_dictionary_is_the_one_that_is_generated() -> None:
    committed = (ROOT / "docs" / "data-dictionary.md").read_text("utf-8")
    assert committed == render(ROOT / "dbt_project"), "a description has changed: run `python -m tanhuan.dictionary`"


def test_every_published_table_is_in_the_dictionary(published: list[Table]) -> None:
    models = {path.stem for f in ("marts", "indicators") for path in (ROOT / "dbt_project/models" / f).rglob("*.sql")}
    assert {table.name for table in published} == models


def test_every_published_table_and_column_is_described_in_chinese_and_english(published: list[Table]) -> None:
    texts = {table.name: (table.zh, table.en) for table in published}
    texts |= {f"{table.name}.{c.name}": (c.zh, c.en) for table in published for c in table.columns}
    assert len(texts) > 400
    lacking = [name for name, (zh, en) in texts.items() if not (_CHINESE.search(zh) and _LETTERS.search(en))]
    assert lacking == []


def test_a_table_without_its_english_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "models" / "marts" / "half.yml"
    model.parent.mkdir(parents=True)
    model.write_text("models:\n  - {name: half, description: 只有中文。, columns: [], data_tests: []}\n", "utf-8")
    with pytest.raises(ValueError, match="half"):
        list_published(tmp_path)


def test_numbers_of_a_mass_or_concentration_show_their_unit(published: list[Table]) -> None:
    shown = {(c.name, c.unit) for table in published for c in table.columns}
    assert {("verified_t", "t"), ("pm25_ug_m3", UNITS["_ug_m3"]), ("flow_m3", "m³"), ("rate_a_pct", "%")} <= shown


def test_there_are_documents_to_check() -> None:
    assert {"README.md", "README.zh-CN.md", "CHANGELOG.md"} <= {name_document(p) for p in DOCUMENTS}
    assert len(RUNBOOKS) >= 9


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_relative_links_resolve(document: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCE.sub("", document.read_text("utf-8"))):
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in list_anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", [p for p in DOCUMENTS if _SQL.search(p.read_text("utf-8"))], ids=name_document)
def test_queries_fit_the_published_tables(document: Path, published: list[Table]) -> None:
    with open_memory() as con:
        for table in [*published, *list_ops()]:
            con.execute(f"create table {table.name} ({', '.join(f'{c.name} {c.type}' for c in table.columns)})")
        for query in _SQL.findall(document.read_text("utf-8")):
            con.execute(query)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_names_every_setting(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    assert [n for n in Settings.model_fields if f"TANHUAN_{n.upper()}" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_nothing_of_a_developers_machine_is_told(document: Path) -> None:
    text = document.read_text("utf-8")
    assert _MACHINE_PATH.findall(text) == []
    assert _REGISTRY.findall(text) == []


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=name_document)
def test_a_runbook_says_what_is_seen_what_it_means_what_to_do_and_when_it_is_mended(runbook: Path) -> None:
    headings = set(_HEADING.findall(runbook.read_text("utf-8")))
    if runbook.name != "README.md":
        assert {"What you see", "What it means", "What to do", "How to know it is mended"} <= headings
