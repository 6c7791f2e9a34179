"""Gate 2: figures that cannot be are not published, and the sentence says which, why and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from tanhuan import ledger
from tanhuan.duck import open_warehouse
from tanhuan.errors import PublicationRefused
from tanhuan.gates.mart_gate import check_marts
from tanhuan.gates.suites import load_mart_suites
from tanhuan.settings import Settings
from tests.conftest import NIGHTS, copy_installation

KEY = NIGHTS[-1]

#: what is wrong → the table, the statement that breaks it, the check that must notice
_BROKEN = {
    "negative mass": (
        "fct_source_day",
        "update fct_source_day set mass_kg = -1 where rowid = (select max(rowid) from fct_source_day)",
        "MART-FS-030",
    ),
    "a day counted twice": (
        "fct_source_day",
        "insert into fct_source_day from fct_source_day order by all limit 1",
        "MART-FS-010",
    ),
    "attained without a target": (
        "ind_plan_indicator",
        "update ind_plan_indicator set status = 'attained', cause = 'target_met', target_value = null "
        "where plan_id = '14' and indicator_no = 3 and assessment_point = 'FINAL_2025'",
        "MART-PI-040",
    ),
    "attained on a guess": (
        "ind_plan_indicator",
        "update ind_plan_indicator set status = 'attained', value = null "
        "where plan_id = '14' and indicator_no = 4 and assessment_point = 'FINAL_2025'",
        "MART-PI-040",
    ),
    "an indicator lost": (
        "ind_plan_indicator",
        "delete from ind_plan_indicator where plan_id = '14' and indicator_no = 28",
        "MART-PI-020",
    ),
    "data of unknown basis": (
        "fct_source_day",
        "update fct_source_day set data_basis = 'guessed' where rowid = (select min(rowid) from fct_source_day)",
        "MART-FS-080",
    ),
}


def test_what_the_models_built_passes(two_nights: Settings) -> None:
    results = check_marts(KEY, two_nights)
    suites = load_mart_suites(two_nights)
    assert len(results) == sum(len(s.checks) for s in suites) > 100
    assert not [r.id for r in results if r.refuses_batch]


@pytest.fixture(scope="module")
def gate_house(two_nights: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_installation(two_nights, tmp_path_factory.mktemp("gate") / "home")


@pytest.mark.parametrize("broken", _BROKEN)
def test_a_broken_mart_is_refused_with_its_check_and_the_next_step(broken: str, gate_house: Settings) -> None:
    table, sql, check_id = _BROKEN[broken]
    with open_warehouse(gate_house) as con:
        con.execute(f"create or replace table kept as from {table}")
        con.execute(sql)
    try:
        with pytest.raises(PublicationRefused) as refusal:
            check_marts(KEY, gate_house)
    finally:
        with open_warehouse(gate_house) as con:
            con.execute(f"delete from {table}")
            con.execute(f"insert into {table} from kept")
            con.execute("drop table kept")
    sentence = str(refusal.value)
    assert f"gate 2 refused the publication of {KEY}" in sentence
    assert f"[refuse_batch] {check_id}" in sentence
    assert "the published version stays" in sentence
    assert "Next step: find the cause" in sentence
    assert not refusal.value.retryable
    assert not gate_house.published.exists(), "nothing is published"
    event = next(ledger.read_last("gates", gate_house))
    assert (event["gate"], event["passed"]) == ("mart", False)
    failed = {c["id"]: c for c in event["checks"] if not c["passed"] and c["action"] == "refuse_batch"}
    assert check_id in failed
    assert failed[check_id]["zh"], "the answer is data for a clerk"


def test_a_flag_is_told_but_does_not_stop_the_night(own_copy: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with open_warehouse(own_copy) as con:
        con.execute("delete from dim_outlet where rowid = (select min(rowid) from dim_outlet)")
        lost: Any = con.execute(
            "select count(*) from fct_source_day anti join dim_outlet using (permit_no, outlet_code)"
        )
        assert lost.fetchone() != (0,), "the outlet has days"
    with caplog.at_level("WARNING"):
        results = check_marts(KEY, own_copy)
    assert "MART-FS-070" in {r.id for r in results if not r.passed}
    assert "[flag] MART-FS-070" in caplog.text
