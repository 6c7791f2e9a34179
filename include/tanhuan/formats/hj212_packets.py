"""HJ 212 packets in raw TCP streams of data loggers.

A stream holds packets of all three editions between whatever else was on the line: Modbus frames, NULs, log lines, torn
packets. Every byte but blanks between packets is accounted for, in one piece or another. Belongs here: finding packets,
judging frame and structure, joining split packets. Does not belong here: check code, encryption and codes
(standards/hj212.py), or what the fields mean (formats/hj212.py).

Clauses are those of HJ 212-2017 where no other edition is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tanhuan.contracts import Text
from tanhuan.formats.rows import open_payload
from tanhuan.standards import hj212 as standard

#: key of each data logger (MN) that encrypts, 16 bytes
Keys = Mapping[str, bytes]

GARBAGE, _TRUNCATED = "READ-HJ212-GARBAGE", "READ-HJ212-TRUNCATED"
_LENGTH, _CRC, _KEY = "READ-HJ212-LENGTH", "READ-HJ212-CRC", "READ-HJ212-KEY-MISSING"
_HEAD, _TWICE, _NOT_ASCII = "READ-HJ212-HEAD", "READ-HJ212-HEAD-TWICE", "READ-HJ212-NOT-ASCII"
_AREA = "READ-HJ212-AREA-OPEN"
_LOW_BYTE, _LINE_END = "READ-HJ212-CRC-LOW-BYTE-FIRST", "READ-HJ212-LINE-END"
_DIGITS, _LONG = "READ-HJ212-LENGTH-DIGITS", "READ-HJ212-TOO-LONG"
_LIMIT, TORN_FIELD = "READ-HJ212-HEAD-LIMIT", "READ-HJ212-FIELD"

FAULTS: dict[str, Text] = {
    GARBAGE: Text(
        zh="数据包之间的字节不属于HJ 212（如Modbus帧、空字节、日志行），已跳过；大量出现时请检查接入通道",
        en="Bytes between packets are not HJ 212 (Modbus frames, NULs, log lines) and were skipped; if there are many, "
        "check the channel",
    ),
    _TRUNCATED: Text(
        zh="数据包在文件末尾被截断；请重新取该时段的报文归档",
        en="The packet is cut off by the end of the file; fetch that archive again",
    ),
    _LENGTH: Text(
        zh="数据段长度与实际不符或不是十进制数，整包不可信；请数采仪厂家检查",
        en="The stated length does not fit the data segment or is no decimal number, the packet cannot be trusted; "
        "have the logger's maker check it",
    ),
    _CRC: Text(
        zh="CRC校验不符（HJ 212附录A），报文在传输中损坏或被改动；请数采仪重传该时段",
        en="The check code does not fit (HJ 212 annex A), the packet was damaged or altered; have the logger resend it",
    ),
    _KEY: Text(
        zh="HJ 212-2025加密报文，缺少该数采仪（MN）的SM4密钥；请配置密钥后重新读入",
        en="An encrypted packet of HJ 212-2025 without an SM4 key for its MN; configure the key, then read it again",
    ),
    _HEAD: Text(
        zh="数据段字段残缺：有字段没有“=”，缺少ST或CN，或Flag不是0-255；请数采仪厂家检查",
        en="The head of the data segment is broken: a field without '=', no ST or CN, or a Flag outside 0-255; "
        "have the logger's maker check it",
    ),
    _TWICE: Text(
        zh="数据段同一字段出现两次，不能判断以哪个为准；请数采仪厂家检查",
        en="A field of the data segment occurs twice, which one holds is unknown; have the logger's maker check it",
    ),
    _NOT_ASCII: Text(
        zh="报文含非ASCII字符（仅“//”之间的信息文本可用UTF-8汉字，6.3）；请数采仪厂家检查",
        en="The packet holds characters outside ASCII (only information texts between // may, in UTF-8; clause 6.3); "
        "have the logger's maker check it",
    ),
    _AREA: Text(
        zh="数据区没有以“&&”结束，可能不完整；请数采仪厂家或转发程序检查",
        en="The data area does not end with '&&' and may be incomplete; have the logger or the forwarder checked",
    ),
    _LOW_BYTE: Text(
        zh="CRC低字节在前或使用Modbus CRC，已接收；请数采仪厂家改为标准算法（附录A）",
        en="The check code has its low byte first or is Modbus; accepted, the logger should follow annex A",
    ),
    _LINE_END: Text(
        zh="包尾不是<CR><LF>，已接收",
        en="The packet does not end with <CR><LF>; accepted",
    ),
    _DIGITS: Text(
        zh="数据段长度不足四位数字，已接收",
        en="The length has fewer than four digits; accepted",
    ),
    _LONG: Text(
        zh="数据段或数据区超过标准上限（应拆分包），长度和CRC相符，已接收",
        en="The data segment or area exceeds the standard's limit and should have been split; length and check code "
        "fit, accepted",
    ),
    _LIMIT: Text(
        zh="QN、PNUM或PNO的写法超出标准（表3），已按原文接收",
        en="QN, PNUM or PNO is not written as table 3 says; accepted as it came",
    ),
    TORN_FIELD: Text(
        zh="数据区有字段没有“=”，该字段未使用，其余照常接收",
        en="A field of the data area has no '='; it is not used, the others are",
    ),
}

_START = b"##"
_LENGTH_FIELD = re.compile(rb"[0-9]{1,4}")
_CODE = re.compile(rb"[0-9A-Fa-f]{4}")
#: how text gateways write encrypted areas: all in hexadecimal; or the encrypted groups in hexadecimal or, as printed in
#: HJ 212-2025 annex A.2, as {0xE4,0x3E,…}, before the plain rest
_HEX_AREA = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_HEX_GROUPS = re.compile(rb"((?:[0-9A-Fa-f]{32})+)(.{0,15})", re.DOTALL)
_PRINTED_GROUPS = re.compile(rb"\{((?:0[xX][0-9A-Fa-f]{2},?)*)\}(.{0,15})", re.DOTALL)
#: of plain text a damaged byte or two may be none of these, of encrypted groups more than half are none
_PRINTABLE = bytes(range(0x20, 0x7F))
#: an information text (table B.10), whose characters separate nothing
_INFORMATION = re.compile(r"//.*?//", re.DOTALL)

#: header, longest length that four digits can state, check code, line end with odd carriage returns
_FRAME_MAX = 6 + 9999 + 4 + 6
_CHUNK = 1 << 20
_SAMPLE = 200
#: split packets that wait for other parts; the oldest gives up
_WAITING_MAX = 4096


@dataclass(slots=True)
class Segment:
    """A data segment taken apart: `head` in its order, `items` as lists of `[name, value]` (`[text]` without '=').

    `plain` is what the check code covers; `cipher` how the area was encrypted: "raw", "hex" or None.
    """

    plain: bytes
    head: dict[str, str] = field(default_factory=dict)
    items: list[list[list[str]]] = field(default_factory=list)
    edition: int = standard.EDITION_2005
    cipher: str | None = None
    error: str | None = None
    detail: str = ""
    flags: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Piece:
    """A piece of a stream: a packet, good, flagged or bad, or a run of garbage (`raw` then holds its beginning)."""

    offset: int
    length: int
    raw: bytes
    segment: Segment
    error: str | None = None
    detail: str = ""
    flags: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """Return "good", "flagged" (accepted, with `flags`) or "bad" (with `error`)."""
        return "bad" if self.error else "flagged" if self.flags else "good"


def decode_file(path: Path, keys: Keys) -> Iterator[dict[str, Any]]:
    """Yield a JSON-able object for every piece of an archive (plain or .zst), split packets when their group ends.

    `items` holds the fields of each item together, `[[["DataTime", "…"]], [["w01018-Avg", "18.4"], …]]`.
    """
    with open_payload(path) as stream:
        for parts, missing in join_parts(read_pieces(stream, keys)):
            for piece in parts:
                yield _describe(piece, missing)


def read_pieces(stream: IO[bytes], keys: Keys, chunk: int = _CHUNK) -> Iterator[Piece]:
    """Yield the pieces of a stream in order; memory is bounded by `chunk` and the longest frame."""
    buffer, base, at, ended = b"", 0, 0, False
    garbage: Piece | None = None
    while True:
        if not ended and len(buffer) - at < _FRAME_MAX:
            more = stream.read(chunk)
            ended = not more
            base, buffer, at = base + at, buffer[at:] + more, 0
            continue
        start = _find_start(buffer, at)
        # Without a start the last byte may still be half of one.
        skipped_to = start if start >= 0 else len(buffer) if ended else max(at, len(buffer) - 1)
        if skipped_to > at:
            garbage = _extend_garbage(garbage, buffer[at:skipped_to], base + at)
            at = skipped_to
        elif start == at:
            if garbage is not None:
                yield garbage
                garbage = None
            piece = _read_frame(buffer, at, base + at, keys)
            yield piece
            at += piece.length
        if ended and at == len(buffer):
            break
    if garbage is not None:
        yield garbage


def parse_segment(segment: bytes, keys: Keys) -> Segment:
    """Take a data segment apart (6.3.2, 6.3.3), decrypting its area; what is wrong with it is in `error`."""
    cut = segment.find(b"CP=&&")
    head = segment if cut < 0 else segment[:cut]
    parsed = Segment(segment)
    _parse_head(parsed, head)
    if cut < 0:
        return parsed
    area = segment[cut + 5 :]
    if area.endswith(b"&&"):
        area = area[:-2]
    else:
        _fail(parsed, _AREA, "no && at the end")
    if cut and not head.endswith(b";"):
        _fail(parsed, _HEAD, "no ';' before CP")
    if parsed.edition == standard.EDITION_2025 and standard.is_encrypted_command(parsed.head.get("CN", "")):
        opened = _open_area(parsed, area, keys)
        if opened is None:
            return parsed
        if parsed.cipher:
            area, parsed.plain = opened, segment[: cut + 5] + opened + b"&&"
    if len(area) > standard.AREA_MAX[parsed.edition] or len(parsed.plain) > standard.SEGMENT_MAX:
        parsed.flags.append(_LONG)
    _parse_area(parsed, area)
    return parsed


def join_parts(pieces: Iterable[Piece]) -> Iterator[tuple[list[Piece], int]]:
    """Yield packets, those that were split together in the order of PNO, with the number of parts that are missing.

    Parts belong together if MN, CN and PNUM agree and either QN or DataTime: HJ/T 212-2005 keeps QN throughout, the
    examples of HJ 212-2017 (tables C.49, C.50) count it up and repeat DataTime.
    """
    waiting: dict[int, _Group] = {}
    by_name: dict[tuple[str, ...], int] = {}

    def release(number: int) -> tuple[list[Piece], int]:
        group = waiting.pop(number)
        for name in group.names:
            by_name.pop(name, None)
        return [group.parts[no] for no in sorted(group.parts)], group.total - len(group.parts)

    for ordinal, piece in enumerate(pieces):
        position = _find_position(piece)
        if position is None:
            yield [piece], 0
            continue
        no, total, names = position
        number = next((by_name[name] for name in names if name in by_name), ordinal)
        group = waiting.setdefault(number, _Group(total))
        if no in group.parts:  # sent again before the others: the later one takes part, as with whole packets
            yield [group.parts[no]], 0
        group.parts[no] = piece
        group.names += names
        by_name.update(dict.fromkeys(names, number))
        if len(group.parts) == total:
            yield release(number)
        elif len(waiting) > _WAITING_MAX:
            yield release(next(iter(waiting)))
    while waiting:
        yield release(next(iter(waiting)))


@dataclass(slots=True)
class _Group:
    total: int
    parts: dict[int, Piece] = field(default_factory=dict)
    names: list[tuple[str, ...]] = field(default_factory=list)


def _find_position(piece: Piece) -> tuple[int, int, list[tuple[str, ...]]] | None:
    head = piece.segment.head
    if piece.error or "PNUM" not in head:
        return None
    if _LIMIT in piece.flags or not (head["PNUM"].isdecimal() and head.get("PNO", "").isdecimal()):
        return None
    no, total = int(head["PNO"]), int(head["PNUM"])
    if not 1 <= no <= total or total == 1:
        return None
    common = (head.get("MN", ""), head["CN"], head["PNUM"])
    names: list[tuple[str, ...]] = [(*common, "QN", head["QN"])] if head.get("QN") else []
    names += [(*common, *pair) for group in piece.segment.items for pair in group if pair[0] == "DataTime"]
    return no, total, names


def _find_start(buffer: bytes, at: int) -> int:
    start = buffer.find(_START, at)
    while start >= 0 and buffer[start + 2 : start + 3] == b"#":
        start += 1
    return start


def _extend_garbage(garbage: Piece | None, run: bytes, offset: int) -> Piece | None:
    if garbage is None:
        stripped = run.lstrip()
        if not stripped:  # line ends that no packet has taken are nobody's news
            return None
        offset += len(run) - len(stripped)
        return Piece(offset, len(stripped), stripped[:_SAMPLE], Segment(b""), GARBAGE, "no packet starts here")
    garbage.length += len(run)
    return garbage


def _read_frame(buffer: bytes, at: int, offset: int, keys: Keys) -> Piece:
    """Judge what starts with ## at `at`. A bad packet ends, at the latest, where the next one could start."""
    next_start = _find_start(buffer, at + 2)
    stop = min(len(buffer) if next_start < 0 else next_start, at + _FRAME_MAX)
    digits = _LENGTH_FIELD.match(buffer, at + 2)
    start, stated = (digits.end(), int(digits[0])) if digits else (at + 2, -1)
    end = start + stated
    code = buffer[end : end + 4]
    if digits and _CODE.fullmatch(code):
        segment = parse_segment(buffer[start:end], keys)
        after = _skip_line_end(buffer, end + 4)
        piece = Piece(offset, after - at, buffer[at:after], segment)
        # One damaged packet in 22,000 fits by chance; if its segment is faulty it must not take the next one along.
        if _fits_code(piece, code) and (segment.error is None or after <= stop):
            _flag_frame(piece, digits[0], buffer[end + 4 : after])
            return piece
        if after <= stop and (after > end + 4 or after == len(buffer)):
            return piece
    return _read_line(buffer, at, offset, keys, start, stated, stop)


