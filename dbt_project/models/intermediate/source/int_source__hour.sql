with reading as (
    select * from {{ ref('stg_monitoring__source_hour') }}
),

pollutant_factor as (
    select * from {{ ref('pollutant_factor') }}
),

flow_factor as (
    select distinct
        flow_factor_code,
        m3_per_flow_unit_hour
    from pollutant_factor
),

-- Every reading is judged by its own marks first. An unknown instrument flag is invalid (HJ 212-2017 table 8 may be
-- extended); none at all is a row of the seed, too. An unknown operating mark changes nothing.
judged as (
    select
        reading.*,
        coalesce(instrument.is_valid_for_mass, false) and coalesce(process.is_valid_for_mass, true) as is_valid,
        coalesce(process.is_stopped, false) as is_stopped,
        flow_factor.flow_factor_code is not null as is_flow,
        -- The volume as totalled by the logger; without it, the mean flow over the hour.
        coalesce(reading.total_value, (reading.avg_value * flow_factor.m3_per_flow_unit_hour)::decimal(18, 4)) as volume_m3
    from reading
    left join flow_factor on reading.factor_code = flow_factor.flow_factor_code
    left join {{ ref('instrument_flag') }} as instrument
        on reading.instrument_flag is not distinct from instrument.flag and {{ in_force('instrument', 'reading.business_date') }}
    left join {{ ref('process_flag') }} as process
        on reading.process_flag = process.flag and {{ in_force('process', 'reading.business_date') }}
),

-- A window and no self-join: a filter on business_date then reaches the one scan of raw.source_hour.
beside_flow as (
    select
        *,
        max(volume_m3) filter (where is_flow) over outlet_hour as flow_m3,
        coalesce(bool_and(is_valid) filter (where is_flow) over outlet_hour, false) as is_flow_valid,
        bool_or(is_stopped) over outlet_hour as is_outlet_stopped,
        min(data_basis) filter (where is_flow) over outlet_hour as flow_basis
    from judged
    window outlet_hour as (partition by business_date, permit_no, outlet_code, hour_start)
),

classified as (
    select
        *,
        case
            when is_outlet_stopped then 'stopped'
            when is_valid and is_flow_valid and avg_value is not null and flow_m3 is not null then 'valid'
            else 'invalid'
        end as hour_state
    from beside_flow
    where not is_flow
)

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
    classified.total_value as reported_mass_kg,
    classified.instrument_flag,
    classified.process_flag,
    {{ basis_of_row(['classified.data_basis', 'classified.flow_basis']) }} as data_basis
from classified
inner join pollutant_factor
    on
        classified.factor_code = pollutant_factor.factor_code
        and {{ in_force('pollutant_factor', 'classified.business_date') }}
