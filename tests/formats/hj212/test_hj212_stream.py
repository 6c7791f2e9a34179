"""Finding packets in whatever else was on the line, encrypted packets, split packets, damaged bytes."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
import zstandard

from tanhuan.formats.hj212_packets import FAULTS, Piece, decode_file, join_parts, read_pieces
from tanhuan.standards.hj212 import compute_crc, encode_packet, encrypt_area

DATA = Path(__file__).parent / "data"
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MN = "4303020000000A0B0C0D0E02"
KEYS = {MN: KEY}
#: a Modbus frame as hexadecimal text, NULs, a line of a receiver's log, a lone half of a start, blanks
NOISE = [
    b"0E0F00000006010400000064\r\r\n",
    b"\0" * 7,
    b"[2020-09-22 18:20:30]\r\r\n",
    b"#",
    b"\r\n \r\n",
    b"\x01\x04\xff#\n",
]


def make_packet(hour: int = 0, flag: str = "5", key: bytes | None = None, **head: str) -> bytes:
    time = f"20261115{hour:02d}"
    fields = {"QN": f"{time}0003000", "ST": "32", "CN": "2061", "PW": "123456", "MN": MN, "Flag": flag, **head}
    items = [
        [("DataTime", f"{time}0000")],
        [("w01018-Avg", f"{18 + hour}.4"), ("w01018-Cou", "34.478"), ("w01018-Flag", "N")],
    ]
    return encode_packet(fields, items, key)


def read(data: bytes, chunk: int = 1 << 20, keys: dict[str, bytes] = KEYS) -> list[Piece]:
    return list(read_pieces(io.BytesIO(data), keys, chunk))


def load_good_packets() -> list[bytes]:
    vectors = json.loads((DATA / "hj212_packets.json").read_text(encoding="utf-8"))
    real = [v["raw"].encode() + b"\r\n" for v in vectors if v["len_ok"] and v["crc_ok"] == "hj212"]
    return [*real, *[make_packet(hour, "9", KEY) for hour in range(24)]]


@pytest.mark.parametrize("noise", NOISE, ids=repr)
def test_packets_are_found_around_whatever_is_between_them(noise: bytes) -> None:
    packets = [make_packet(hour) for hour in range(3)]
    pieces = read(noise + noise.join(packets) + noise)
    assert [piece.raw for piece in pieces if piece.verdict == "good"] == packets
    assert {piece.error for piece in pieces if piece.error} <= {"READ-HJ212-GARBAGE"}


def test_every_byte_but_blanks_is_in_exactly_one_piece() -> None:
    data = b"".join([*NOISE, make_packet()[:-40], make_packet(1), b"##12", *NOISE, b"##0400QN=1;ST=", make_packet(2)])
    at = 0
    for piece in read(data):
        assert data[at : piece.offset].strip() == b""
        assert piece.length > 0
        at = piece.offset + piece.length
    assert data[at:].strip() == b""


@pytest.mark.parametrize("chunk", [1, 7, 333, 1 << 20])
def test_the_pieces_do_not_depend_on_how_the_stream_is_read(chunk: int) -> None:
    packets = load_good_packets()
    data = b"".join(part for pair in zip(packets, NOISE * len(packets), strict=False) for part in pair) + b"##"
    assert [(p.offset, p.length, p.error) for p in read(data, chunk)] == [
        (p.offset, p.length, p.error) for p in read(data)
    ]


@pytest.mark.parametrize("lie", [b"0001", b"0150", b"0600", b"9999", b"A"], ids=repr)
def test_a_lying_length_swallows_no_packet(lie: bytes) -> None:
    liar = make_packet().replace(b"##" + make_packet()[2:6], b"##" + lie)
    later = [make_packet(hour) for hour in range(1, 5)]
    pieces = read(liar + b"".join(later))
    assert [(piece.verdict, piece.offset) for piece in pieces[:1]] == [("bad", 0)]
    assert pieces[0].error == "READ-HJ212-LENGTH"
    assert [piece.raw for piece in pieces[1:]] == later


@pytest.mark.parametrize("kept", [3, 6, 60, -7, -3])
def test_a_tail_that_is_cut_off_is_said_to_be(kept: int) -> None:
    pieces = read(make_packet(1) + make_packet()[:kept])
    assert [(piece.verdict, piece.error) for piece in pieces] == [("good", None), ("bad", "READ-HJ212-TRUNCATED")]


def test_a_torn_packet_does_not_take_the_next_one_with_it() -> None:
    torn, whole = make_packet()[:100], make_packet(1)
    assert [(piece.verdict, piece.offset) for piece in read(torn + whole)] == [("bad", 0), ("good", 100)]


def test_memory_stays_flat_over_endless_garbage() -> None:
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size: int = -1) -> bytes:
            self.asked += 1
            return b"\0" * size if self.asked <= 300 else b""

    [piece] = read_pieces(Endless(), {}, 1 << 16)  # type: ignore[arg-type]
    assert piece.length == 300 << 16
    assert len(piece.raw) == 200


def test_compressed_archives_decode_like_plain_ones(tmp_path: Path) -> None:
    plain, compressed = tmp_path / "a.hj212", tmp_path / "a.hj212.zst"
    plain.write_bytes(b"".join(load_good_packets()))
    compressed.write_bytes(zstandard.compress(plain.read_bytes()))
    assert list(decode_file(compressed, KEYS)) == list(decode_file(plain, KEYS))


# --- HJ 212-2025 ----------------------------------------------------------------------------------------------------


def write_as_hexadecimal(style: str, lengths_of: str) -> bytes:
    """Return an encrypted packet as text gateways write it; its length is that of the plain or of the sent segment."""
    plain = make_packet(0, "9")
    start, _, rest = plain[6:-6].partition(b"CP=&&")
    area = rest[:-2]
    groups = len(area) // 16 * 16
    cipher = encrypt_area(area, KEY)
    written = {
        "all": cipher.hex().upper().encode(),
        "groups": cipher[:groups].hex().encode() + cipher[groups:],
        "printed": b"{" + b",".join(b"0x%02X" % byte for byte in cipher[:groups]) + b"}" + cipher[groups:],
    }[style]
    sent = start + b"CP=&&" + written + b"&&"
    length = len(sent if lengths_of == "sent" else plain[6:-6])
    return b"##%04d%s%04X\r\n" % (length, sent, compute_crc(plain[6:-6]))


def test_encrypted_packets_are_opened_with_the_key_of_their_logger() -> None:
    [piece] = read(make_packet(0, "9", KEY))
    assert (piece.verdict, piece.segment.edition, piece.segment.cipher) == ("good", 2025, "raw")
    assert piece.segment.items[1] == [["w01018-Avg", "18.4"], ["w01018-Cou", "34.478"], ["w01018-Flag", "N"]]


def test_packets_of_2025_that_came_plain_are_good() -> None:
    [piece] = read(make_packet(0, "9"))
    assert (piece.verdict, piece.segment.edition, piece.segment.cipher) == ("good", 2025, None)


@pytest.mark.parametrize("lengths_of", ["plain", "sent"])
@pytest.mark.parametrize("style", ["all", "groups", "printed"])
def test_encrypted_areas_in_hexadecimal_are_opened(style: str, lengths_of: str) -> None:
    pieces = read(write_as_hexadecimal(style, lengths_of) + make_packet(1))
    assert [(piece.verdict, piece.segment.items[0]) for piece in pieces] == [
        ("good", [["DataTime", "20261115000000"]]),
        ("good", [["DataTime", "20261115010000"]]),
    ]


@pytest.mark.parametrize(
    "secret", [make_packet(0, "9", KEY), write_as_hexadecimal("all", "plain"), write_as_hexadecimal("printed", "sent")]
)
def test_without_a_key_the_packet_is_bad_and_says_whose_key_is_missing(secret: bytes) -> None:
    pieces = read(secret + make_packet(1), keys={})
    assert [(piece.verdict, piece.error) for piece in pieces] == [("bad", "READ-HJ212-KEY-MISSING"), ("good", None)]
    assert MN in pieces[0].detail
    assert pieces[0].raw == secret


def test_with_a_wrong_key_the_check_code_does_not_fit() -> None:
    [piece] = read(make_packet(0, "9", KEY), keys={MN: bytes(16)})
    assert piece.error == "READ-HJ212-CRC"


def test_start_signs_inside_an_encrypted_area_start_nothing() -> None:
    head = {"ST": "32", "CN": "2061", "MN": MN, "Flag": "8"}
    packet = encode_packet(head, [[("DataTime", "20261115000000")], [("w01018-Avg", "0000000000653")]], KEY)
    assert b"##" in packet[2:]
    assert [piece.verdict for piece in read(packet)] == ["good"]
    assert read(packet + make_packet(), keys={})[-1].raw == make_packet()


def test_a_damaged_plain_packet_of_2025_is_not_taken_for_an_encrypted_one() -> None:
    [piece] = read(make_packet(0, "9").replace(b"18.4", b"18.\xff"))
    assert piece.error == "READ-HJ212-CRC"


# --- split packets --------------------------------------------------------------------------------------------------


def make_part(no: int, total: int, hour: int = 0, qn: str = "20261115010000001", with_time: bool = True) -> bytes:
    head = {"QN": qn, "ST": "32", "CN": "2061", "MN": MN, "Flag": "7", "PNUM": str(total), "PNO": str(no)}
    time = [[("DataTime", f"20261115{hour:02d}0000")]] if with_time else []
    return encode_packet(head, [*time, [(f"w0100{no}-Avg", "1"), (f"w0100{no}-Flag", "N")]])


def join(data: bytes) -> list[tuple[list[str], int]]:
    return [([p.segment.head.get("PNO", "") for p in parts], missing) for parts, missing in join_parts(read(data))]


def test_parts_are_joined_in_their_order_whatever_order_they_came_in() -> None:
    stream = make_part(3, 3, with_time=False) + make_packet(5) + make_part(1, 3) + make_part(2, 3, with_time=False)
    assert join(stream) == [([""], 0), (["1", "2", "3"], 0)]


def test_parts_of_two_hours_are_kept_apart() -> None:
    stream = make_part(1, 2, 0, "1" * 17) + make_part(1, 2, 1, "2" * 17) + make_part(2, 2, 1, "3" * 17)
    assert join(stream + make_part(2, 2, 0, "4" * 17)) == [(["1", "2"], 0), (["1", "2"], 0)]


def test_an_incomplete_group_is_handed_on_with_the_number_of_missing_parts() -> None:
    assert join(make_part(1, 3) + make_part(3, 3) + make_packet()) == [([""], 0), (["1", "3"], 1)]


def test_a_part_sent_again_before_the_others_does_not_make_a_group_incomplete() -> None:
    assert join(make_part(1, 2) + make_part(1, 2) + make_part(2, 2)) == [(["1"], 0), (["1", "2"], 0)]


@pytest.mark.parametrize(("no", "total"), [(3, 2), (0, 2), (1, 1), (1, 99999999999)])
def test_part_numbers_that_make_no_group_wait_for_nothing(no: int, total: int) -> None:
    assert join(make_part(no, total)) == [([str(no)], 0)]


def test_groups_that_never_end_do_not_pile_up() -> None:
    stream = b"".join(make_part(1, 2, 0, f"{number:017d}", with_time=False) for number in range(5000))
    first = next(join_parts(read(stream)))
    assert (first[0][0].offset, first[1]) == (0, 1)


# --- damage ---------------------------------------------------------------------------------------------------------


def damage(stream: list[bytes], bytes_to_damage: int, seed: int) -> tuple[bytes, dict[int, bytes]]:
    """Flip, cut and insert bytes in packets of a stream; return it and the untouched packets by offset."""
    draw = random.Random(seed)
    out, untouched, offset, damaged = [], {}, 0, 0
    while damaged < bytes_to_damage:
        packet = draw.choice(stream)
        if draw.random() < 0.25:
            untouched[offset] = packet
        else:
            changed = bytearray(packet)
            for _ in range(draw.choice((1, 3, 40, 200))):
                at = draw.randrange(len(changed) or 1)
                size = draw.choice((1, 1, 2, 30))
                match draw.choice(("flip", "flip", "cut", "insert")):
                    case "flip" if changed:
                        changed[min(at, len(changed) - 1)] ^= draw.randrange(1, 256)
                        damaged += 1
                    case "cut":
                        damaged += len(changed[at : at + size])
                        del changed[at : at + size]
                    case _:
                        changed[at:at] = draw.choice((b"##", b"##0100", b"\r\n", draw.randbytes(size)))
                        damaged += size
            packet = bytes(changed)
        out.append(packet)
        offset += len(packet)
    return b"".join(out), untouched


@pytest.mark.parametrize("seed", range(4))
def test_a_million_damaged_bytes_hide_no_good_packet(seed: int) -> None:
    stream, untouched = damage(load_good_packets(), 250_000, seed)
    at, found = 0, {}
    for parts, _ in join_parts(read_pieces(io.BytesIO(stream), KEYS, 1 << 16)):
        for piece in parts:
            assert piece.error is None or piece.error in FAULTS
            if piece.error is None:
                found[piece.offset] = piece.raw
    for piece in read(stream, 1 << 16):
        assert stream[at : piece.offset].strip() == b""
        at = piece.offset + piece.length
    # A cut or a flip before an untouched packet may add to its line end or to its start, never hide it.
    assert {offset: raw for offset, raw in untouched.items() if found.get(offset, b"")[: len(raw)] != raw} == {}


def test_random_bytes_never_raise() -> None:
    draw = random.Random(212)
    alphabet = b"##0123456789ABCDEF;=,&CPQNSTMNFlag\r\n\0"
    noise = bytes(draw.choices(alphabet, k=200_000)) + draw.randbytes(50_000)
    assert {piece.error for piece in read(noise)} <= {*FAULTS, None}
