-- Hours of the micro-stations ending at h in [first_h, last_h): the air at the nearest station as a cheap sensor sees it.
with
hours as (
    select
        h,
        -- Two weeks are one block; in each a device may fail or be serviced once.
        h // 336 as block
    from (select unnest(range(getvariable('first_h'), getvariable('last_h'))) as h) as span
),

spells as (
    select
        device_code,
        block,
        block * 336 + (((bits >> 16) & 65535) * 300 // 65536)::bigint as first_h,
        2 + (((bits >> 32) & 65535) * 30 // 65536)::bigint as length,
        case when bits & 255 < 20 then 'fault' else 'maintenance' end as device_status
    from (
        select
            device_code,
            block,
            md5_number_lower(concat_ws('|', getvariable('seed'), 'spell', device_code, block)) as bits
        from micro_device
        cross join (select distinct block from hours) as blocks
    ) as drawn
    where bits & 255 < 40
),

noisy as (
    select
        d.*,
        hours.h,
        coalesce(s.device_status, 'online') as device_status,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'micro', d.device_code, hours.h)) as bits
    from micro_device as d
    cross join hours
    left join spells as s
        on
            d.device_code = s.device_code
            and hours.block = s.block
            and hours.h >= s.first_h
            and hours.h < s.first_h + s.length
),

sensed as (
    select
        *,
        device_status = 'online' as online
    from noisy
)

select
    n.device_code,
    n.county_code,
    n.nearest_station_code,
    to_timestamp(n.h * 3600) as hour_end,
    case when online then round(f.pm25 * n.slope * (0.9 + 0.2 * (n.bits & 255) / 256.0), 1) end as pm25_ug_m3,
    case when online then round(f.pm10 * n.slope * (0.95 + 0.2 * ((n.bits >> 8) & 255) / 256.0), 1) end as pm10_ug_m3,
    case when online then round(f.no2 * n.slope * (0.8 + 0.4 * ((n.bits >> 16) & 255) / 256.0), 1) end as no2_ug_m3,
    case when online then round(f.o3 * (0.85 + 0.3 * ((n.bits >> 24) & 255) / 256.0), 1) end as o3_ug_m3,
    case when online then round(f.co * n.slope * (0.85 + 0.3 * ((n.bits >> 32) & 255) / 256.0), 2) end as co_mg_m3,
    n.device_status,
    'synthetic' as data_basis
from sensed as n
inner join air_field as f on n.nearest_station_code = f.station_code and n.h = f.h
-- The uplink loses 0.4 % of the hours.
where ((n.bits >> 48) & 255) >= 1
