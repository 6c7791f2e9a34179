with admitted as (
    {{ latest_admitted("air_hour", ["station_code", "hour_end"], by_day=true) }}
)

select
    station_code,
    business_date,
    hour_end - interval 1 hour as hour_start,
    hour_end,
    -- 1 to 24: HJ 663-2013 A.1 labels an hour by its end, and the last one of a day 24:00.
    hour(hour_end - interval 1 hour) + 1 as label_hour,
    pm25_ug_m3,
    pm10_ug_m3,
    so2_ug_m3,
    no2_ug_m3,
    o3_ug_m3,
    co_mg_m3,
    pm25_24h_ug_m3,
    pm10_24h_ug_m3,
    so2_24h_ug_m3,
    no2_24h_ug_m3,
    co_24h_mg_m3,
    o3_8h_ug_m3,
    o3_8h_24h_ug_m3,
    aqi as network_aqi,
    data_status,
    data_basis
from admitted
