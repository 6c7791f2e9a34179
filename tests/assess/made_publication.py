# ruff: noqa: E501 - rows of tables read best on one line
"""A publication made by hand: a few indicators, counties and projects in the published tables' columns."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb

from tanhuan.files import write_json
from tanhuan.settings import Settings
from tanhuan.warehouse.build import hash_rules
from tanhuan.warehouse.publish import STORAGE_VERSION

SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"
CITY, COUNTY = "430300", "430321"

_POINTS = """
create temp table point as
select * from (values
    ('BASELINE_2019', 2019, date '2019-12-31'), ('ANNUAL_2021', 2021, date '2021-12-31'),
    ('ANNUAL_2022', 2022, date '2022-12-31'), ('MID_2023', 2023, date '2023-12-31'),
    ('ANNUAL_2023', 2023, date '2023-12-31'), ('ANNUAL_2024', 2024, date '2024-12-31'),
    ('FINAL_2025', 2025, date '2025-12-31')
) as points (assessment_point, year, due_date)
"""

#: indicator, first year's value, yearly step, both baselines with years, target with unit and document, status at the end
_FIGURES = """
create temp table figure as
select * from (values
    (1, 80.0, 1.5, 86.1, 2020, 74.2, 2019, 87.0, '%', '湘政办示例〔2022〕1号', 'on_track', 'strict'),
    (2, 41.0, -1.5, 39.0, 2020, 48.0, 2019, 35.0, 'μg/m3', '湘政办示例〔2022〕1号', 'on_track', 'strict'),
    (7, 95.0, 1.0, 95.0, 2020, null, null, null, null, null, 'qualitative_review', null),
    (10, 91.0, 0.5, 91.0, 2020, null, null, 93.0, '%', '湘农示例〔2022〕2号', 'on_track', null),
    (12, 900.0, 850.0, null, null, null, null, 4200.0, 't', '湘环示例〔2022〕3号', 'on_track', null),
    (16, null, null, null, null, null, null, 70.0, '%', '潭政办发〔2021〕47号', 'data_missing', null),
    (27, 46.6, 0.05, 46.6, 2020, null, null, 46.8, '%', '潭政办发〔2021〕47号', 'on_track', null)
) as figures (
    indicator_no, first_value, step, baseline_value, baseline_year, other_baseline_value, other_baseline_year,
    target_value, target_unit, target_doc_no, final_status, basis
)
"""

_INDICATOR = """
create table ind_plan_indicator as
with value as (
    select
        figure.*, point.*, region.region_code,
        cast(first_value + step * (year - 2021) + if(region.region_code = '430300', 0, 0.25) as decimal(18, 4)) as value
    from figure, point, (values ('430300'), ('430321')) as region (region_code)
    where (assessment_point <> 'BASELINE_2019' or other_baseline_year = 2019) and due_date <= $as_of
        and (region.region_code = '430300' or indicator_no in (2, 10, 12))
)
select
    '14' as plan_id, value.indicator_no::integer as indicator_no, named.indicator, named.indicator_en, region_code,
    assessment_point, year::integer as year, due_date, basis, value, round(value, 1)::decimal(18, 4) as judged_value,
    null::varchar as value_text, coalesce(target_unit, named.unit) as unit, named.baseline_raw,
    baseline_value::decimal(18, 4) as baseline_value, baseline_year::integer as baseline_year,
    other_baseline_value::decimal(18, 4) as other_baseline_value, other_baseline_year::integer as other_baseline_year,
    named.target_raw, target_value::decimal(18, 4) as target_value, target_unit, 'any' as target_metric, target_doc_no,
    case when target_doc_no is not null then date '2022-03-01' end as target_issued_date, named.op,
    if(year < 2025, 'path', 'final') as compared_with,
    (coalesce(baseline_value, 0) + (target_value - coalesce(baseline_value, 0)) * (year - 2020) / 5)::decimal(18, 4)
        as compared_value,
    named.attribute, named.kind,
    if(assessment_point = 'BASELINE_2019', 'not_assessed', final_status) as status, 'made' as cause,
    case when value is null then '没有收到数值。' else '值 ' || value || '，按进度线评判。' end as status_reason_zh,
    'made' as status_reason_en, case when value is null then null else 350 end::bigint as coverage_n,
    324::decimal(18, 4) as coverage_required,
    case when value is null then null else 108.02 end::decimal(9, 2) as coverage_pct,
    case when basis is not null then 'HJ 663-2013' end as standard_code,
    case when value is null then 'stated' when basis is null then 'synthetic' else 'measured' end as data_basis,
    $as_of::date as as_of_date, md5(concat(value.indicator_no, region_code, assessment_point, value)) as inputs_hash,
    case when value.indicator_no in (10, 27) then value * 20 end::decimal(18, 4) as numerator,
    case when value.indicator_no in (10, 27) then 2000 end::decimal(18, 4) as denominator,
    case when value.indicator_no = 12 then '正文与表2所列基数不同，以表2为准。' end as note_zh,
    case when value.indicator_no = 12 then 'text and table 2 differ' end as note_en