def _read_line(buffer: bytes, at: int, offset: int, keys: Keys, start: int, stated: int, stop: int) -> Piece:
    """Judge a packet whose length does not lead to a check code: it may reach up to the end of the line."""
    newline = buffer.find(b"\n", start, stop)
    after = newline + 1 if newline >= 0 else stop
    body = buffer[start:after].rstrip(b"\r\n")
    piece = Piece(offset, after - at, buffer[at:after], parse_segment(body[:-4], keys))
    segment = piece.segment
    # A length is that of the plain segment (HJ 212-2025 annex A.2), hexadecimal is longer.
    if segment.cipher == "hex":
        fits = _fits_code(piece, body[-4:])
        if segment.error == _KEY or (fits and stated == len(segment.plain)):
            return piece
    if newline < 0 and stop == len(buffer) and start + stated + 4 > stop:
        piece.error, piece.detail = _TRUNCATED, f"length {stated}, {stop - start} bytes up to the end of the file"
    elif stated == len(body) - 4:
        piece.error, piece.detail = _CRC, f"{body[-4:]!r} is no check code"
    else:
        said = "no decimal length" if stated < 0 else f"length {stated}"
        piece.error, piece.detail = _LENGTH, f"{said}, the line holds a data segment of {max(len(body) - 4, 0)} bytes"
    return piece


