{{ config(materialized='table') }}

with pollutant_factor as (
    select * from {{ ref('pollutant_factor') }}
),

-- Waste water that goes on to a sewage works is counted there, and not twice.
emitting as (
    select * from {{ ref('mart_source_emission_year') }}
    where medium = 'air' or discharge_mode = 'direct'
),

source_year as (
    select
        permit_no as source_code,
        county_code,
        zone_code,
        pollutant_id,
        year,
        sum(mass_t) as emission_t,
        bool_and(has_full_coverage) as has_full_coverage,
        -- A band is one only if every outlet has one.
        case when count(emission_low_t) = count(*) then sum(emission_low_t) end as emission_low_t,
        case when count(emission_high_t) = count(*) then sum(emission_high_t) end as emission_high_t,
        sum(substituted_t) as substituted_t,
        sum(coalesce(manual_t, 0) + coalesce(balance_t, 0) + coalesce(factor_t, 0)) as estimated_t,
        sum(valid_hours) as valid_hours,
        sum(expected_hours - stopped_hours) as operating_hours,
        {{ basis_of_group('data_basis') }} as data_basis
    from emitting
    group by permit_no, county_code, zone_code, pollutant_id, year
)

select
    source_year.source_code,
    source_year.county_code,
    source_year.zone_code,
    source_year.pollutant_id,
    source_year.year,
    source_year.emission_t,
    source_year.has_full_coverage,
    source_year.emission_low_t,
    source_year.emission_high_t,
    source_year.substituted_t,
    source_year.estimated_t,
    source_year.valid_hours,
    source_year.operating_hours,
    base.base_t,
    -- Like with like: the whole source measured all year, in the base, and nothing of it outside the stacks and pipes.
    source_year.has_full_coverage and base.base_t is not null and pollutant_factor.covers_whole_source as is_comparable,
    {{ basis_of_row(['source_year.data_basis', 'base.data_basis']) }} as data_basis
from source_year
inner join {{ ref('int_reduction__plan_year') }} as plan_year on source_year.year = plan_year.year
inner join pollutant_factor
    on
        source_year.pollutant_id = pollutant_factor.pollutant_id
        and {{ in_force('pollutant_factor', 'make_date(source_year.year, 12, 31)') }}
left join {{ ref('stg_returns__emission_base') }} as base
    on
        source_year.source_code = base.source_code
        and source_year.pollutant_id = base.pollutant_id
        and plan_year.base_year = base.base_year
