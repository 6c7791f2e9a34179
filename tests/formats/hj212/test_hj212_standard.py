"""Check code, encryption, flag bits, data types, legacy codes: against the standards' own numbers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tanhuan.standards import hj212

DATA = Path(__file__).parent / "data"
RULES = json.loads((DATA / "hj212_rules.json").read_text(encoding="utf-8"))
SEEDS = Path(__file__).parents[3] / "dbt_project" / "seeds"
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def test_check_code_of_the_standards_example_is_1c80_and_modbus_would_be_0759() -> None:
    # Annex A prints the packet with 1C80 and the sentence after it with 1C08: the latter is a misprint.
    segment = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert f"{hj212.compute_crc(segment):04X}" == "1C80"
    assert f"{hj212.compute_modbus_crc(segment):04X}" == "0759"


@pytest.mark.parametrize("vector", RULES["crc"], ids=lambda v: v["crc"])
def test_check_code_vectors(vector: dict[str, str]) -> None:
    assert hj212.compute_crc(vector["segment"].encode()) == int(vector["crc"], 16)


@pytest.mark.parametrize("length", [*range(6), 299, 300])
def test_check_code_by_table_equals_the_algorithm_as_printed(length: int) -> None:
    segment = bytes((17 * n * n + 5 * n) % 256 for n in range(length))
    register = 0xFFFF
    for byte in segment:
        register = register >> 8 ^ byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    assert hj212.compute_crc(segment) == register


def test_sm4_is_that_of_gb_t_32907() -> None:
    assert hj212.encrypt_area(KEY, KEY) == bytes.fromhex("681EDF34D206965E86B3E94F536E4246")


@pytest.mark.parametrize("length", [0, 15, 16, 17, 47])
def test_a_rest_of_less_than_16_characters_stays_plain(length: int) -> None:
    area = b"DataTime=20261115010000;w01018-Avg=18.4,w01018-Flag=N"[:length]
    sent = hj212.encrypt_area(area, KEY)
    rest = length % 16
    assert len(sent) == length
    assert sent[length - rest :] == area[length - rest :]
    assert length < 16 or sent[:16] != area[:16]
    assert hj212.decrypt_area(sent, KEY) == area


@pytest.mark.parametrize(
    ("command", "encrypted"),
    [
        ("2061", True),
        ("2999", True),
        ("1014", True),
        ("3020", True),
        ("3021", False),
        ("9014", False),
        ("20611", False),
    ],
)
def test_commands_that_2025_encrypts(command: str, encrypted: bool) -> None:
    assert hj212.is_encrypted_command(command) is encrypted


@pytest.mark.parametrize(
    ("flag", "edition"),
    [(None, 2005), (0, 2005), (3, 2005), (4, 2017), (7, 2017), (8, 2025), (11, 2025), (12, 2025), (252, 2025)],
)
def test_version_bits_of_flag_name_the_edition(flag: int | None, edition: int) -> None:
    assert hj212.find_edition(flag) == edition


@pytest.mark.parametrize("limit", [v for v in RULES["field_limits"] if v["field"].startswith("N")], ids=str)
def test_data_type_vectors(limit: dict[str, object]) -> None:
    assert hj212.fits_type(str(limit["value"]), str(limit["field"])) is limit["ok"]


@pytest.mark.parametrize(
    ("text", "kind", "fits"),
    [
        ("-0.052", "N14.3", True),
        ("-5", "N3", False),
        ("1.", "N2.2", False),
        ("+1", "N2.2", False),
        ("", "N3", False),
        ("１", "N3", False),
        ("ABCD", "C4", True),
        ("ABCDE", "C4", False),
    ],
)
def test_data_types_at_their_edges(text: str, kind: str, fits: bool) -> None:
    assert hj212.fits_type(text, kind) is fits


def test_legacy_codes_are_those_of_the_standard_and_not_shifted_by_a_row() -> None:
    expected = {
        **{"B01": "w00000", "B02": "a00000", "001": "w01001", "011": "w01018", "060": "w21003"},
        **{"01": "a34013", "02": "a21026", "03": "a21002", "S01": "a19001", "S02": "a01011"},
        **{"S03": "a01012", "S05": "a01014", "S08": "a01013", "101": "w21011", "065": "w21001"},
    }
    legacy = hj212.read_legacy_factors()
    assert {code: legacy[code].factor_code for code in expected} == expected


def test_pressure_of_2005_is_known_to_have_had_another_unit() -> None:
    pressure = hj212.read_legacy_factors()["S08"]
    assert (pressure.unit_2005, pressure.unit_2017) == ("MPa", "kPa")


def test_flags_agree_with_the_dated_rules() -> None:
    def flags_of(seed: str) -> set[str]:
        with (next(SEEDS.rglob(f"{seed}.csv"))).open(encoding="utf-8", newline="") as file:
            return {row["flag"] for row in csv.DictReader(file) if row["flag"]}

    instrument, process = flags_of("instrument_flag"), flags_of("process_flag")
    assert instrument == hj212.INSTRUMENT_FLAGS
    assert process == hj212.PROCESS_MARKS | hj212.SHARED_PROCESS_MARKS
    assert instrument & process == hj212.SHARED_PROCESS_MARKS


def test_encoded_packets_are_those_made_by_hand_from_the_standard() -> None:
    head = {
        **{"QN": "20261115020003000", "ST": "32", "CN": "2061", "PW": "123456", "MN": "4303020000000A0B0C0D0E02"},
        "Flag": "9",
    }
    items = [
        [("DataTime", "20261115010000")],
        [("w00000-Avg", "520.5"), ("w00000-Cou", "1873.8"), ("w00000-Flag", "N")],
        [("w01018-Avg", "18.4"), ("w01018-Cou", "34.478"), ("w01018-Flag", "N")],
        [("w21003-Avg", "0.62"), ("w21003-Cou", "1.162"), ("w21003-Flag", "N")],
        [("w01001-Avg", "7.12"), ("w01001-Flag", "N")],
    ]
    plain = hj212.encode_packet(head, items)
    assert plain.startswith(b"##0284QN=")
    assert plain.endswith(b"w01001-Flag=N&&EE01\r\n")
    secret = hj212.encode_packet(head, items, KEY)
    assert len(secret) == len(plain)
    assert secret.endswith(b"&&EE01\r\n")
    assert b"DataTime" not in secret
    assert hj212.encode_packet(head | {"Flag": "5"}, items, KEY).count(b"DataTime") == 1


def test_a_segment_that_four_digits_cannot_state_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="split it"):
        hj212.encode_packet({"ST": "31", "CN": "2061"}, [[("a00000-Avg", "1" * 9999)]])
