"""`tanhuan bench` at a small size: which figures it tells. How fast anything is is no matter of a test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tanhuan.bench import Measure, gate, list_measures, show_measures
from tanhuan.bench.emissions import measure_emissions
from tanhuan.bench.gate import measure_gate
from tanhuan.bench.packets import measure_packets
from tanhuan.bench.reading import measure_reading
from tanhuan.cli import app
from tanhuan.errors import TanhuanError
from tanhuan.landing import Load
from tanhuan.settings import Settings, get_settings

ROWS, PACKETS = 5_000, 200


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_reading_tells_its_steps_and_what_plain_duckdb_took(home: Settings, form: str) -> None:
    told = measure_reading(form, ROWS, 2, home).as_record()
    keys = {"name", "amount", "unit", "seconds", "floor_s", "steps", "others", "per_second", "ratio_to_floor"}
    assert told.keys() == keys
    assert (told["name"], told["amount"], told["unit"]) == (f"reading {form}", ROWS, "rows")
    assert set(told["steps"]) == {"read", "correct", "compare", "check", "write"}, (
        "the suite's checks are not in the figure"
    )
    assert told["seconds"] == pytest.approx(sum(told["steps"].values()))
    assert told["ratio_to_floor"] == pytest.approx(told["seconds"] / told["floor_s"], abs=0.01)
    assert told["per_second"] == pytest.approx(ROWS / told["seconds"], abs=1)


def test_packets_have_no_floor_since_duckdb_cannot_read_them() -> None:
    told = measure_packets(PACKETS).as_record()
    assert (told["name"], told["amount"], told["unit"]) == ("decoding HJ 212", PACKETS, "packets")
    assert told["floor_s"] is None
    assert told["ratio_to_floor"] is None


@pytest.fixture(scope="module")
def gate_figures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Measure, dict[str, Any], list[Path]]]:
    """Measure the gate once: its figures, what its process told, and what is left of it."""
    told: list[dict[str, Any]] = []
    run_gate = gate._run_gate

    def run_and_note(load: Load, settings: Settings) -> dict[str, Any]:
        told.append(run_gate(load, settings))
        return told[-1]

    own = Settings(home=tmp_path_factory.mktemp("gate"), upstream_url=None, _env_file=None)  # type: ignore[call-arg]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "_run_gate", run_and_note)
        yield measure_gate(ROWS, own), told[-1], list(own.root.iterdir())


@pytest.mark.slow
def test_the_gate_tells_its_checks_its_memory_and_what_the_same_took_by_hand(
    gate_figures: tuple[Measure, dict[str, Any], list[Path]],
) -> None:
    """That gate and hand-written pass find the same rows for every check is asserted by the measure itself."""
    told = gate_figures[0].as_record()
    assert (told["name"], told["amount"], told["unit"]) == ("gate", ROWS, "rows")
    assert set(told["steps"]) == {"check", "write", "gate", "quarantine"}
    checks, failing, imported, peak, writing = told["others"].values()
    assert checks >= 30
    assert 0.005 * ROWS < failing < 0.02 * ROWS, "one row in a hundred is faulty"
    assert told["seconds"] == pytest.approx(sum(told["steps"].values()), abs=0.01)
    assert told["ratio_to_floor"] == pytest.approx(told["seconds"] / told["floor_s"], rel=0.01)
    assert imported > 0
    assert 100 < peak < 1024
    assert writing > told["floor_s"]
    assert gate_figures[2] == [], "nothing of the installation is touched"


@pytest.mark.slow
def test_a_gate_that_finds_other_rows_than_the_hand_written_pass_has_no_figure(
    gate_figures: tuple[Measure, dict[str, Any], list[Path]], home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made rows are always the same, so the answer of the first run stands for that of another, but for one count."""
    found = gate_figures[1]["found"]
    answer = gate_figures[1] | {"found": found | {"SRC-SH-080": found["SRC-SH-080"] - 1}}
    monkeypatch.setattr(gate, "_run_gate", lambda *_: answer)
    with pytest.raises(AssertionError, match=r"other rows were found.*SRC-SH-080"):
        measure_gate(ROWS, home)


def test_nothing_of_the_installation_is_touched(home: Settings) -> None:
    measure_reading("parquet", ROWS, 1, home)
    assert list(home.root.iterdir()) == []


def test_only_what_is_named_is_measured(home: Settings) -> None:
    assert [m.name for m in list_measures(["packets"], ROWS, PACKETS, 1, home)] == ["decoding HJ 212"]
    with pytest.raises(TanhuanError, match=r"Nothing is measured under speed.*reading or gate or emissions or packets"):
        list_measures(["speed"], ROWS, PACKETS, 1, home)


def test_the_table_for_people_shows_every_figure(home: Settings) -> None:
    console = Console(record=True, width=200)
    show_measures(list_measures(["reading", "packets"], ROWS, PACKETS, 2, home), console)
    shown = console.export_text()
    assert all(name in shown for name in ("reading ndjson", "reading parquet", "decoding HJ 212", "5,000", "ratio"))


def test_the_command_prints_json_for_programs(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANHUAN_HOME", str(home.root))
    get_settings.cache_clear()
    answer = CliRunner().invoke(
        app, ["bench", "reading", "packets", "--rows", str(ROWS), "--packets", str(PACKETS), "--json"]
    )
    get_settings.cache_clear()
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert [measure["name"] for measure in told] == ["reading ndjson", "reading parquet", "decoding HJ 212"]
    assert all(measure["per_second"] > 0 for measure in told)


@pytest.mark.slow
def test_a_night_computes_its_quarters_and_not_all_years(home: Settings) -> None:
    rebuild, night, late = (measure.as_record() for measure in measure_emissions(2, 3, home))
    computed, in_all = "排放口日重算 outlet days computed", "排放口日共 outlet days in all"
    assert rebuild["others"][computed] == rebuild["others"][in_all] > 3000
    assert night["others"][computed] < rebuild["others"][in_all] / 10
    assert late["others"][computed] < rebuild["others"][in_all] / 3, (
        "the quarter of the hour, and those that looked at it"
    )
    assert late["others"][in_all] == rebuild["others"][in_all]
    assert list(home.root.iterdir()) == [], "what was made is thrown away"
