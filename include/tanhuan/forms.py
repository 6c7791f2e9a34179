"""Every form in which a feed table may come, by name: which reader understands it.

Belongs here: the register, and how a file that somebody dropped is recognised by its first bytes. Does not belong here:
reading (`formats/`).
"""

from __future__ import annotations

from functools import partial

from tanhuan.errors import TanhuanError
from tanhuan.formats import cnemc_air, cnemc_water, hj212, json_rows, table_file
from tanhuan.formats.rows import Form, stage_texts
from tanhuan.settings import Settings

#: forms that an upstream sends for a range of days in answer to one question
PAGES, NDJSON, PARQUET = "pages", "ndjson", "parquet"
#: a table that somebody filled in or exported: CSV or workbook
TABLE_FILE = "table_file"
#: forms that exist as one file a day, and the table each brings
DAILY_FILES = {"cnemc_air": "air_hour", "cnemc_water": "water_section_4h", "hj212": "source_hour"}


def get_form(name: str, settings: Settings) -> Form:
    """Return a form by name; KeyError with the known names if there is none."""
    forms = {form.name: form for form in _list_forms(settings)}
    if name not in forms:
        raise KeyError(f"no form {name!r}; known forms: {', '.join(sorted(forms))}")
    return forms[name]


def _list_forms(settings: Settings) -> list[Form]:
    packets = partial(hj212.read_rows, keys=settings.list_packet_keys())
    return [
        Form(PAGES, "json", json_rows.stage_pages, names_columns=True),
        Form(NDJSON, "ndjson", json_rows.stage_lines, names_columns=True),
        Form(PARQUET, "parquet", json_rows.stage_parquet, names_columns=True),
        Form("cnemc_air", "csv", stage_texts(cnemc_air.read_rows), by_row=True, faults=cnemc_air.FAULTS),
        # Two that record a source as time goes by: what comes later in them supersedes what came before.
        Form(
            "cnemc_water",
            "json",
            stage_texts(cnemc_water.read_rows),
            supersedes=True,
            by_row=True,
            faults=cnemc_water.FAULTS,
        ),
        Form("hj212", "bin", stage_texts(packets), supersedes=True, by_row=True, faults=hj212.FAULTS),
        Form(TABLE_FILE, "bin", stage_texts(table_file.read_rows), by_row=True, faults=table_file.FAULTS),
    ]


def check_form(table: str, name: str) -> str:
    """Return a form's name if the table can be pulled in it.

    Raises:
        TanhuanError: there is no such form, or it brings another table.
    """
    possible = [PAGES, NDJSON, PARQUET, *(form for form, owner in DAILY_FILES.items() if owner == table)]
    if name not in possible:
        raise TanhuanError(f"Table {table} cannot be pulled as {name!r}.", f"choose one of {', '.join(possible)}.")
    return name


def recognise_form(table: str, name: str, head: bytes) -> str:
    """Return the form of a dropped file, by what its first bytes look like; any other file is a table.

    Raises:
        TanhuanError: the form belongs to another table than the folder it was dropped in.
    """
    form = next((form for form, fits in _SIGNS.items() if fits(head)), TABLE_FILE)
    if table == DAILY_FILES["cnemc_water"] and _is_section_csv(head):
        form = "cnemc_water"
    owner = DAILY_FILES.get(form, table)
    if owner != table:
        raise TanhuanError(
            f"inbox: {name} looks like {form}, which belongs to table {owner}, but lies in inbox/{table}/.",
            f"move it to inbox/{owner}/.",
        )
    return form


def _is_wide_air(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").startswith((b"date,hour,type,", b"timepoint,stationcode,"))


def _is_water(head: bytes) -> bool:
    return b'"thead"' in head


def _is_section_csv(head: bytes) -> bool:
    return "断面名称".encode() in head.partition(b"\n")[0]


def _is_packets(head: bytes) -> bool:
    start = head.find(b"##")
    return start >= 0 and head[start + 2 : start + 4].isdigit()


_SIGNS = {"cnemc_air": _is_wide_air, "cnemc_water": _is_water, "hj212": _is_packets}
