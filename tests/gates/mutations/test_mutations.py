"""The mutation test in its small form: one night, some kinds, one seed. In full: `tanhuan bench gates`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tanhuan.contracts import get_contract, load_contracts
from tanhuan.errors import TanhuanError
from tanhuan.mutations.base import Base, CleanNight, describe_base, open_base
from tanhuan.mutations.catalogue import MARTS, Kind, read_kinds
from tanhuan.mutations.compare import Answers, list_news
from tanhuan.mutations.report import Report, show_report
from tanhuan.mutations.run import Trial, Trials, open_trials
from tanhuan.settings import Settings

NIGHT = dt.date(2025, 12, 31)
KINDS = read_kinds(Settings(_env_file=None))  # type: ignore[call-arg]
#: one of each sort: unit, column, time, text, missing, row; small tables, so that they are quick
SMALL = (
    "AH-UNIT-UP-ALL",
    "AH-SWAP-PM",
    "AH-HOUR-PLUS",
    "AH-TEXT-IN-NUMBER",
    "AH-STATION-DROPPED",
    "AH-DAY-DROPPED",
    "AH-DUPLICATE-OTHER",
)
GENTLE = Kind.model_validate(
    {
        "table": "air_hour",
        "id": "T-GENTLE",
        "zh": "一",
        "en": "one",
        "expect": "flagged",
        "sql": "update rows set no2_ug_m3 = no2_ug_m3 + 1 "
        "where _no = (select max(_no) from rows where _day = night() and no2_ug_m3 between 15 and 60)",
    }
)


@pytest.fixture(scope="module")
def base(two_nights: Settings) -> Base:
    return describe_base(two_nights, NIGHT)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A base as `tanhuan bench gates` makes it, after two nights and without history."""
    own = Settings(upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    return open_base(tmp_path_factory.mktemp("lived"), own, NIGHT, 2, print, history=False)


@pytest.fixture(scope="module")
def trials(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """Trials behind gate 1; whatever they do, the base stays as it is."""
    before = list_files(base.before.root)
    yield Trials(base, tmp_path_factory.mktemp("trials"), gate1_only=True)
    assert list_files(base.before.root) == before


def list_files(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}


def find_kind(name: str) -> Kind:
    return next(kind for kind in KINDS if kind.id == name)


@pytest.mark.parametrize("name", SMALL)
def test_a_spoilt_batch_is_noticed_as_promised(trials: Trials, name: str) -> None:
    kind = find_kind(name)
    trial = trials.try_kind(kind, 1)
    assert trial.rows > 0
    assert trial.by, trial
    assert trial.result in ("refused", kind.expect), trial


def test_a_harmless_change_is_not_noticed(trials: Trials) -> None:
    trial = trials.try_kind(find_kind("AH-ROWS-MIXED"), 1)
    assert (trial.result, trial.by) == ("silent", [])


def test_what_no_check_can_see_is_called_silent(trials: Trials) -> None:
    trial = trials.try_kind(GENTLE, 1)
    assert (trial.result, trial.rows) == ("silent", 1)


def test_a_kind_that_finds_no_place_is_an_error(trials: Trials) -> None:
    trial = trials.try_kind(GENTLE.model_copy(update={"sql": "delete from rows where false"}), 1)
    assert trial.result == "error"
    assert "no place found" in trial.by[0]


def test_a_kind_with_wrong_sql_is_an_error(trials: Trials) -> None:
    trial = trials.try_kind(GENTLE.model_copy(update={"sql": "update rows set nothing = 1"}), 1)
    assert trial.result == "error"
    assert "nothing" in trial.by[0]


def test_the_seed_decides_where_and_how_much(trials: Trials) -> None:
    anywhere = GENTLE.model_copy(update={"sql": "delete from rows where luck(_no) < 0.2"})
    rows = [trials.try_kind(anywhere, seed).rows for seed in (1, 1, 2, 3)]
    assert rows[0] == rows[1]
    assert len(set(rows)) > 1


@pytest.mark.slow
def test_a_figure_that_changes_without_a_word_is_missed_and_one_that_does_not_is_harmless(
    lived: Base, tmp_path: Path
) -> None:
    trials = Trials(lived, tmp_path)
    assert trials.try_kind(GENTLE, 1).result == "harmless"
    figure = "update rows set no2_24h_ug_m3 = no2_24h_ug_m3 + 1 where _day = night()"
    missed = trials.try_kind(GENTLE.model_copy(update={"sql": figure}), 1)
    assert missed.result == "MISSED", missed
    assert "fct_air_station_day" in missed.tables


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_kind_finds_its_place(lived: Base, tmp_path: Path, kind: Kind) -> None:
    trial = Trials(lived, tmp_path, gate1_only=True).try_kind(kind, 1)
    assert trial.result != "error", trial.by


@pytest.mark.slow
def test_clean_nights_are_not_refused_and_a_base_is_found_again(lived: Base) -> None:
    assert [night.refused for night in lived.nights] == [[], []]
    folder, made = lived.before.root.parent, (lived.before.root.parent / "base.json").stat().st_mtime_ns
    again = open_base(folder, lived.before, NIGHT, 2, print, history=False)
    assert (again.loads, again.nights) == (lived.loads, lived.nights)
    assert (folder / "base.json").stat().st_mtime_ns == made


def test_trials_leave_nothing_behind(base: Base, tmp_path: Path) -> None:
    own = replace(base, before=base.before.model_copy(update={"home": tmp_path / "there" / "home"}))
    (tmp_path / "there").mkdir()
    with open_trials(own, gate1_only=True) as trials:
        assert trials.scratch.is_dir()
    assert list((tmp_path / "there").iterdir()) == []


def test_kinds_are_many_and_named_once() -> None:
    assert len(KINDS) >= 60
    assert len({kind.id for kind in KINDS}) == len(KINDS)
    assert {kind.table for kind in KINDS} <= {*load_contracts(), MARTS}
    assert [kind.id for kind in KINDS if not (kind.zh.strip() and kind.en.strip() and kind.sql.strip())] == []


def test_a_kind_nobody_knows_is_told_with_the_known_tables(home: Settings) -> None:
    with pytest.raises(TanhuanError, match=r"no kind of corruption for nothing[\s\S]*air_hour"):
        read_kinds(home, tables=["nothing"])


def test_a_check_speaks_only_if_it_says_more_than_of_the_clean_batch() -> None:
    clean = Answers(False, failed={"A": 2, "B": 1}, samples={"A": frozenset("xy"), "B": frozenset("x")})
    same = Answers(False, failed={"A": 1}, samples={"A": frozenset("x")})
    other = Answers(False, failed={"A": 2, "C": 1}, samples={"A": frozenset("xz"), "C": frozenset("x")})
    more = Answers(False, failed={"B": 3}, samples={"B": frozenset("x")})
    assert list_news(clean, clean) == list_news(same, clean) == []
    assert list_news(other, clean) == ["A", "C"]
    assert list_news(more, clean) == ["B"]


def make_report(*results: str, expect: str = "flagged") -> Report:
    kind = GENTLE.model_copy(update={"expect": expect})
    trials = [Trial(kind.id, kind.table, seed, result) for seed, result in enumerate(results)]  # type: ignore[arg-type]
    failing = [{"gate": 1, "table": "air_hour", "id": "SRC-1", "action": "flag", "rows": 3}]
    return Report([kind], trials, [CleanNight("2025-12-30", batches=20, failing=failing)] * 2)


def test_the_score_counts_what_changes_a_figure() -> None:
    assert make_report(*["flagged"] * 98, "refused", "MISSED", "harmless").score == pytest.approx(0.99)
    assert make_report(*["flagged"] * 98, "refused", "MISSED", "harmless").list_faults() == []
    assert "asked for" in make_report("flagged", "MISSED").list_faults()[0]
    assert make_report("harmless").score is None


def test_an_error_a_noticed_harmless_change_and_a_refused_clean_night_are_faults() -> None:
    assert len(make_report("error").list_faults()) == 1
    assert "nothing is wrong" in make_report("flagged", expect="passed").list_faults()[0]
    refused = replace(make_report("flagged"), nights=[CleanNight("2025-12-30", refused=["permit: why"])])
    assert refused.list_faults() == ["clean night 2025-12-30 was refused: permit: why"]


def test_the_table_for_people_tells_kinds_tables_and_clean_nights() -> None:
    console = Console(record=True, width=200)
    show_report(make_report("flagged", "MISSED"), console)
    shown = console.export_text()
    assert all(text in shown for text in ("T-GENTLE", "flagged 1 MISSED 1", "air_hour", "SRC-1", "50.00%"))


def test_every_table_a_kind_names_has_pages_to_spoil(base: Base) -> None:
    assert set(base.loads) == set(load_contracts())
    assert all(get_contract(table).table == load.table for table, load in base.loads.items())
