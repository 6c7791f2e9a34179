"""The header of a table that a person made: which line it is, which columns it names, which units it states.

Belongs here: names, units in brackets, units of a whole table (`单位：万元`), headers of two lines. Does not belong
here: the rows below, or how a file became lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from tanhuan.contracts import Column, Contract
from tanhuan.formats.cell_text import find_factor, fold_name, is_unit, split_notes
from tanhuan.formats.sheet import Line, TableFileRefused, refuse

#: lines among which the header is looked for
HEADER_LINES = 30
#: notes in a header that say nothing about the unit
_NEUTRAL_NOTES = {"必填", "选填", "可空", "数字", "数值", "required", "optional"}
_STATED_UNITS = re.compile(r"单位:([^()]+)")
_NO_UNIT = {"", "-", "/", "—"}
#: characters of headers shown in a refusal
_SHOWN = 500


@dataclass
class Header:
    """Where a table's columns are.

    `texts` are the cells of the header's (lower) line, `labels` what a person would call each column. By contract
    column: `places`, and `notes` in brackets. `twice` are columns that two places name; `stated` units that lines above
    give for the whole table; `next_line` is the index of the first line below.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)
    next_line: int = 0

    @property
    def width(self) -> int:
        """Number of columns up to the last one with a name."""
        return max((place for place, label in enumerate(self.labels, start=1) if label), default=0)


def find_header(head: list[Line], contract: Contract, spans: dict[int, list[tuple[int, int]]]) -> Header:
    """Return the header among the first lines: the first to name the most columns, all key columns among them.

    If no line names all key columns, the one that names the most comes back, for the refusal to show.
    """
    names = _name_columns(contract)
    candidates = [Header(labels=line.texts) for line in head[:1]]
    for index, line in enumerate(head[:HEADER_LINES]):
        above = _spread(head[index - 1], spans) if index else []
        candidates.append(_read_header(above, line.texts, names, index, joined=False))
        candidates.append(_read_header(above, line.texts, names, index, joined=True))
    key = set(contract.stated_key)
    header = max(candidates, key=lambda h: (key <= h.places.keys(), len(h.places)), default=Header())
    for line in head[header.next_line : header.next_line + 2]:
        if not _absorb(header, line.texts, names, key):
            break
    header.stated = _find_stated_units(head[: header.next_line])
    return header


def read_factors(name: str, contract: Contract, header: Header) -> dict[str, Decimal]:
    """Return what the numbers of each column found are multiplied by to be in the contract's unit.

    Raises:
        TableFileRefused: two columns claim one name, or a unit is unknown, does not fit or is contradictory.
    """
    if header.twice:
        columns = "、".join(sorted(header.twice))
        raise refuse(
            f"文件 {name} 中有两列同为：{columns}。",
            f"File {name} names these columns twice: {columns}.",
            "每个指标只保留一列后重新报送。",
            "keep one column of each and drop the file again.",
        )
    return {c.name: _read_factor(name, c, header) for c in contract.columns if c.name in header.places}


def refuse_header(name: str, contract: Contract, nearest: Header) -> TableFileRefused:
    """Return the refusal of a file in which no line names all key columns."""
    missing = [
        f"{c.zh}（{c.name}）"
        for c in contract.columns
        if c.required and c.unsaid is None and c.name not in nearest.places
    ]
    found = "、".join(label for label in nearest.labels if label)[:_SHOWN] or "无 none"
    key = "、".join(contract.stated_key)
    return refuse(
        f"文件 {name} 前 {HEADER_LINES} 行中没有 {contract.table}（{contract.title.zh}）的表头；"
        f"缺少必需列：{'、'.join(missing)}；找到的表头：{found}。",
        f"File {name}: no header of {contract.table} in the first {HEADER_LINES} lines; "
        f"required columns that are missing: {', '.join(missing)}; headers found: {found}.",
        f"按模板填写表头（关键列：{key}）后重新报送。",
        f"name the columns as in the template (key columns: {key}) and drop the file again.",
    )


def _name_columns(contract: Contract) -> dict[str, str]:
    """Return the contract's columns by every name they go by; what follows a colon in a Chinese label explains it."""
    return {
        fold_name(name): column.name
        for column in contract.columns
        for name in (column.name, column.zh, re.split("[:：]", column.zh)[0])
    }


