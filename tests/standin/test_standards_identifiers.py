"""Codes are checked as the standards say; examples are the standards' own and of public record."""

from __future__ import annotations

import pytest

from tanhuan.standards.identifiers import complete_uscc, compose_permit_no, is_valid_permit_no, is_valid_uscc

VALID = ["91130200699229617X", "911302307808371268", "91430304MA0000001A", "9143030000000000A9"]


@pytest.mark.parametrize("code", VALID)
def test_uscc_of_known_right_examples_is_valid(code: str) -> None:
    assert is_valid_uscc(code)
    assert complete_uscc(code[:-1]) == code


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("911302006992296170", "check character"),
        ("91130200699229617x", "lower case"),
        ("91130200699229617", "17 characters"),
        ("699229617", "organisation code"),
        ("91130200-699229617X", "separator"),
        ("9113020069922961IX", "letter I is not in the alphabet"),
    ],
)
def test_uscc_with_a_fault_is_refused(code: str, why: str) -> None:
    assert not is_valid_uscc(code), why


def test_permit_number_is_uscc_site_and_letter() -> None:
    assert compose_permit_no("91130200699229617X", 1) == "91130200699229617X001P"
    assert is_valid_permit_no("91130200699229617X002P")
    assert is_valid_permit_no("91130200699229617X001Z")


@pytest.mark.parametrize(
    "permit_no", ["91130200699229617X001", "91130200699229617X0011", "911302006992296170001P", "91130200699229617X01P"]
)
def test_permit_number_with_a_fault_is_refused(permit_no: str) -> None:
    assert not is_valid_permit_no(permit_no)


def test_codes_that_cannot_be_completed_say_why() -> None:
    with pytest.raises(ValueError, match="17 characters"):
        complete_uscc("9113")
    with pytest.raises(ValueError, match="HJ 608"):
        compose_permit_no("911302006992296170", 1)
