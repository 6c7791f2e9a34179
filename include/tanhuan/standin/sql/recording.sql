-- The archive, one row per station and hour that it holds, in contract columns. The variable archive is the file's path.
-- Its label is the end of the hour; hour 0 is 24:00 of the day before, which is the same moment.
with
wide as (
    select *
    from read_csv(getvariable('archive'), header = true, all_varchar = true)
),

long as (
    unpivot wide on columns(* exclude (date, hour, type)) into name station_code value reading
)

select
    station_code,
    make_timestamptz(
        left(date, 4)::bigint,
        substr(date, 5, 2)::bigint,
        right(date, 2)::bigint,
        hour::bigint,
        0,
        0,
        'Asia/Shanghai'
    ) as hour_end,
    max(reading) filter (where type = 'PM2.5') as pm25_ug_m3,
    max(reading) filter (where type = 'PM10') as pm10_ug_m3,
    max(reading) filter (where type = 'SO2') as so2_ug_m3,
    max(reading) filter (where type = 'NO2') as no2_ug_m3,
    max(reading) filter (where type = 'O3') as o3_ug_m3,
    max(reading) filter (where type = 'CO') as co_mg_m3,
    max(reading) filter (where type = 'PM2.5_24h') as pm25_24h_ug_m3,
    max(reading) filter (where type = 'PM10_24h') as pm10_24h_ug_m3,
    max(reading) filter (where type = 'SO2_24h') as so2_24h_ug_m3,
    max(reading) filter (where type = 'NO2_24h') as no2_24h_ug_m3,
    max(reading) filter (where type = 'CO_24h') as co_24h_mg_m3,
    max(reading) filter (where type = 'O3_8h') as o3_8h_ug_m3,
    max(reading) filter (where type = 'O3_8h_24h') as o3_8h_24h_ug_m3,
    max(reading) filter (where type = 'AQI') as aqi,
    'final' as data_status,
    'measured' as data_basis
from long
where nullif(trim(reading), '') is not null and type <> 'O3_24h'
group by all
