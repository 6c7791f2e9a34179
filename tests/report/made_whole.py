"""A made publication that has all 28 indicators: those of tests/assess, and the others of the plan beside them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb

from tanhuan.settings import Settings
from tests.assess.made_publication import SEEDS, publish_made

#: the others: measured values for odd numbers, none for even ones
_OTHERS = """
insert into ind_plan_indicator by name
with made as (
    select named.*, shown.*
    from read_csv($seeds || '/plan_indicator.csv', all_varchar = true) as named
    inner join (
        select distinct assessment_point, year, due_date, as_of_date
        from ind_plan_indicator where assessment_point <> 'BASELINE_2019'
    ) as shown on true
    where named.plan_id = '14'
        and named.indicator_no::integer not in (select indicator_no from ind_plan_indicator)
)
select
    plan_id, indicator_no::integer as indicator_no, indicator, indicator_en, '430300' as region_code, assessment_point,
    year, due_date, if(indicator_no::integer % 2 = 1, 60 + indicator_no::integer + year - 2021, null) as value, unit,
    baseline_raw, target_raw, op, attribute, kind, as_of_date, indicator_no as inputs_hash,
    if(indicator_no::integer % 2 = 1, 'target_missing', 'data_missing') as status, 'made' as cause,
    if(indicator_no::integer % 2 = 1, '没有带文号和日期的目标，不能评判。', '没有有效输入数据。') as status_reason_zh,
    'made' as status_reason_en, if(indicator_no::integer % 2 = 1, 'measured', 'stated') as data_basis
from made
"""


def publish_whole(
    settings: Settings, as_of: dt.date = dt.date(2024, 1, 15), restated: dict[int, Decimal] | None = None
) -> str:
    """Publish a made version with every indicator of the plan and switch readers to it."""
    version = publish_made(settings, as_of, restated)
    change_made(settings, version, _OTHERS.replace("$seeds", f"'{SEEDS}'"))
    return version


def change_made(settings: Settings, version: str, statement: str) -> None:
    """Change a made version, as no publication ever is."""
    with duckdb.connect(str(settings.published / version / "tanhuan.duckdb")) as con:
        con.execute(statement)
