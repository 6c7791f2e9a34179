{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail',
    meta={'reach': 'quarter'}
) }}

-- The days of the quarters in scope (int_source__scope); all others stay as they are.
with day as (
    select * from {{ ref('int_source__day') }}
),

air_fill as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        business_date,
        count(substitute_kg)::integer as filled_hours,
        sum(substitute_kg)::decimal(18, 6) as substitute_kg,
        -- A day in which two windows apply is named after the longer one.
        arg_max(substitution, run_hours) filter (where substitute_kg is not null) as substitution,
        min(fill_from_date) as fill_from_date,
        coalesce(bool_or(is_short_window), false) as is_short_window
    from {{ ref('int_source__substitute') }}
    group by permit_no, outlet_code, pollutant_id, business_date
),

water_fill as (
    select * from {{ ref('int_source__water_fill') }}
),

capture as (
    select * from {{ ref('int_source__quarter') }}
),

-- A source that stood still all day emitted nothing; a day without a valid hour is unknown, which is not nothing.
filled as (
    select
        day.*,
        capture.quarter_capture_pct,
        water_fill.manual_kg,
        case
            when day.stopped_hours = day.due_hours then 0
            when water_fill.manual_kg is null and water_fill.median_kg is null then day.measured_kg
        end::decimal(18, 6) as kept_measured_kg,
        case
            when day.medium = 'air' then air_fill.substitute_kg
            else coalesce(water_fill.median_kg, case when water_fill.mean_hours > 0 then water_fill.mean_kg end)
        end::decimal(18, 6) as substituted_kg,
        case
            when day.medium = 'air' then coalesce(air_fill.filled_hours, 0)
            when water_fill.median_kg is not null then day.due_hours - day.stopped_hours
            else coalesce(water_fill.mean_hours, 0)
        end::integer as substituted_hours,
        case
            when day.medium = 'air' then air_fill.substitution
            when water_fill.median_kg is not null then 'median'
            when water_fill.mean_hours > 0 then 'mean'
        end as substitution,
        coalesce(air_fill.fill_from_date, water_fill.fill_from_date) as fill_from_date,
        coalesce(air_fill.is_short_window, false) as is_short_window
    from day
    inner join capture
        on
            day.permit_no = capture.permit_no
            and day.outlet_code = capture.outlet_code
            and day.pollutant_id = capture.pollutant_id
            and date_trunc('quarter', day.business_date) = capture.quarter_start_date
    left join air_fill
        on
            day.permit_no = air_fill.permit_no
            and day.outlet_code = air_fill.outlet_code
            and day.pollutant_id = air_fill.pollutant_id
            and day.business_date = air_fill.business_date
    left join water_fill
        on
            day.permit_no = water_fill.permit_no
            and day.outlet_code = water_fill.outlet_code
            and day.pollutant_id = water_fill.pollutant_id
            and day.business_date = water_fill.business_date
)

select
    permit_no,
    outlet_code,
    pollutant_id,
    business_date,
    medium,
    case when kept_measured_kg is null or stopped_hours = due_hours then 0 else valid_hours end::integer as measured_hours,
    substituted_hours,
    valid_hours,
    stopped_hours,
    invalid_hours,
    missing_hours,
    case
        when manual_kg is not null then 0
        when medium = 'water' and substitution = 'median' then 0
        else due_hours - stopped_hours - valid_hours - substituted_hours
    end::integer as unfilled_hours,
    flow_m3,
    discharge_m3,
    kept_measured_kg as measured_kg,
    substituted_kg,
    manual_kg,
    case
        when coalesce(kept_measured_kg, substituted_kg, manual_kg) is not null
            then coalesce(kept_measured_kg, 0) + coalesce(substituted_kg, 0) + coalesce(manual_kg, 0)
    end::decimal(18, 6) as mass_kg,
    min_hour_kg,
    max_hour_kg,
    round_even(mean_concentration::decimal(38, 10), 4)::decimal(18, 4) as mean_concentration,
    concentration_unit,
    max_corrected_mg_m3,
    is_valid_day,
    quarter_capture_pct,
    case
        when manual_kg is not null then 'manual'
        when kept_measured_kg is not null and substituted_kg is not null then 'mixed'
        when substituted_kg is not null then 'substituted'
        when kept_measured_kg is not null then 'measured'
    end as method,
    substitution,
    fill_from_date,
    is_short_window,
    data_basis
from filled
