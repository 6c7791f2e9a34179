"""Water alone for a warehouse: made samples and checks, and the recording of Hunan, put into `raw`."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tanhuan.settings import Settings, get_settings
from tests.accounting.made_warehouse import add_load
from tests.water.standard import DATA

RECORDING = Path(__file__).parents[2] / "include/tanhuan/standin/data/hunan_water_2020_2021.csv.gz"
VECTORS: dict[str, Any] = json.loads((DATA / "water_class.json").read_text("utf-8"), parse_float=Decimal)
NIGHT = dt.date(2026, 11, 23)
DAY = dt.date(2025, 3, 5)
Row = dict[str, Any]


@dataclass
class Made:
    """Rows to be put into `raw`; points are registered as they are sampled."""

    points: dict[tuple[str, str], Row] = field(default_factory=dict)
    samples: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)

    def sample(self, kind: str, point: str, item: str, value: Any, **more: Any) -> None:
        """Add one result of an item of the seed, in the unit of the item unless it is told."""
        point_facts = {name: more.pop(name) for name in ("body_kind", "background_items") if name in more}
        self.points.setdefault(
            (kind, point),
            {
                "sample_kind": kind, "point_code": point, "point_name": point, "county_code": "430302",
                "body_kind": "river", "control_level": "省控", "is_assessed": True, "valid_from_date": "2020-01-01",
                "source_level": "city", "is_in_use": True, "is_groundwater_source": False, "doc_no": "made",
                **point_facts,
            },
        )  # fmt: skip
        known = ITEMS.get(item, {})
        self.samples.append(
            {
                "sample_kind": kind, "point_code": point, "sampled_date": DAY, "business_date": DAY,
                "item_code": known.get("item_code") or f"none-{item}", "item_name": known.get("name_zh", item),
                "value_text": str(value), "value": value, "is_below_detection": False,
                "unit": known.get("unit") or "mg/L", "doc_no": "made", **more,
            },
        )  # fmt: skip

    def check(self, body: str, day: dt.date = dt.date(2025, 6, 10), **values: Any) -> None:
        self.checks.append(
            {
                "body_code": body, "body_name": body, "county_code": "430302", "built_up_kind": "prefecture_city",
                "identified_date": "2016-01-01", "treated_date": "2020-01-01", "checked_date": day,
                "satisfaction_pct": 95, "issuer": "made", "doc_no": f"{body}-{day}", "issued_date": day, **values,
            },
        )  # fmt: skip


def read_seed(name: str) -> list[Row]:
    path = get_settings().dbt_project / "seeds" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


ITEMS = {row["item_id"]: row for row in read_seed("water_item")}


def read_recording() -> Iterator[Row]:
    """The recording of Hunan as rows of `water_section_4h`."""
    with gzip.open(RECORDING, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            told = {name: text or None for name, text in row.items()}
            yield told | {
                "measured_at": f"{row['measured_at']}:00+08",
                "business_date": row["measured_at"][:10],
                "data_status": "preliminary",
                "data_basis": "measured",
            }


def put_in(made: Made, settings: Settings) -> None:
    add_load(settings, "water_point", list(made.points.values()), NIGHT)
    add_load(settings, "water_sample", made.samples, NIGHT)
    add_load(settings, "water_body_check", made.checks, NIGHT)
    add_load(settings, "water_section_4h", list(read_recording()), NIGHT)
