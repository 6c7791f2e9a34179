"""Which returns of which indicator are in: read from the rows that are admitted, beside what is due.

Does not belong here: values and verdicts, which are the warehouse's.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tanhuan.duck import open_memory
from tanhuan.known import show_known
from tanhuan.return_forms import read_items
from tanhuan.settings import Settings

_QUERY = """
select indicator_no, part, region_code, issuer, doc_no, as_of_date, issued_date
from known.department_return
where plan_id = $plan_id and year = $year and ($region::varchar is null or region_code = $region)
qualify row_number() over (partition by indicator_no, part, region_code order by issued_date desc) = 1
order by indicator_no, part, region_code
"""


def list_returns(plan_id: str, year: int, region: str | None, settings: Settings) -> list[dict[str, Any]]:
    """Return the newest return of each indicator, part and region of a year; then those of the city that are missing.

    A missing one says `due`, the day by which it has to be in.
    """
    with TemporaryDirectory() as scratch, open_memory() as con:
        show_known(con, ["department_return"], [], Path(scratch), settings)
        answer = con.execute(_QUERY, {"plan_id": plan_id, "year": year, "region": region})
        names = [d[0] for d in answer.description or []]
        found = [dict(zip(names, row, strict=True)) | {"due": None} for row in answer.fetchall()]
    region = region or "430300"
    reported = {(row["indicator_no"], row["part"]) for row in found if row["region_code"] == region}
    missing = [
        dict.fromkeys(("doc_no", "as_of_date", "issued_date"))
        | {"indicator_no": int(item["indicator_no"]), "part": item["part"], "region_code": region}
        | {"issuer": item["issuer_zh"], "due": dt.date.fromisoformat(f"{year + 1}-{item['due']}")}
        for item in read_items(settings, plan_id, dt.date(year, 12, 31))
        if (int(item["indicator_no"]), item["part"]) not in reported
    ]
    return [*found, *missing]
