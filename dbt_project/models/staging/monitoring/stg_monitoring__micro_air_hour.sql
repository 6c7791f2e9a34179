with admitted as (
    {{ latest_admitted("micro_air_hour", ["device_code", "hour_end"], by_day=true) }}
)

select
    device_code,
    business_date,
    hour_end - interval 1 hour as hour_start,
    hour_end,
    county_code,
    nearest_station_code,
    pm25_ug_m3,
    pm10_ug_m3,
    no2_ug_m3,
    o3_ug_m3,
    co_mg_m3,
    device_status,
    data_basis
from admitted