from value
inner join read_csv($seeds || '/plan_indicator.csv', all_varchar = true) as named
    on named.plan_id = '14' and named.indicator_no = value.indicator_no
"""

_REST = (
    """
    create table ind_plan_verdict as
    select
        '14' as plan_id, region_code, assessment_point, any_value(year) as year, any_value(due_date) as due_date,
        'undecided' as verdict, 3::bigint as binding_count, 2::bigint as binding_attained_count,
        0::bigint as binding_failed_count, 1::bigint as binding_open_count, '1 项约束性指标尚无结论。' as reason_zh,
        'one is open' as reason_en, $as_of::date as as_of_date, 'mixed' as data_basis
    from ind_plan_indicator group by region_code, assessment_point
    """,
    """
    create table ind_plan_commitment as
    select
        '14' as plan_id, id as commitment_id, '四(一)' as section, title as commitment_zh, title as commitment_en,
        due as due_text, due_date, due_kind, '430300' as region_code, 2023::integer as year,
        value::decimal(18, 4) as value, '%' as unit, '>=' as op, target::decimal(18, 4) as target_value, status,
        'made' as cause, '据示例报送。' as status_reason_zh, 'made' as status_reason_en, '示例局' as issuer,
        '示例〔2024〕1号' as doc_no, date '2023-12-31' as data_as_of_date, $as_of::date as as_of_date,
        'synthetic' as data_basis, md5(id) as inputs_hash
    from (values
        ('C02', '水泥制造业氮氧化物排放浓度不高于100毫克/立方米', '2023', date '2023-12-31', 'once', 100, 100, 'attained'),
        ('C06', '主要车（机）型系族年度抽检率不低于80%', 'annual', null, 'annual', 76, 80, 'not_attained'),
        ('C12', '进水BOD浓度大于100mg/L的污水处理厂规模占比不低于30%', '2025', date '2025-12-31', 'once', null, 30, 'not_due')
    ) as made (id, title, due, due_date, due_kind, value, target, status)
    """,
    """
    create table ind_plan_note as
    select '14' as plan_id, 'N01' as note_id, 12::integer as indicator_no, null::varchar as commitment_id,
        '一(一)3 称2020年化学需氧量削减率为84.6%，表1、表2为11.09%；以表为准。' as note_zh,
        'The text says 84.6 %, the tables 11.09 %; the tables hold.' as note_en,
        '潭政办发〔2021〕47号' as source_doc, 'verified' as confidence
    """,
    """
    create table ind_plan_evidence as
    select '14' as plan_id, indicator_no::integer as indicator_no, region_code, 2023::integer as year, kind as document_kind,
        subject, detail, pollutant_id, issuer, doc_no, date '2024-01-10' as issued_date, as_of as data_as_of_date,
        true as is_latest, 'synthetic' as data_basis, $as_of::date as as_of_date
    from (values
        (10, '430300', 'return', '1', 'return', null, '示例农业农村局', '示例农〔2024〕3号', date '2023-12-31'),
        (12, '430321', 'project', 'P1', 'project', 'cod', null, '示例减〔2022〕9号', null),
        (12, '430321', 'project', 'P2', 'project', 'cod', null, '示例减〔2022〕10号', null)
    ) as made (indicator_no, region_code, kind, subject, detail, pollutant_id, issuer, doc_no, as_of)
    """,
    """
    create table mart_reduction_project as
    select id as project_id, name as project_name, 'S1' as source_code, '430321' as county_code, null::varchar as zone_code,
        'engineering' as category, 'cod' as pollutant_id, 2023::integer as year, 2022::integer as plan_year,
        100::decimal(18, 4) as planned_t, 90::decimal(18, 6) as claimed_t, v::decimal(18, 6) as verified_t,
        v::decimal(18, 6) as verified_new_t, state as verification_state, 3::integer as evidence_required_count,
        n::integer as evidence_present_count, why as why_not_verified_zh, why as why_not_verified_en,
        'synthetic' as data_basis, $as_of::date as as_of_date
    from (values ('P1', '示例城东污水厂提标', 90, 'verified', 3, null),
        ('P2', '示例造纸厂深度治理', 0, 'evidence_missing', 1, '缺验收与监测材料')) as made (id, name, v, state, n, why)
    """,
    """
    create table mart_air_period as
    select '430300' as region_code, 'year' as period_kind, y::integer as year, null::integer as month, basis, 'all' as series,
        365::integer as calendar_days, 358::integer as judged_days, 300::integer as good_days, 83.8 as good_ratio_pct,
        35.2 as pm25_mean_ug_m3, 'HJ 663-2013' as standard_code, 'measured' as data_basis
    from range(2021, 2026) as years (y), (values ('strict'), ('archive')) as bases (basis)
    """,
    """
    create table mart_water_period as
    select '430300' as region_code, 'year' as period_kind, 2023::integer as year, 10::integer as section_count,
        100.0 as good_ratio_pct, 'synthetic' as data_basis
    """,
    """
    create table ops_gate_result as
    select 'mart' as gate, 'v' as subject, 'ind_plan_indicator' as table_name, $as_of::date as night_date, id as check_id,
        ok as passed, 'flag' as action, timestamptz '2024-01-15 05:00:00+08:00' as recorded_at
    from (values ('MART-PI-010', true), ('REC-CH-030', false)) as made (id, ok)
    """,
    """
    create table ops_reconciliation as
    select 'REC-AIR-010' as reconciliation_id, 'fct_air_city_day' as table_name, '{}' as row_key, 32.0 as left_value,
        32.5 as right_value, true as is_within, $as_of::date as night_date
    """,
)

_REDUCTION = """
create table mart_reduction_{name} as
select region_code, level as region_level, '{name}' as pollutant_id, y::integer as year, 21000::decimal(18, 4) as base_t,
    1200::decimal(18, 4) as planned_t, 1000::decimal(18, 6) as claimed_t, 900::decimal(18, 6) as verified_t,
    (900 * (y - 2020))::decimal(18, 6) as verified_cum_t, 700::decimal(18, 6) as by_engineering_t,
    150::decimal(18, 6) as by_structure_t, 50::decimal(18, 6) as by_management_t, 120::decimal(18, 6) as new_growth_t,
    780::decimal(18, 6) as net_t, 4.3::decimal(12, 2) as rate_a_pct, null::decimal(12, 2) as rate_b_pct,
    4200::decimal(18, 4) as target_t, '湘环示例〔2022〕3号' as target_doc_no, 21.4::decimal(12, 2) as completion_pct,
    'on_track' as status, 2::integer as project_count, 1::integer as evidence_gap_count, 'synthetic' as data_basis,
    $as_of::date as as_of_date
