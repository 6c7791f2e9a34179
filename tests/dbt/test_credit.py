"""Credit: results of several levels, cases listed more than once, and amounts as documents write them."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import pytest

from tanhuan.formats.enterprise_text import parse_amount_cny
from tanhuan.settings import Settings
from tests.dbt.small_warehouse import add_snapshot, build_models, create_warehouse, fetch

NUMERALS = "零壹贰叁肆伍陆柒捌玖"


@pytest.fixture
def warehouse(home: Settings) -> Settings:
    create_warehouse(home)
    return home


def spell_section(number: int) -> str:
    """Spell a number below ten thousand as documents of finance do: 1005 is 壹仟零伍."""
    digits = f"{number:04d}"
    spelled = "".join(
        NUMERALS[int(digit)] + place if digit != "0" else "零" for digit, place in zip(digits, "仟佰拾 ", strict=True)
    )
    while "零零" in spelled:
        spelled = spelled.replace("零零", "零")
    return spelled.replace(" ", "").strip("零") if number >= 1000 else spelled.replace(" ", "").rstrip("零")


def spell_amount(fen: int) -> str:
    """Spell an amount of money in capital numerals."""
    yuan, cents = divmod(fen, 100)
    sections = ((yuan // 10**8, "亿"), (yuan // 10**4 % 10**4, "万"), (yuan % 10**4, ""))
    spelled = "".join(spell_section(number) + unit for number, unit in sections if number).lstrip("零")
    jiao, last = divmod(cents, 10)
    spelled += "元" + (NUMERALS[jiao] + "角" if jiao else "") + (NUMERALS[last] + "分" if last else "")
    return spelled if cents else spelled + "整"


def list_amount_texts() -> list[tuple[str, str | None]]:
    """Return texts that say an amount, with their unit, and ones damaged at random; the same ones every time."""
    rng = random.Random(20_000)
    texts: list[tuple[str, str | None]] = []
    for _ in range(400):
        fen = rng.randrange(100, 10 ** rng.randint(3, 13))
        yuan = Decimal(fen) / 100
        for text in (spell_amount(fen), f"{yuan}元", f"¥{yuan:,}", f"{yuan / 10_000:f}万元", f"{yuan}"):
            texts.append((text, rng.choice([None, "元", "万元"])))
            at = rng.randrange(len(text))
            texts.append((text[:at] + rng.choice("零壹拾佰万亿元整￥,.1 x") + text[at + rng.randint(0, 1) :], None))
        texts.append((f"人民币{spell_amount(fen)}（￥{yuan}）", None))
    return texts


def test_sql_and_python_read_the_same_amounts(warehouse: Settings) -> None:
    texts = list_amount_texts()
    rows = [{"case_no": str(n), "amount_text": text, "amount_unit": unit} for n, (text, unit) in enumerate(texts)]
    add_snapshot(warehouse, "1", "penalty", rows)
    build_models(warehouse, "stg_credit__amount_text")
    read = fetch(warehouse, "select amount_text, amount_unit, amount_cny from staging.stg_credit__amount_text")
    assert len(read) == len(set(texts))
    differing = [(t, u, sql, parse_amount_cny(t, u)) for t, u, sql in read if sql != parse_amount_cny(t, u)]
    assert differing == []


@pytest.mark.parametrize(
    "fen", [100, 105, 150, 10_000, 100_500, 1_000_000, 100_500_000, 10_020_030_567, 30_000_000_009]
)
def test_an_amount_spelled_out_is_read_back(fen: int) -> None:
    assert parse_amount_cny(spell_amount(fen)) == Decimal(fen) / 100


def test_one_case_in_three_lists_counts_once_and_by_its_year(warehouse: Settings) -> None:
    case = {"uscc": "91430304MA0000001A", "penalty_type": "罚款", "law_basis": "《中华人民共和国水污染防治法》"}
    add_snapshot(
        warehouse,
        "1",
        "penalty",
        [
            case | {"case_no": "德环罚字【2019】0013号", "amount_text": "54.00", "amount_unit": "万元"}
            | {"published_date": "2019-12-24", "issuer_level": "省级"},
            case | {"case_no": "德环罚字〔2019〕0013号", "amount_text": "人民币伍拾肆万元整"}
            | {"decided_date": "2019-12-20", "published_date": "2020-01-03", "issuer_level": "区县级"},
            case | {"case_no": "德环罚字［２０１９］ 0013号", "amount_cny": 540000, "published_date": "2020-01-10"},
            case | {"case_no": "德环罚字〔2019〕0014号", "amount_text": "5.00", "published_date": "2019-12-24"},
        ],
    )  # fmt: skip
    evaluation = {"uscc": case["uscc"], "enterprise_name": "甲", "eval_year": 2019, "regime": "HN-A"}
    add_snapshot(
        warehouse,
        "2",
        "credit_evaluation",
        [
            evaluation | {"grade": "环保合格单位", "published_date": "2020-06-05", "issuer_level": "省级"},
            evaluation | {"grade": "环境合格", "published_date": "2020-07-05", "issuer_level": "市级"},
        ],
    )
    build_models(warehouse, "mart_enterprise_credit")
    cases = fetch(
        warehouse,
        "select case_no, amount_cny, amount_basis, penalty_date, date_basis, listing_count from fct_penalty order by 1",
    )
    assert cases == [
        ("德环罚字〔2019〕0013号", Decimal(540_000), "text", dt.date(2019, 12, 20), "decided", 3),
        ("德环罚字〔2019〕0014号", None, "unreadable", dt.date(2019, 12, 24), "published", 1),
    ]
    credit = fetch(
        warehouse,
        "select grade, rank, evaluation_count, is_disputed, penalty_count, penalty_by_publication_count, "
        "unread_amount_count, penalty_cny from mart_enterprise_credit",
    )
    assert credit == [("环保合格", 4, 2, False, 2, 1, 1, Decimal(540_000))]
