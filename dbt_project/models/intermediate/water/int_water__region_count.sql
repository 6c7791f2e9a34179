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
),

-- What each thing adds to numerator and denominator.
added as (
    select
        'section_good_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        is_good::integer as part,
        1 as whole,
        point_code as place,
        class_no::varchar as told,
        data_basis
    from section
    union all
    select
        'section_worse_v_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        is_worse::integer as part,
        1 as whole,
        point_code as place,
        class_no::varchar as told,
        data_basis
    from section
    union all
    select
        'section_target_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        meets_target::integer as part,
        1 as whole,
        point_code as place,
        class_no::varchar as told,
        data_basis
    from section
    where meets_target is not null
    union all
    select
        source_level || '_source_count_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        complies::integer as part,
        1 as whole,
        point_code || '@' || strftime(month_start_date, '%m') as place,
        complies::varchar as told,
        data_basis
    from source_month
    union all
    select
        source_level || '_source_volume_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        compliant_intake_10k_m3 as part,
        intake_10k_m3 as whole,
        point_code || '@' || strftime(month_start_date, '%m') as place,
        intake_10k_m3::varchar as told,
        data_basis
    from source_month
    where intake_10k_m3 is not null
    union all
    select
        'county_source_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        complies::integer as part,
        1 as whole,
        point_code as place,
        complies::varchar as told,
        data_basis
    from source_year
    union all
    select
        'groundwater_v_ratio' as measure,
        region_code,
        period_kind,
        period_start_date,
        (class_no >= {{ water_rule("groundwater_v_class", "day") }})::integer as part,
        1 as whole,
        point_code as place,
        class_no::varchar as told,
        data_basis
    from well
    union all
    select
        if(built_up_kind = 'prefecture_city', 'city', 'county') || '_black_body_eliminated' as measure,
        region_code,
        'year' as period_kind,
        period_start_date,
        is_eliminated::integer as part,
        1 as whole,
        body_code as place,
        state as told,
        data_basis
    from body_year
)

select
    measure,
    region_code,
    period_kind,
    period_start_date,
    sum(part)::decimal(38, 4) as numerator,
    sum(whole)::decimal(38, 4) as denominator,
    string_agg(place || '=' || told, ' ' order by place) as inputs,
    {{ basis_of_group("data_basis") }} as data_basis
from added
group by measure, region_code, period_kind, period_start_date
