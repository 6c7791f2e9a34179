{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail'
) }}

with reading as (
    select * from {{ ref('stg_monitoring__source_hour') }}
    where {{ in_changed_days('source_hour') }}
),

pollutant_factor as (
    select * from {{ ref('pollutant_factor') }}
),

flow_factor as (
    select
        flow_factor_code,
        m3_per_flow_unit_hour,
        bool_or(zero_flow_is_stop) as zero_flow_is_stop
    from pollutant_factor
    group by flow_factor_code, m3_per_flow_unit_hour
),

-- Every reading is judged by its own marks first. An unknown instrument flag is invalid (HJ 212-2017 table 8 may be
-- extended); none at all is a row of the seed, too. An unknown operating mark changes nothing.
judged as (
    select
        reading.*,
        coalesce(instrument.is_valid_for_mass, false) and coalesce(process.is_valid_for_mass, true) as is_valid,
        coalesce(process.is_stopped, false) as is_stopped,
        flow_factor.flow_factor_code is not null as is_flow,
        coalesce(flow_factor.zero_flow_is_stop, false) as zero_flow_is_stop,
        -- The volume as totalled by the logger; without it, the mean flow over the hour.
        coalesce(reading.total_value, (reading.avg_value * flow_factor.m3_per_flow_unit_hour)::decimal(18, 4)) as volume_m3
    from reading
    left join flow_factor on reading.factor_code = flow_factor.flow_factor_code
    left join {{ ref('instrument_flag') }} as instrument
        on reading.instrument_flag is not distinct from instrument.flag and {{ in_force('instrument', 'reading.business_date') }}
    left join {{ ref('process_flag') }} as process
        on reading.process_flag = process.flag and {{ in_force('process', 'reading.business_date') }}
),

-- What the whole outlet did in the hour, whichever of its readings says so. No discharge, nothing due: an outlet of
-- waste water whose valid flow is 0 stands still (HJ 356-2019).
outlet_hour as (
    select
        business_date,
        permit_no,
        outlet_code,
        hour_start,
        max(volume_m3) filter (where is_flow and is_valid) as flow_m3,
        bool_or(is_stopped or (is_flow and is_valid and zero_flow_is_stop and coalesce(volume_m3 = 0, false))) as is_stopped,
        min(data_basis) filter (where is_flow) as flow_basis,
        {{ basis_of_group('data_basis') }} as data_basis
    from judged
    group by business_date, permit_no, outlet_code, hour_start
),

classified as (
    select
        judged.*,
        outlet_hour.flow_m3,
        outlet_hour.flow_basis,
        case
            when outlet_hour.is_stopped then 'stopped'
            when judged.is_valid and judged.avg_value is not null and outlet_hour.flow_m3 is not null then 'valid'
            else 'invalid'
        end as hour_state
    from judged
    inner join outlet_hour using (business_date, permit_no, outlet_code, hour_start)
    where not judged.is_flow
),

pollutant_hour as (
    select
        classified.permit_no,
        classified.outlet_code,
        pollutant_factor.pollutant_id,
        pollutant_factor.medium,
        classified.hour_start,
        classified.business_date,
        classified.hour_state,
        classified.avg_value as concentration,
        pollutant_factor.concentration_unit,
        classified.corrected_avg_value as corrected_mg_m3,
        classified.flow_m3,
        -- Mass uses the measured concentration, never the O2-corrected one (HJ 75-2017).
        case
            when classified.hour_state = 'valid'
                then (classified.avg_value * classified.flow_m3 * pollutant_factor.kg_per_unit_m3)::decimal(18, 6)
        end as mass_kg,
        {{ basis_of_row(['classified.data_basis', 'classified.flow_basis']) }} as data_basis
    from classified
    inner join pollutant_factor
        on
            classified.factor_code = pollutant_factor.factor_code
            and {{ in_force('pollutant_factor', 'classified.business_date') }}
)

-- The outlet itself: of a pollutant that sent nothing this still tells whether the source ran, and how much it discharged.
select
    permit_no,
    outlet_code,
    'flow' as pollutant_id,
    null as medium,
    hour_start,
    business_date,
    case when is_stopped then 'stopped' when flow_m3 is not null then 'valid' else 'invalid' end as hour_state,
    null as concentration,
    null as concentration_unit,
    null as corrected_mg_m3,
    flow_m3,
    null as mass_kg,
    data_basis
from outlet_hour
union all
select * from pollutant_hour
