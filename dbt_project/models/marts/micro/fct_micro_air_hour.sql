{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail',
    meta={'reach': 'quarter'}
) }}

-- The month before calibrates this one: what was known when the hours came. So a month that changed moves the next one.
with hour as (
    select
        *,
        date_trunc('month', business_date)::date as month_date
    from {{ ref('int_micro__hour') }}
    where {{ in_micro_days(1, and_next_month=true) }}
),

calibration as (
    select
        device_code,
        reference_station_code,
        {%- for item in micro_items() %}
            max(slope) filter (where pollutant_id = '{{ item.id }}') as {{ item.id }}_slope,
            max(intercept) filter (where pollutant_id = '{{ item.id }}') as {{ item.id }}_intercept,
        {%- endfor %}
        applies_to_month_date
    from {{ ref('mart_micro_calibration') }}
    where calibration_status = 'ok'
    group by device_code, reference_station_code, applies_to_month_date
),

item_rules as (
    {{ micro_rules('hour', ['calibrated_floor', 'calibrated_decimals']) }}
),

rules as (
    select
        business_date,
        {%- for item in micro_items() %}
            max(calibrated_decimals) filter (where pollutant_id = '{{ item.id }}')::integer as {{ item.id }}_decimals,
        {%- endfor %}
        max(calibrated_floor) as calibrated_floor
    from item_rules
    group by business_date
)

select
    hour.device_code,
    hour.business_date,
    hour.hour_start,
    hour.county_code,
    hour.reference_station_code,
    hour.hour_state,
    {%- for item in micro_items() %}
        hour.{{ item.id }}_raw_{{ item.unit }},
        case
            when hour.{{ item.id }}_qc = 'ok' and calibration.{{ item.id }}_slope is not null
                then
                    greatest(
                        {{ round_half_even(
                            "calibration." ~ item.id ~ "_intercept + calibration." ~ item.id ~ "_slope * hour."
                            ~ item.id ~ "_raw_" ~ item.unit, "rules." ~ item.id ~ "_decimals"
                        ) }},
                        rules.calibrated_floor
                    )
        end::decimal(9, 2) as {{ item.id }}_calibrated_{{ item.unit }},
        hour.{{ item.id }}_qc,
        hour.reference_{{ item.id }}_{{ item.unit }},
    {%- endfor %}
    true as is_indicative,
    hour.data_basis
from hour
inner join rules on hour.business_date = rules.business_date
left join calibration
    on
        hour.device_code = calibration.device_code
        and hour.reference_station_code = calibration.reference_station_code
        and hour.month_date = calibration.applies_to_month_date
order by hour.business_date, hour.device_code, hour.hour_start
