{{ config(materialized='table') }}

with project as (
    select distinct
        project_id,
        pollutant_id,
        source_code,
        commissioned_date
    from {{ ref('stg_returns__reduction_project') }}
    where commissioned_date is not null
),

source as (
    select distinct
        source_code,
        pollutant_id
    from project
),

outlet_month as (
    select
        day.permit_no,
        day.outlet_code,
        day.pollutant_id,
        date_trunc('month', day.business_date)::date as month_start,
        max(day.concentration_unit) as unit,
        sum(day.mean_concentration * day.flow_m3)::decimal(38, 6) as concentration_volume,
        sum(day.flow_m3)::decimal(38, 6) as volume_m3
    from {{ ref('fct_source_day') }} as day
    inner join source
        on day.permit_no = source.source_code and day.pollutant_id = source.pollutant_id
    -- Limits of stacks are for O2-corrected values, which a day does not keep as a mean: waste water only.
    where day.medium = 'water' and day.mean_concentration is not null and day.flow_m3 > 0
    group by day.permit_no, day.outlet_code, day.pollutant_id, month_start
),

-- The limit in force at the end of the month; of several averages the largest, as in dim_outlet.
limited as (
    select
        outlet_month.*,
        max(permit_limit.limit_value) as limit_value
    from outlet_month
    inner join {{ ref('pollutant_factor') }} as factor
        on outlet_month.pollutant_id = factor.pollutant_id and {{ in_force('factor', 'last_day(outlet_month.month_start)') }}
    inner join {{ ref('stg_permits__permit_limit') }} as permit_limit
        on
            outlet_month.permit_no = permit_limit.permit_no
            and outlet_month.outlet_code = permit_limit.outlet_code
            and factor.factor_code = permit_limit.factor_code
            and outlet_month.unit = permit_limit.unit
            and permit_limit.valid_from_date <= last_day(outlet_month.month_start)
            and (permit_limit.valid_to_date is null or permit_limit.valid_to_date >= last_day(outlet_month.month_start))
    group by all
),

outlet_year as (
    select
        project.project_id,
        project.pollutant_id,
        year(limited.month_start)::integer as year,
        limited.outlet_code,
        sum(limited.concentration_volume) as concentration_volume,
        sum(limited.limit_value * limited.volume_m3)::decimal(38, 6) as limit_volume,
        sum(limited.volume_m3) as volume_m3
    from project
    inner join limited
        on
            project.source_code = limited.permit_no
            and project.pollutant_id = limited.pollutant_id
            -- The months in which the project is in effect, no others.
            and project.commissioned_date < limited.month_start
    group by all
)

-- The outlet that is furthest above, or nearest to, its limit speaks for the source.
select
    project_id,
    pollutant_id,
    year,
    bool_or(concentration_volume > limit_volume) as is_above_limit,
    arg_max(outlet_code, concentration_volume / nullif(limit_volume, 0)) as outlet_code,
    arg_max(concentration_volume / volume_m3, concentration_volume / nullif(limit_volume, 0))::decimal(18, 4) as mean_concentration,
    arg_max(limit_volume / volume_m3, concentration_volume / nullif(limit_volume, 0))::decimal(18, 4) as limit_value
from outlet_year
group by project_id, pollutant_id, year
