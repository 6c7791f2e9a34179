{{ config(materialized="table") }}

-- What the plan's indicators 3–9 take from water: numerator, denominator and coverage by region and year.
with counted as (
    select * from {{ ref("int_water__region_count") }}
    where period_kind = 'year'
),

coverage as (
    select * from {{ ref("int_water__coverage_year") }}
),

edition as (
    select * from {{ ref("standard_version") }}
),

black as (
    select
        min(standard_code) as standard_code,
        min(valid_from) as valid_from
    from {{ ref("black_water_limit") }}
)

select
    coverage.region_code,
    coverage.year,
    coverage.measure,
    coalesce(counted.numerator, 0)::decimal(18, 4) as numerator,
    coalesce(counted.denominator, 0)::decimal(18, 4) as denominator,
    round_even((counted.numerator * 100 / nullif(counted.denominator, 0))::decimal(38, 12), 6)::decimal(18, 6) as value_pct,
    coverage.coverage_n,
    coverage.coverage_required,
    coverage.is_sufficient and counted.denominator > 0 as is_sufficient,
    case when coverage.measure like '%black_body%' then black.standard_code else edition.standard_code end as standard_code,
    counted.data_basis,
    counted.inputs
from coverage
cross join black
left join counted
    on
        coverage.measure = counted.measure
        and coverage.region_code = counted.region_code
        and coverage.year = year(counted.period_start_date)
left join edition
    on
        edition.domain = case
            when coverage.measure like 'section%' then 'surface_water_evaluation'
            when coverage.measure like 'groundwater%' then 'groundwater'
            else 'surface_water'
        end
        and {{ in_force("edition", "make_date(coverage.year, 12, 31)") }}