from dim_region, range(2021, 2024) as years (y) where level in ('city', 'county')
"""


def publish_made(
    settings: Settings,
    as_of: dt.date = dt.date(2024, 1, 15),
    restated: dict[int, Decimal] | None = None,
    *,
    without: tuple[str, ...] = (),
) -> str:
    """Publish a made version and switch readers to it; `restated`: other values of 2023 for these indicators."""
    number = len(list(settings.published.glob("2*"))) if settings.published.exists() else 0
    version = f"{as_of.isoformat()}_20240115T{number:06d}"
    folder = settings.published / version
    folder.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"attach '{folder / 'tanhuan.duckdb'}' as made (storage_version '{STORAGE_VERSION}')")
        con.execute("use made")
        _make_tables(con, as_of)
        for indicator, value in (restated or {}).items():
            con.execute(
                "update ind_plan_indicator set value = $1, inputs_hash = 'other' where indicator_no = $2 "
                "and assessment_point in ('MID_2023', 'ANNUAL_2023') and region_code = '430300'",
                [value, indicator],
            )
        for name in without:
            con.execute(f"drop table {name}")
        con.execute("use memory")
        con.execute("detach made")
    manifest = {
        "version": version,
        "as_of": as_of.isoformat(),
        "published_at": "2024-01-15T05:10:00+08:00",
        "content_hash": "made",
        "rules_digest": hash_rules(settings.dbt_project),
        "code_revision": "made",
        "missing_tables": [],
    }
    write_json(folder / "manifest.json", manifest)
    link = settings.published / "current"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    return version


def _make_tables(con: duckdb.DuckDBPyConnection, as_of: dt.date) -> None:
    con.execute(
        "create table dim_region as select region_code, name_zh, name_en, level, parent_code, is_reporting_unit, "
        f"sort_no::integer as sort_no from read_csv('{SEEDS}/region.csv', all_varchar = true)"
    )
    con.execute(
        "create table dim_indicator as select i.plan_id, i.indicator_no::integer as indicator_no, category, "
        "indicator as name_zh, indicator_en as name_en, unit, attribute, kind, decimals::integer as decimals, "
        "target_year::integer as target_year, p.title_zh as plan_zh, p.title_en as plan_en, p.doc_no as plan_doc_no, "
        f"direction from read_csv('{SEEDS}/plan_indicator.csv', all_varchar = true) as i "
        f"join read_csv('{SEEDS}/plan.csv', all_varchar = true) as p using (plan_id)"
    )
    con.execute(_POINTS)
    con.execute(_FIGURES)
    con.execute(_INDICATOR, {"as_of": as_of, "seeds": str(SEEDS)})
    for statement in _REST:
        con.execute(statement, {"as_of": as_of} if "$as_of" in statement else None)
    for name in ("cod", "nh3n", "vocs", "nox"):
        con.execute(_REDUCTION.format(name=name), {"as_of": as_of})
    con.execute("drop table point")
    con.execute("drop table figure")


def forget_publications(settings: Settings) -> None:
    """Remove every published version, as a full disk or a mistake might; frozen assessments are none."""
    for path in settings.published.glob("2*"):
        shutil.rmtree(path)