def _fits_code(piece: Piece, code: bytes) -> bool:
    """Compare the check code, then let the segment's own fault and flags be the packet's."""
    segment = piece.segment
    computed = standard.compute_crc(segment.plain)
    sent = int(code, 16) if _CODE.fullmatch(code) else -1
    piece.error, piece.detail, piece.flags = segment.error, segment.detail, list(segment.flags)
    if sent == computed:
        return True
    if sent in (standard.swap_bytes(computed), standard.swap_bytes(standard.compute_modbus_crc(segment.plain))):
        piece.flags.append(_LOW_BYTE)
        return True
    if segment.error != _KEY:  # without the key there is nothing to compare with
        piece.error, piece.detail = _CRC, f"sent {code.decode('ascii', 'replace')}, computed {computed:04X}"
    return False


def _flag_frame(piece: Piece, digits: bytes, line_end: bytes) -> None:
    if len(digits) < 4:
        piece.flags.append(_DIGITS)
    if line_end != b"\r\n":
        piece.flags.append(_LINE_END)


def _skip_line_end(buffer: bytes, at: int) -> int:
    """Return where a line end ends: <CR><LF>, one of them, or <CR><CR><LF> of a gateway in text mode."""
    after = at
    while after < at + 4 and buffer[after : after + 1] == b"\r":
        after += 1
    return after + 1 if buffer[after : after + 1] == b"\n" else after


