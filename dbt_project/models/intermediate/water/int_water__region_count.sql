{{ config(materialized="table") }}

-- How many of how many, by region and period and by what is counted: one row a measure, so that the mart and the plan's
-- indicators divide the same numbers.
with section as (
    select * from {{ ref("int_water__assessed_section") }}
),

region as (
    select * from {{ ref("int_water__region") }}
),

kinds as (
    select unnest(['month', 'quarter', 'year']) as period_kind
),

source_month as (
    select
        region.region_code,
        kinds.period_kind,
        date_trunc(kinds.period_kind, source.month_start_date)::date as period_start_date,
        source.*
    from {{ ref("mart_drinking_source_month") }} as source
    inner join region on source.county_code = region.county_code
    cross join kinds
    -- A reserve supplies nobody: only sources in use count.
    where source.is_in_use and source.complies is not null and source.source_level in ('city', 'county')
),

source_year as (
    select
        region.region_code,
        source.*
    from {{ ref("int_water__source_period") }} as source
    inner join region on source.county_code = region.county_code
    where source.period_kind = 'year' and source.is_in_use and source.complies is not null and source.source_level = 'county'
),

well as (
    select
        region.region_code,
        'year' as period_kind,
        make_date(point.year, 1, 1) as period_start_date,
        point.*,
        make_date(point.year, 12, 31) as day
    from {{ ref("mart_groundwater_year") }} as point
    inner join region on point.county_code = region.county_code
    where point.is_assessed
),

body_half as (
    select
        region.region_code,
        date_trunc('year', body.half_start_date)::date as period_start_date,
        body.*
    from {{ ref("mart_water_body_status") }} as body
    inner join region on body.county_code = region.county_code
),

-- The newest half-year of the year stands for the year.
body_year as (
    select * from body_half
    qualify
        row_number() over (partition by region_code, body_code, period_start_date order by half_start_date desc) = 1
)

select
    'section_good_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    count(*) filter (where is_good)::decimal(18, 4) as numerator,
    count(*)::decimal(18, 4) as denominator,
    string_agg(point_code || '=' || class_no, ' ' order by point_code) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from section
group by region_code, period_kind, period_start_date
union all
select
    'section_worse_v_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    count(*) filter (where is_worse) as numerator,
    count(*) as denominator,
    string_agg(point_code || '=' || class_no, ' ' order by point_code) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from section
group by region_code, period_kind, period_start_date
union all
select
    'section_target_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    count(*) filter (where meets_target) as numerator,
    count(meets_target) as denominator,
    string_agg(point_code || '=' || class_no, ' ' order by point_code) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from section
where meets_target is not null
group by region_code, period_kind, period_start_date
union all
select
    source_level || '_source_count_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    count(*) filter (where complies) as numerator,
    count(*) as denominator,
    string_agg(point_code || '@' || strftime(month_start_date, '%m') || '=' || complies, ' ' order by point_code, month_start_date) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from source_month
group by source_level, region_code, period_kind, period_start_date
union all
select
    source_level || '_source_volume_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    sum(compliant_intake_10k_m3) as numerator,
    sum(intake_10k_m3) as denominator,
    string_agg(point_code || '@' || strftime(month_start_date, '%m') || '=' || intake_10k_m3, ' ' order by point_code, month_start_date) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from source_month
where intake_10k_m3 is not null
group by source_level, region_code, period_kind, period_start_date
union all
select
    'county_source_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    count(*) filter (where complies) as numerator,
    count(*) as denominator,
    string_agg(point_code || '=' || complies, ' ' order by point_code) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from source_year
group by region_code, period_kind, period_start_date
union all
select
    'groundwater_v_ratio' as measure,
    region_code,
    period_kind,
    period_start_date,
    count(*) filter (where class_no >= {{ water_rule("groundwater_v_class", "day") }}) as numerator,
    count(*) as denominator,
    string_agg(point_code || '=' || class_no, ' ' order by point_code) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from well
group by region_code, period_kind, period_start_date
union all
select
    if(built_up_kind = 'prefecture_city', 'city', 'county') || '_black_body_eliminated' as measure,
    region_code,
    'year' as period_kind,
    period_start_date,
    count(*) filter (where is_eliminated) as numerator,
    count(*) as denominator,
    string_agg(body_code || '=' || state, ' ' order by body_code) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from body_year
group by built_up_kind, region_code, period_start_date
