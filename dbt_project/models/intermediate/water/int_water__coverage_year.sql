-- How many samplings a year has of how many that are due, by region and measure. Dry months of a section are excused.
with region as (
    select * from {{ ref("int_water__region") }}
),

section as (
    select
        region.region_code,
        date_trunc('year', month.month_start_date)::date as year_start_date,
        month.point_code,
        count(*) filter (where month.class_no is not null or month.not_sampled = 'dry') as month_count
    from {{ ref("fct_water_section_month") }} as month
    inner join region on month.county_code = region.county_code
    where month.is_assessed
    group by region.region_code, year_start_date, month.point_code
),

years as (
    select distinct date_trunc('year', period_start_date)::date as year_start_date
    from {{ ref("int_water__period_item") }}
),

source as (
    select distinct
        region.region_code,
        years.year_start_date,
        register.point_code,
        register.source_level
    from {{ ref("dim_section") }} as register
    inner join region on register.county_code = region.county_code
    inner join years
        on
            register.valid_from_date < years.year_start_date + interval 1 year
            and coalesce(register.valid_to_date, '9999-12-31') >= years.year_start_date
    where register.sample_kind = 'drinking_source' and register.is_in_use and register.source_level in ('city', 'county')
),

source_sampled as (
    select
        point_code,
        date_trunc('year', month_start_date)::date as year_start_date,
        count(distinct month_start_date) as month_count,
        count(distinct quarter(month_start_date)) as quarter_count
    from {{ ref("mart_drinking_source_month") }}
    where complies is not null
    group by point_code, date_trunc('year', month_start_date)
),

well as (
    select distinct
        region.region_code,
        years.year_start_date,
        register.point_code
    from {{ ref("dim_section") }} as register
    inner join region on register.county_code = region.county_code
    inner join years
        on
            register.valid_from_date < years.year_start_date + interval 1 year
            and coalesce(register.valid_to_date, '9999-12-31') >= years.year_start_date
    where register.sample_kind = 'groundwater' and register.is_assessed
),

body as (
    select
        region.region_code,
        date_trunc('year', status.half_start_date)::date as year_start_date,
        status.built_up_kind,
        status.body_code,
        count(*) filter (where status.check_count > 0) as half_count
    from {{ ref("mart_water_body_status") }} as status
    inner join region on status.county_code = region.county_code
    group by region.region_code, date_trunc('year', status.half_start_date), status.built_up_kind, status.body_code
),

source_due as (
    select
        source.*,
        coalesce(if(source.source_level = 'city', source_sampled.month_count, source_sampled.quarter_count), 0) as n,
        if(
            source.source_level = 'city',
            {{ water_rule("city_source_year_months", "source.year_start_date") }},
            {{ water_rule("county_source_year_quarters", "source.year_start_date") }}
        ) as required
    from source
    left join source_sampled
        on source.point_code = source_sampled.point_code and source.year_start_date = source_sampled.year_start_date
),

body_due as (
    select
        *,
        if(
            built_up_kind = 'prefecture_city',
            {{ water_rule("black_check_halves", "year_start_date") }},
            {{ water_rule("black_check_halves_county", "year_start_date") }}
        ) as required
    from body
),

counted as (
    select
        unnest(['section_good_ratio', 'section_worse_v_ratio']) as measure,
        region_code,
        year_start_date,
        month_count as n,
        {{ water_rule("section_year_months", "year_start_date") }} as required,
        {{ water_rule("section_year_min_months", "year_start_date") }} as least_needed
    from section
    union all
    select
        unnest(
            if(source_level = 'city', ['city_source_count_ratio', 'city_source_volume_ratio'], ['county_source_ratio'])
        ) as measure,
        region_code,
        year_start_date,
        n,
        required,
        required * {{ water_rule("source_year_min_pct", "year_start_date") }} / 100 as least_needed
    from source_due
    union all
    select
        'groundwater_v_ratio' as measure,
        well.region_code,
        well.year_start_date,
        coalesce(point.sample_count, 0) as n,
        {{ water_rule("groundwater_year_samples", "well.year_start_date") }} as required,
        {{ water_rule("groundwater_year_samples", "well.year_start_date") }} as least_needed
    from well
    left join {{ ref("mart_groundwater_year") }} as point
        on well.point_code = point.point_code and year(well.year_start_date) = point.year
    union all
    select
        if(built_up_kind = 'prefecture_city', 'city', 'county') || '_black_body_eliminated' as measure,
        region_code,
        year_start_date,
        half_count as n,
        required,
        required as least_needed
    from body_due
)

select
    measure,
    region_code,
    year(year_start_date)::integer as year,
    -- A point sampled more often than it is due makes up for no other point.
    sum(least(n, required))::integer as coverage_n,
    sum(required)::integer as coverage_required,
    bool_and(n >= least_needed) as is_sufficient
from counted
group by measure, region_code, year_start_date