def _fail(segment: Segment, error: str, detail: str) -> None:
    if segment.error is None:
        segment.error, segment.detail = error, detail


def _parse_head(parsed: Segment, head: bytes) -> None:
    if not head.isascii():
        _fail(parsed, _NOT_ASCII, "in the head")
    fields = parsed.head
    for part in head.decode("ascii", "backslashreplace").split(";"):
        name, equals, value = part.partition("=")
        if not equals:
            if part:
                _fail(parsed, _HEAD, f"{part[:_SAMPLE]!r} has no '='")
        elif name in fields:
            _fail(parsed, _TWICE, name)
        else:
            fields[name] = value
    if not (fields.get("ST") and fields.get("CN")):
        _fail(parsed, _HEAD, "no ST or no CN")
    flag = fields.get("Flag")
    if flag is not None and not (standard.fits_type(flag, "N3") and int(flag) <= 255):
        _fail(parsed, _HEAD, f"Flag={flag[:_SAMPLE]}")
        flag = None
    parsed.edition = standard.find_edition(None if flag is None else int(flag))
    _check_limits(parsed)


def _check_limits(parsed: Segment) -> None:
    # Table 3. A QN without content is seen in the field, and HJ/T 212-2005 leaves QN out of uploads.
    number = parsed.head.get("QN")
    if number and not (len(number) == 17 and number.isdecimal()):
        parsed.flags.append(_LIMIT)
    kind = f"N{standard.PART_DIGITS_MAX[parsed.edition]}"
    if any(name in parsed.head and not standard.fits_type(parsed.head[name], kind) for name in ("PNUM", "PNO")):
        parsed.flags.append(_LIMIT)


