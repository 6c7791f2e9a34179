{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key="business_date",
    on_schema_change="fail",
    meta={"reach": "ever"},
) }}

-- A moving mean of 24 hours reaches into the day before: that day is read, and the day after a changed one is written again.
with hours as (
    select
        *,
        {{ unpivot_air_items({"hour_value": "<id>_<unit>", "network_value": "<id>_24h_<unit>"})
            | replace("o3_24h_ug_m3", "null") }} as item
    from {{ ref("stg_monitoring__air_hour") }}
    where {{ in_changed_days("air_hour", before=1, after=1) }}
),

-- HJ 663-2013 6.3: hourly values are rounded before use.
items as (
    select
        hours.station_code,
        hours.business_date,
        hours.hour_end,
        hours.item.pollutant_id as pollutant_id,
        places.value as decimals,
        {{ round_half_even("hours.item.network_value", "places.value") }} as network_value,
        {{ round_half_even("hours.item.hour_value", "places.value") }} as hour_value
    from hours
    left join {{ ref("air_validity") }} as places
        on
            places.rule_id = 'decimals'
            and hours.item.pollutant_id = places.pollutant_id
            and {{ in_force("places", "hours.business_date") }}
),

moving as (
    select
        *,
        count(hour_value) over last_24 as moving_hours,
        sum(hour_value) over last_24 as moving_sum
    from items
    window last_24 as (
        partition by station_code, pollutant_id order by hour_end range between interval 23 hours preceding and current row
    )
),

rules as (
    {{ aqi_report_rules("hour", ["particle_hours", "so2_1h_beyond", "moving_min_hours", "network_moving_first"]) }}
),

averaged as (
    select
        moving.*,
        rules.particle_hours,
        rules.so2_1h_beyond,
        coalesce(
            case when rules.network_moving_first = 1 then moving.network_value end,
            case
                when moving.moving_hours >= rules.moving_min_hours
                    then {{ round_half_even("moving.moving_sum / moving.moving_hours", "moving.decimals") }}
            end
        ) as day_value
    from moving
    left join rules on {{ in_force("rules", "moving.business_date") }}
    where {{ in_changed_days("air_hour", column="moving.business_date", after=1) }}
),

next_rules as (
    select *
    from rules
    where standard_code = 'HJ 633-2026'
),

-- Which breakpoints: particles by the daily ones, on the 1-hour or the moving value; SO2 above its 1-hour table by the daily ones.
chosen as (
    select
        averaged.*,
        case
            when averaged.pollutant_id in ('pm25', 'pm10') or averaged.hour_value > averaged.so2_1h_beyond and averaged.pollutant_id = 'so2'
                then '24h'
            else '1h'
        end as averaging,
        case
            when averaged.pollutant_id in ('pm25', 'pm10') and averaged.particle_hours > 1 then averaged.day_value
            when averaged.pollutant_id = 'so2' and averaged.hour_value > averaged.so2_1h_beyond then averaged.day_value
            else averaged.hour_value
        end as concentration,
        case when averaged.pollutant_id in ('pm25', 'pm10') then '24h' else '1h' end as averaging_2026,
        case
            when averaged.pollutant_id in ('pm25', 'pm10') and next_rules.particle_hours > 1 then averaged.day_value
            else averaged.hour_value
        end as concentration_2026
    from averaged
    cross join next_rules
),

judged as (
    {{ judge_air("chosen", ["station_code", "hour_end"], "hour") }}
),

moving_wide as (
    select
        station_code,
        hour_end,
        bool_or(hour_value is not null) as has_values,
        max(day_value) filter (where pollutant_id = 'pm25') as pm25_24h_ug_m3,
        max(day_value) filter (where pollutant_id = 'pm10') as pm10_24h_ug_m3,
        max(day_value) filter (where pollutant_id = 'so2') as so2_24h_ug_m3
    from averaged
    group by station_code, hour_end
)

select
    hours.station_code,
    hours.business_date,
    hours.label_hour,
    hours.hour_end,
    station.station_code is not null as is_registered,
    coalesce(station.is_control_point, false) as is_control_point,
    {%- for pollutant in air_pollutants() %}
        hours.{{ pollutant.id }}_{{ pollutant.unit }},
        judged.iaqi_{{ pollutant.id }},
    {%- endfor %}
    moving_wide.pm25_24h_ug_m3,
    moving_wide.pm10_24h_ug_m3,
    moving_wide.so2_24h_ug_m3,
    hours.o3_8h_ug_m3,
    judged.aqi,
    judged.category_level,
    judged.category_zh,
    judged.category_en,
    judged.category_colour,
    judged.primary_pollutants,
    judged.missing_items,
    judged.aqi_2026_basis,
    judged.category_level_2026_basis,
    judged.category_zh_2026_basis,
    judged.category_en_2026_basis,
    judged.category_colour_2026_basis,
    hours.network_aqi as published_aqi,
    -- Nothing to compare where the network published no index, or no concentration beside it.
    case when hours.network_aqi is not null and moving_wide.has_values then coalesce(judged.aqi = hours.network_aqi, false) end
        as is_same_as_published,
    judged.standard_code,
    hours.data_status,
    hours.data_basis
from {{ ref("stg_monitoring__air_hour") }} as hours
inner join judged on hours.station_code = judged.station_code and hours.hour_end = judged.hour_end
inner join moving_wide on hours.station_code = moving_wide.station_code and hours.hour_end = moving_wide.hour_end
left join {{ ref("station") }} as station
    on hours.station_code = station.station_code and {{ in_force("station", "hours.business_date") }}
where {{ in_changed_days("air_hour", column="hours.business_date", after=1) }}
