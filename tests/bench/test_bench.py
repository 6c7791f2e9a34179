"""`tanhuan bench` at a small size: which figures it tells. How fast anything is is no matter of a test."""

from __future__ import annotations

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tanhuan.bench import list_measures, measure_packets, measure_reading, show_measures
from tanhuan.cli import app
from tanhuan.errors import TanhuanError
from tanhuan.settings import Settings, get_settings

ROWS, PACKETS = 5_000, 200


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_reading_tells_its_steps_and_what_plain_duckdb_took(home: Settings, form: str) -> None:
    told = measure_reading(form, ROWS, 2, home).as_record()
    assert told.keys() == {"name", "amount", "unit", "seconds", "floor_s", "steps", "per_second", "ratio_to_floor"}
    assert (told["name"], told["amount"], told["unit"]) == (f"reading {form}", ROWS, "rows")
    assert set(told["steps"]) == {"read", "compare", "check", "write"}, "the suite's checks are not in the figure"
    assert told["seconds"] == pytest.approx(sum(told["steps"].values()))
    assert told["ratio_to_floor"] == pytest.approx(told["seconds"] / told["floor_s"], abs=0.01)
    assert told["per_second"] == pytest.approx(ROWS / told["seconds"], abs=1)


def test_packets_have_no_floor_since_duckdb_cannot_read_them() -> None:
    told = measure_packets(PACKETS).as_record()
    assert (told["name"], told["amount"], told["unit"]) == ("decoding HJ 212", PACKETS, "packets")
    assert told["floor_s"] is None
    assert told["ratio_to_floor"] is None


def test_nothing_of_the_installation_is_touched(home: Settings) -> None:
    measure_reading("parquet", ROWS, 1, home)
    assert list(home.root.iterdir()) == []


def test_only_what_is_named_is_measured(home: Settings) -> None:
    assert [m.name for m in list_measures(["packets"], ROWS, PACKETS, 1, home)] == ["decoding HJ 212"]
    with pytest.raises(TanhuanError, match=r"Nothing is measured under speed.*reading or packets"):
        list_measures(["speed"], ROWS, PACKETS, 1, home)


def test_the_table_for_people_shows_every_figure(home: Settings) -> None:
    console = Console(record=True, width=200)
    show_measures(list_measures([], ROWS, PACKETS, 2, home), console)
    shown = console.export_text()
    assert all(name in shown for name in ("reading ndjson", "reading parquet", "decoding HJ 212", "5,000", "ratio"))


def test_the_command_prints_json_for_programs(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANHUAN_HOME", str(home.root))
    get_settings.cache_clear()
    answer = CliRunner().invoke(app, ["bench", "--rows", str(ROWS), "--packets", str(PACKETS), "--json"])
    get_settings.cache_clear()
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert [measure["name"] for measure in told] == ["reading ndjson", "reading parquet", "decoding HJ 212"]
    assert all(measure["per_second"] > 0 for measure in told)
