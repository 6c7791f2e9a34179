{{ config(materialized='table') }}

with first_day as (
    select min(business_date) as first_date from {{ ref('fct_source_day') }}
),

-- All waste water of the holder goes on to a sewage works.
indirect as (
    select permit_no from {{ ref('dim_outlet') }}
    where medium = 'water'
    group by permit_no
    having bool_and(coalesce(discharge_mode = 'indirect', false))
),

-- Years of which the platform keeps the hours from 1 January.
capture as (
    select
        emission.permit_no,
        emission.pollutant_id,
        emission.year,
        sum(emission.valid_hours) as valid_hours,
        sum(emission.expected_hours - emission.stopped_hours) as operating_hours
    from {{ ref('mart_source_emission_year') }} as emission
    cross join first_day
    where make_date(emission.year, 1, 1) >= first_day.first_date
    group by emission.permit_no, emission.pollutant_id, emission.year
),

source as (
    select distinct
        source_code,
        pollutant_id
    from {{ ref('stg_returns__reduction_project') }}
)

select
    source.source_code,
    source.pollutant_id,
    plan_year.year,
    coalesce(rule.has_indirect_discharge and factor.medium = 'water' and indirect.permit_no is not null, false) as is_indirect,
    {{ percent_of('capture.valid_hours', 'capture.operating_hours') }} as capture_rate_pct,
    rule.min_capture_pct,
    -- 100 × valid against the limit × due: the rate above is rounded.
    coalesce(
        capture.operating_hours > 0 and 100 * capture.valid_hours < rule.min_capture_pct * capture.operating_hours, false
    ) as is_short_of_data
from source
cross join {{ ref('int_reduction__plan_year') }} as plan_year
left join {{ ref('int_reduction__rule_year') }} as rule on plan_year.year = rule.year
left join {{ ref('pollutant_factor') }} as factor
    on source.pollutant_id = factor.pollutant_id and {{ in_force('factor', 'make_date(plan_year.year, 12, 31)') }}
left join indirect on source.source_code = indirect.permit_no
left join capture
    on
        source.source_code = capture.permit_no
        and source.pollutant_id = capture.pollutant_id
        and plan_year.year = capture.year
