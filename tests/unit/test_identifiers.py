"""Codes are judged as the standards say, as written and never mended; examples are of public record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tanhuan.standards.identifiers import (
    Finding,
    classify_permit_no,
    classify_uscc,
    compact_code,
    complete_uscc,
    compose_permit_no,
    is_outlet_code,
    is_standard_mn,
    is_valid_organisation_code,
    is_valid_permit_no,
    is_valid_uscc,
)

DATA = Path(__file__).parent / "data"
VECTORS: dict[str, Any] = json.loads((DATA / "uscc.json").read_text("utf-8"))
PERMITS: list[dict[str, Any]] = json.loads((DATA / "permit_numbers.json").read_text("utf-8"))["usccCheck"]
VALID = ["91130200699229617X", "911302307808371268", "91430304MA0000001A", "9143030000000000A9"]
#: what the source of the vectors calls an error, in our words
ERRORS = {
    "length": Finding.WRONG_LENGTH,
    "format": Finding.WRONG_ALPHABET,
    "format (I,O,Z,S,V not allowed)": Finding.WRONG_ALPHABET,
    "checksum": Finding.CHECK_DIGIT_FAILED,
}


@pytest.mark.parametrize("code", VALID + [v["in"] for v in VECTORS["seen_elsewhere"] if len(v["in"]) == 18])
def test_uscc_of_known_right_examples_is_valid(code: str) -> None:
    assert is_valid_uscc(code)
    assert complete_uscc(code[:-1]) == code


@pytest.mark.parametrize("code", VECTORS["valid_found_online"])
def test_public_codes_are_valid_and_hold_a_valid_organisation_code(code: str) -> None:
    assert classify_uscc(code) is Finding.VALID
    assert is_valid_organisation_code(code[8:17])
    assert is_valid_organisation_code(f"{code[8:16]}-{code[16]}")


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda c: c["in"])
def test_cases_of_other_validators(case: dict[str, Any]) -> None:
    meant = compact_code(case["in"])
    assert meant == case.get("normalised", case["in"])
    found = classify_uscc(meant)
    assert (found is Finding.VALID) == case["valid"]
    if meant == "A1110000600037341L":
        # The other validator takes digits only; GB 32100 has an authority A since 2021, so the check character decides.
        assert found is Finding.CHECK_DIGIT_FAILED
    elif not case["valid"]:
        assert found is ERRORS[case["error"]]


@pytest.mark.parametrize(
    ("code", "finding"),
    [
        ("911302006992296170", Finding.CHECK_DIGIT_FAILED),
        ("91520198MAAMOWECXQ", Finding.LETTER_O_FOR_ZERO),
        ("9152O198MAAMOWECXQ", Finding.LETTER_O_FOR_ZERO),
        ("9113O2OO699229617O", Finding.LETTER_O_FOR_ZERO),
        ("91130200699229617x", Finding.WRONG_ALPHABET),
        ("9113020069922961IX", Finding.WRONG_ALPHABET),
        ("9113020069922961SX", Finding.WRONG_ALPHABET),
        ("9113020069922961VX", Finding.WRONG_ALPHABET),
        ("9113020069922961ZX", Finding.WRONG_ALPHABET),
        ("91A30200699229617X", Finding.WRONG_ALPHABET),
        ("９１１３０２００６９９２２９６１７X", Finding.WRONG_ALPHABET),
        ("91130200-699229617X", Finding.WRONG_LENGTH),
        ("91130200 699229617X", Finding.WRONG_LENGTH),
        ("9113020069922961X", Finding.WRONG_LENGTH),
        ("91130200699229617XX", Finding.WRONG_LENGTH),
        ("", Finding.WRONG_LENGTH),
        ("699229617", Finding.ORGANISATION_CODE),
        ("69922961-7", Finding.ORGANISATION_CODE),
        ("430300000012345", Finding.REGISTRATION_NO),
        ("91130200699229617X\n", Finding.WRONG_LENGTH),
    ],
)
def test_a_code_is_judged_as_it_is_written(code: str, finding: Finding) -> None:
    assert classify_uscc(code) is finding
    assert not is_valid_uscc(code)


@pytest.mark.parametrize(
    "text",
    [
        "９１１３０２００６９９２２９６１７Ｘ",
        " 9113 0200 6992 2961 7x ",
        "91130200-69922961-7X",
        "91130200　699229617X",
    ],
)
def test_another_notation_of_a_code_is_recognised_but_stays_another_text(text: str) -> None:
    assert classify_uscc(compact_code(text)) is Finding.VALID
    assert classify_uscc(text) is not Finding.VALID


def test_compacting_repairs_nothing() -> None:
    assert compact_code("91520198MAAMOWECXQ") == "91520198MAAMOWECXQ"


@pytest.mark.parametrize("code", ["716671629", "71667162-9", "71667162x", "7166716270", ""])
def test_an_organisation_code_with_a_fault_is_recognised(code: str) -> None:
    assert not is_valid_organisation_code(code)


def test_permit_number_is_uscc_site_and_letter() -> None:
    assert compose_permit_no("91130200699229617X", 1) == "91130200699229617X001P"
    assert is_valid_permit_no("91130200699229617X002P")
    assert is_valid_permit_no("91130200699229617X001Z")


@pytest.mark.parametrize("known", PERMITS, ids=lambda p: p["permit"])
def test_permit_numbers_as_published(known: dict[str, Any]) -> None:
    (found,) = classify_permit_no(known["permit"])
    assert (found is Finding.VALID) == known["uscc_valid"]
    assert (found is Finding.LETTER_O_FOR_ZERO) == (known["after_O_to_0"] is not None)
    assert is_valid_uscc(known["after_O_to_0"] or known["uscc_part"]) == known["valid_after_fix"]


@pytest.mark.parametrize(
    ("permit_no", "findings"),
    [
        ("91130200699229617X001", {Finding.WRONG_LENGTH}),
        ("91130200699229617X01P", {Finding.WRONG_LENGTH}),
        ("91130200699229617X0011", {Finding.WRONG_ALPHABET}),
        ("91130200699229617X001p", {Finding.WRONG_ALPHABET}),
        ("911302006992296170001P", {Finding.CHECK_DIGIT_FAILED}),
        ("91130200699229617XOO1P", {Finding.LETTER_O_FOR_ZERO}),
        ("91130200699229617X001A", {Finding.UNUSUAL_LETTER}),
        ("91130200699229617X001O", {Finding.UNUSUAL_LETTER}),
        ("911302006992296170001A", {Finding.CHECK_DIGIT_FAILED, Finding.UNUSUAL_LETTER}),
    ],
)
def test_permit_number_with_a_fault_is_recognised(permit_no: str, findings: set[Finding]) -> None:
    assert set(classify_permit_no(permit_no)) == findings
    assert is_valid_permit_no(permit_no) == (findings == {Finding.UNUSUAL_LETTER})


def test_codes_that_cannot_be_completed_say_why() -> None:
    with pytest.raises(ValueError, match="17 characters"):
        complete_uscc("9113")
    with pytest.raises(ValueError, match="HJ 608"):
        compose_permit_no("911302006992296170", 1)


def test_outlets_and_data_loggers() -> None:
    assert [c for c in ("DA001", "DW001", "DA01", "TA001", "dw001", "YS001") if is_outlet_code(c)] == ["DA001", "DW001"]
    codes = ("010000A8900016F000169DC0", "88888880000005", "010000a8900016f000169dc0")
    assert [is_standard_mn(c) for c in codes] == [True, False, False]
