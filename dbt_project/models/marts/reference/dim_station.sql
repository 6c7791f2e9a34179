with national as (
    select
        station_code,
        station_name,
        'national' as station_kind,
        city_code,
        county_code,
        lon,
        lat,
        is_control_point,
        is_evaluation,
        cast(null as varchar) as nearest_station_code,
        valid_from as valid_from_date,
        valid_to as valid_to_date,
        cast(null as date) as last_seen_date,
        confidence,
        'stated' as data_basis
    from {{ ref("station") }}
),

-- Micro-stations are indicative: never an evaluation station, never part of AQI or of the plan's indicators 1 and 2.
micro as (
    select
        device.device_code as station_code,
        device.device_code as station_name,
        'micro' as station_kind,
        county.parent_code as city_code,
        device.county_code,
        cast(null as decimal(9, 4)) as lon,
        cast(null as decimal(9, 4)) as lat,
        false as is_control_point,
        false as is_evaluation,
        device.nearest_station_code,
        device.first_seen_date as valid_from_date,
        cast(null as date) as valid_to_date,
        device.last_seen_date,
        'design' as confidence,
        device.data_basis
    from {{ ref("stg_monitoring__micro_device") }} as device
    left join {{ ref("region") }} as county on device.county_code = county.region_code
)

select * from national
union all
select * from micro