def _spread(line: Line, spans: dict[int, list[tuple[int, int]]]) -> list[str]:
    """Return a line's texts with cells merged sideways repeated over their width."""
    texts = list(line.texts)
    for first, last in spans.get(line.number, ()):
        texts += [""] * (last + 1 - len(texts))
        texts[first : last + 1] = [texts[first]] * (last + 1 - first)
    return texts


def _read_header(above: list[str], texts: list[str], names: dict[str, str], index: int, *, joined: bool) -> Header:
    """Read a line as a header, if `joined` together with the line above it (a group over its columns)."""
    header = Header(texts=texts, next_line=index + 1)
    for place in range(max(len(texts), len(above) if joined else 0)):
        text = texts[place] if place < len(texts) else ""
        group = above[place] if place < len(above) else ""
        header.labels.append(f"{group} {text}".strip() if joined and group != text else text.strip())
        group_name, group_notes = split_notes(fold_name(group))
        tried = [group_name + fold_name(text), text] if joined else [text]
        if joined and not text.strip():
            tried = [group]
        found = next((match for label in tried if (match := _match(label, names))), None)
        if found is None:
            continue
        column, notes = found
        if column in header.places:
            header.twice.add(column)
        header.places.setdefault(column, place)
        # A unit over a group of columns holds for each that states none.
        header.notes[column] = notes or [note for note in group_notes if is_unit(note)]
    return header


def _match(text: str, names: dict[str, str]) -> tuple[str, list[str]] | None:
    """Return the column a text names, with its notes: `罚款金额（万元）`, `base_t/kg`."""
    folded = fold_name(text)
    if folded in names:
        return names[folded], []
    bare, notes = split_notes(folded)
    if bare in names:
        return names[bare], notes
    bare, _, unit = folded.partition("/")
    return (names[bare], [unit]) if bare in names else None


def _absorb(header: Header, texts: list[str], names: dict[str, str], key: set[str]) -> bool:
    """Take a line of units, or of the same names in the other language, into the header above it."""
    units = {place: unit for place, text in enumerate(texts) if (unit := fold_name(text).strip("()")) not in _NO_UNIT}
    if units and all(is_unit(unit) for unit in units.values()):
        for column, place in header.places.items():
            if place in units:
                header.notes[column] = [units[place]]
    else:
        again = _read_header([], texts, names, 0, joined=False)
        if not key or any(again.places.get(column) != header.places.get(column) for column in key):
            return False
        for column, notes in again.notes.items():
            if header.places.get(column) == again.places[column]:
                header.notes[column] = header.notes[column] or notes
    header.next_line += 1
    return True


def _find_stated_units(lines: list[Line]) -> set[str]:
    """Return units that lines above give for the whole table: `单位：万元`; a `填报单位：…` is an office."""
    folded = [fold_name(text) for line in lines for text in line.texts if text]
    stated = [
        unit for text in folded for found in _STATED_UNITS.findall(text) for unit in re.split("[、,;，；]", found)
    ]
    alone = [split_notes(fold_name("".join(line.texts)))[1] for line in lines if sum(map(bool, line.texts)) == 1]
    return {unit for unit in [*stated, *(note for notes in alone for note in notes)] if is_unit(unit)}


def _read_factor(name: str, column: Column, header: Header) -> Decimal:
    if column.unit is None:
        return Decimal(1)
    own = [note for note in header.notes[column.name] if note not in _NEUTRAL_NOTES]
    # A unit of the whole table is meant for the columns it can be of.
    written = own or [unit for unit in header.stated if find_factor(unit, column) is not None]
    factors = {find_factor(unit, column) for unit in written} or {Decimal(1)}
    if len(factors) == 1 and (factor := factors.pop()) is not None:
        return factor
    unit = "、".join(sorted(written))
    raise refuse(
        f"文件 {name} 中“{column.zh}”（{column.name}）的单位“{unit}”不能换算为 {column.unit}。",
        f"File {name}: the unit {unit!r} of column {column.name} cannot be converted to {column.unit}.",
        f"在表头写明可换算的单位（如 {column.unit}）后重新报送。",
        f"state a unit that fits (such as {column.unit}) and drop the file again.",
    )