def _open_area(parsed: Segment, area: bytes, keys: Keys) -> bytes | None:
    """Return the plain area; None, with the fault in `parsed`, if its key is missing."""
    if groups := _PRINTED_GROUPS.fullmatch(area):
        cipher = bytes(int(byte, 16) for byte in groups[1].split(b",") if byte) + groups[2]
    elif _HEX_AREA.fullmatch(area):
        cipher = bytes.fromhex(area.decode())
    elif groups := _HEX_GROUPS.fullmatch(area):
        cipher = bytes.fromhex(groups[1].decode()) + groups[2]
    else:
        whole = area[: len(area) // 16 * 16]
        if len(whole.translate(None, _PRINTABLE)) * 8 <= len(whole):
            return area
        cipher = area
    parsed.cipher = "raw" if cipher is area else "hex"
    key = keys.get(parsed.head.get("MN", ""))
    if key is None:
        parsed.error, parsed.detail = _KEY, f"no key for MN={parsed.head.get('MN', '')}"
        return None
    return standard.decrypt_area(cipher, key)


def _parse_area(parsed: Segment, area: bytes) -> None:
    if area.isascii():
        text = area.decode()
    else:
        # 6.3: Chinese is in UTF-8, and only information texts (table B.10) hold any; HJ/T 212-2005 knows none.
        text = area.decode("utf-8", "backslashreplace")
        valid = parsed.edition != standard.EDITION_2005 and "\\" not in text
        if not (valid and _INFORMATION.sub("", text).isascii()):
            _fail(parsed, _NOT_ASCII, "in the data area")
    information = "//" in text
    if information:
        text = _INFORMATION.sub(lambda found: found[0].translate(_HIDE), text)
    parsed.items = [[part.split("=", 1) for part in group.split(",") if part] for group in text.split(";") if group]
    if information:
        parsed.items = [[[text.translate(_SHOW) for text in pair] for pair in group] for group in parsed.items]
    for group in parsed.items:
        for pair in group:
            if len(pair) == 1 and TORN_FIELD not in parsed.flags:
                parsed.flags.append(TORN_FIELD)


#: separators inside an information text, while the area is split at the others
_HIDE = {ord(separator): 0xE000 + ord(separator) for separator in ",;="}
_SHOW = {hidden: separator for separator, hidden in _HIDE.items()}


def _describe(piece: Piece, missing: int) -> dict[str, Any]:
    segment = piece.segment
    return {
        "offset": piece.offset,
        "length": piece.length,
        "verdict": piece.verdict,
        "error": piece.error,
        "detail": piece.detail or None,
        "flags": piece.flags,
        "edition": segment.edition if segment.head else None,
        "encrypted": segment.cipher,
        "resent": segment.head.get("RF") == "1",
        "parts_missing": missing,
        "head": segment.head,
        "items": segment.items,
        "raw": show_raw(piece.raw) if piece.error else None,
    }


def show_raw(raw: bytes) -> str:
    """Return bytes as a person can read them."""
    return raw.decode("ascii", "backslashreplace")
