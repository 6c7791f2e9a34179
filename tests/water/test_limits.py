"""The seeds of limits are the standards' tables, cell by cell, and better classes are never the laxer ones."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.water.made import ITEMS, Row, read_seed
from tests.water.standard import CLASSES, GROUND, SURFACE, Limit, Table

SEEDS = {"water_limit": SURFACE, "groundwater_limit": GROUND}
EXCLUDED = {"water_temp", "tn", "coliform"}


def number(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


def by_item(seed: str) -> dict[tuple[str, str], list[Row]]:
    """The seed's rows by item and kind of water, in the order of the classes."""
    rows = defaultdict(list)
    for row in sorted(read_seed(seed), key=lambda r: int(r["class_no"])):
        rows[row["item_id"], row.get("body_kind", "any")].append(row)
    return dict(rows)


def limits_of(rows: list[Row]) -> list[Limit]:
    return [
        Limit(number(row["lower_limit"]), number(row["upper_limit"]), number(row.get("alternative_saturation_pct")))
        for row in rows
        if row["bound"] != "narrative"
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_of_the_table_is_a_row_of_the_seed_and_no_other(seed: str) -> None:
    table: Table = SEEDS[seed]
    assert {key: limits_of(rows) for key, rows in by_item(seed).items()} == table
    assert len({item for item, _ in table}) == {"water_limit": 24, "groundwater_limit": 39}[seed]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_item_has_each_class_once(seed: str) -> None:
    classes = CLASSES[: {"water_limit": 5, "groundwater_limit": 4}[seed]]
    for key, rows in by_item(seed).items():
        assert [(row["class_no"], row["water_class"]) for row in rows] == [
            (str(n), name) for n, name in enumerate(classes, start=1)
        ], key


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worse_class_is_never_stricter(seed: str) -> None:
    """What a class admits, every worse one admits: without it "the best class whose limit holds" would jump."""
    for key, rows in by_item(seed).items():
        for better, worse in pairwise(limits_of(rows)):
            assert (better.low is None) == (worse.low is None) or worse == Limit(), key
            assert worse.low is None or better.low is None or worse.low <= better.low, key
            assert worse.high is None or better.high is None or worse.high >= better.high, key


def test_21_items_decide_and_three_are_only_shown() -> None:
    table = {item for item, _ in SURFACE}
    deciding = {item for item, row in ITEMS.items() if row["surface_role"] == "single_factor"}
    assert deciding == table - EXCLUDED
    assert len(deciding) == 21


def test_multiples_are_defined_where_more_is_worse() -> None:
    """C ÷ S − 1 says nothing of oxygen, of pH or of a temperature."""
    with_multiple = {item for item, row in ITEMS.items() if row["has_multiple"] == "true"}
    assert not with_multiple & {"ph", "do", "water_temp"}
    assert {item for item, _ in SURFACE} - with_multiple == {"ph", "do", "water_temp"}


def test_the_trophic_index_weighs_five_items_to_one() -> None:
    rows = read_seed("water_tli")
    assert {row["item_id"] for row in rows} == {"chla", "tp", "tn", "sd", "codmn"}
    assert sum(Decimal(row["weight"]) for row in rows) == Decimal(1)
    assert [row["item_id"] for row in rows if Decimal(row["slope"]) < 0] == ["sd"], "only clear water lowers it"


def test_codes_that_no_document_here_names_are_tagged_unsure() -> None:
    guessed = {"chla", "sd", "turbidity", "hardness", "na", "iodide"}
    assert {item for item, row in ITEMS.items() if "未见原文" in row["source_doc"]} == guessed
    assert {item for item in guessed if ITEMS[item]["confidence"] != "unsure"} == set()
