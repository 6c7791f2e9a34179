"""Registers of the invented city's surroundings: water points, intake, black-odorous waters, exceptional events of air.

Belongs here: every row of `water_point`, `source_intake`, `water_body_check` and `air_exception_event` that there will
be; which of them have been issued by now is the platform's to say (sql/<table>.sql). Does not belong here: what is
measured at the points (sql/water_sample.sql, sql/water_section_4h.sql).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

from tanhuan.standin.city import SYNTHETIC, City, Row, read_rows
from tanhuan.standin.draws import between, day_between, uniform

YEARS = range(2020, 2027)
PROVINCE = "湖南省"
#: A month of a source that nobody reported, and one that was corrected later.
_FORGOTTEN_INTAKE = ("SY05", dt.date(2021, 2, 1))
_CORRECTED_INTAKE = ("SY03", dt.date(2022, 8, 1))
#: Months in which the waters are checked.
_CHECK_MONTHS = (6, 12)


class _State(NamedTuple):
    """The four measures of a water body (建城〔2015〕130号), each from low to high."""

    transparency_cm: tuple[float, float]
    do_mg_l: tuple[float, float]
    orp_mv: tuple[float, float]
    nh3n_mg_l: tuple[float, float]


_CLEAN = _State((32, 70), (2.6, 6.5), (70, 210), (0.6, 5.5))
_BLACK = _State((12, 22), (0.5, 1.8), (-150, 20), (8.5, 13.5))
_DEPTH_CM = (80, 190)
#: A brook so shallow that its transparency is its depth: by the numbers black, by its bottom clear.
_SHALLOW_BODY = "HC19"
_SHALLOW_CM = (17, 24)


def list_points() -> list[Row]:
    """Return the rows of the table water_point."""
    names = ("target_class", "control_level", "is_assessed", "source_level", "is_in_use", "is_groundwater_source")
    return [
        {
            **{name: row[name] for name in ("sample_kind", "point_code", "point_name", "county_code")},
            "water_body": row["river"],
            "body_kind": row["body_kind"],
            **{name: row[name] for name in names},
            "province": PROVINCE if row["section_name"] else None,
            "section_name": row["section_name"],
            "background_items": row["background_items"],
            "valid_from_date": row["valid_from_date"],
            "valid_to_date": None,
            "doc_no": f"示例点位〔{str(row['valid_from_date'])[:4]}〕1号",
            "data_basis": SYNTHETIC,
        }
        for row in read_rows("water_points")
    ]


def list_intakes(city: City) -> list[Row]:
    """Return every month's intake of every source, those of months to come as well."""
    return [
        row
        for line in read_rows("source_intakes")
        for year in YEARS
        for month in range(1, 13)
        for row in _intakes_of_month(city, line, dt.date(year, month, 1))
    ]


def list_checks_of_waters(city: City) -> list[Row]:
    """Return every half-yearly check of the black-odorous waters, those to come as well."""
    return [
        _check(city, line, dt.date(year, month, 1))
        for line in read_rows("water_bodies")
        for year in YEARS
        for month in _CHECK_MONTHS
        if str(line["identified_date"]) < f"{year}-{month:02d}"
    ]


def list_exception_events() -> list[Row]:
    """Return one row for each pollutant of each event."""
    return [
        {
            **{name: text for name, text in line.items() if name != "pollutants"},
            "pollutant_id": pollutant,
            "data_basis": SYNTHETIC,
        }
        for line in read_rows("air_events")
        for pollutant in str(line["pollutants"]).split()
    ]


def _intakes_of_month(city: City, line: Row, month: dt.date) -> Iterator[Row]:
    place = (str(line["point_code"]), month)
    if place == _FORGOTTEN_INTAKE:
        return
    usual = float(str(line["monthly_10k_m3"]))
    # More in summer; a reserve draws nothing, and says so.
    season = 1.12 if month.month in (6, 7, 8, 9) else 0.96
    amount = usual * season * between(0.95, 1.05, city.seed, "intake", *place)
    issued = (month + dt.timedelta(days=31)).replace(day=5 + month.month % 4)
    yield _intake(place, amount, issued, f"示例取水〔{month:%Y}〕{month.month}号")
    if place == _CORRECTED_INTAKE:
        yield _intake(place, amount * 1.08, issued + dt.timedelta(days=35), f"示例取水〔{month:%Y}〕{month.month}-2号")


def _intake(place: tuple[str, dt.date], amount: float, issued: dt.date, doc_no: str) -> Row:
    return {
        "point_code": place[0],
        "month_date": place[1].isoformat(),
        "intake_10k_m3": f"{amount:.2f}",
        "issuer": "示例水利部门",
        "doc_no": doc_no,
        "issued_date": issued.isoformat(),
        "data_basis": SYNTHETIC,
    }


def _check(city: City, line: Row, month: dt.date) -> Row:
    key = (city.seed, "water_body", line["body_code"], month)
    checked = day_between(month + dt.timedelta(days=4), month + dt.timedelta(days=18), *key)
    state = _BLACK if _is_black(line, checked) else _CLEAN
    values = {name: f"{between(low, high, *key, name):.1f}" for name, (low, high) in state._asdict().items()}
    # Now and then the electrode is not taken along.
    orp = None if uniform(*key, "electrode") < 0.05 else values["orp_mv"]
    depth = _depth(line, state, values, uniform(*key, "depth"))
    # Residents are asked once a year.
    satisfaction = f"{between(91, 98, *key, 'asked'):.1f}" if month.month == _CHECK_MONTHS[-1] else None
    names = ("body_code", "body_name", "county_code", "built_up_kind", "identified_date")
    treated = line["treated_date"]
    return {
        **{name: line[name] for name in names},
        "treated_date": treated if treated and treated <= checked.isoformat() else None,
        "checked_date": checked.isoformat(),
        **values,
        "orp_mv": orp,
        **depth,
        "satisfaction_pct": satisfaction if state is _CLEAN else None,
        "issuer": "示例住建部门",
        "doc_no": f"示例水体〔{checked.year}〕{line['body_code']}-{checked.month}号",
        "issued_date": (checked + dt.timedelta(days=25)).isoformat(),
        "data_basis": SYNTHETIC,
    }


def _depth(line: Row, state: _State, values: dict[str, str], luck: float) -> Row:
    """Return how deep the water is and whether one sees to its bottom; there, transparency is the depth."""
    if line["body_code"] == _SHALLOW_BODY and state is _CLEAN:
        shallow = f"{_SHALLOW_CM[0] + luck * (_SHALLOW_CM[1] - _SHALLOW_CM[0]):.1f}"
        return {"transparency_cm": shallow, "depth_cm": shallow, "is_clear_to_bottom": "true"}
    deep = _DEPTH_CM[0] + luck * (_DEPTH_CM[1] - _DEPTH_CM[0])
    return {"depth_cm": f"{deep:.1f}", "is_clear_to_bottom": "false"}


def _is_black(line: Row, day: dt.date) -> bool:
    """Tell whether a water is black-odorous: not treated yet, or fallen back."""
    first, last = str(line["relapse"] or "9999-12-31 9999-12-31").split()
    return not line["treated_date"] or day.isoformat() < line["treated_date"] or first <= day.isoformat() <= last
