{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail'
) }}

-- Two days beside the changed ones are read, one beside them is written: a flat line is known by the hours after it, too.
with reading as (
    select * from {{ ref('stg_monitoring__micro_air_hour') }}
    where {{ in_micro_days(2) }}
),

-- A device that sent anything has all 24 hours of the day; a day without a row is told by the month alone.
device_day as (
    select
        device_code,
        business_date,
        arg_max(county_code, hour_end) as county_code,
        arg_max(nearest_station_code, hour_end) as reference_station_code,
        {{ basis_of_group('data_basis') }} as data_basis
    from reading
    group by device_code, business_date
),

hours as (
    select unnest(range(24)) as n
),

device_hour as (
    select
        device_day.*,
        device_day.business_date::timestamptz + hours.n * interval 1 hour as hour_start
    from device_day
    cross join hours
),

item_hour as (
    select
        device_hour.*,
        case
            when reading.device_status in ('online', 'maintenance') then reading.device_status
            else 'offline'
        end as hour_state,
        reading.pm25_ug_m3,
        reading.pm10_ug_m3,
        {{ unpivot_micro_items({'raw': 'reading.<id>_<unit>'}) }} as item
    from device_hour
    left join reading
        on
            device_hour.device_code = reading.device_code
            and device_hour.business_date = reading.business_date
            and device_hour.hour_start = reading.hour_start
),

-- Hours in a row with the same value have the same difference between hour and place among equal values.
numbered as (
    select
        *,
        epoch(hour_start)::bigint // 3600
        - row_number() over (partition by device_code, item.pollutant_id, hour_state, item.raw order by hour_start) as run_no
    from item_hour
),

run as (
    select
        *,
        sum(1) over (partition by device_code, item.pollutant_id, hour_state, item.raw, run_no) as run_hours
    from numbered
),

rules as (
    {{ micro_rules('device_day', ['negative_below', 'range_max', 'flat_hours', 'pm_ratio_max']) }}
),

judged as (
    select
        run.*,
        case
            when run.hour_state <> 'online' then run.hour_state
            when run.item.raw is null then 'missing'
            when run.item.raw < rules.negative_below then 'negative'
            when run.item.raw > rules.range_max then 'range'
            when run.run_hours >= rules.flat_hours then 'flat'
            when run.pm25_ug_m3 > run.pm10_ug_m3 * rules.pm_ratio_max then 'inconsistent'
            else 'ok'
        end as qc
    from run
    inner join rules on run.business_date = rules.business_date and run.item.pollutant_id = rules.pollutant_id
    where {{ in_micro_days(1) | replace('business_date', 'run.business_date') }}
),

wide as (
    select
        device_code,
        business_date,
        hour_start,
        county_code,
        reference_station_code,
        hour_state,
        {%- for item in micro_items() %}
            max(item.raw) filter (where item.pollutant_id = '{{ item.id }}') as {{ item.id }}_raw_{{ item.unit }},
            max(qc) filter (where item.pollutant_id = '{{ item.id }}') as {{ item.id }}_qc,
        {%- endfor %}
        data_basis
    from judged
    group by device_code, business_date, hour_start, county_code, reference_station_code, hour_state, data_basis
),

-- Only national stations are a reference; the feed of hours may hold others.
reference as (
    select air.*
    from {{ ref('stg_monitoring__air_hour') }} as air
    inner join {{ ref('station') }} as station
        on air.station_code = station.station_code and {{ in_force('station', 'air.business_date') }}
    where {{ in_micro_days(1) | replace('business_date', 'air.business_date') }}
)

select
    wide.*,
    {%- for item in micro_items() %}
        reference.{{ item.id }}_{{ item.unit }} as reference_{{ item.id }}_{{ item.unit }},
    {%- endfor %}
    reference.data_basis as reference_basis
from wide
left join reference
    on
        wide.reference_station_code = reference.station_code
        and wide.business_date = reference.business_date
        and wide.hour_start = reference.hour_start
