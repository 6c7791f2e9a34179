-- Hours of the micro-stations ending at h in [first_h, last_h): the air at the nearest station as a cheap sensor sees it.
-- Cheap sensors fail: every week one of them sends each kind of fault (PROVENANCE.md), and a few lose their sensitivity.
with
hours as (
    select
        h,
        -- Two weeks are one block; in each a device may fail or be serviced once.
        h // 336 as block,
        h // 168 as week
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

-- Six devices a week, no two the same. A silent one is so for a whole day: 17:00 UTC ends the day's first hour.
faults as (
    select
        week,
        kind,
        (bits % 65536 + 23 * position) % (select count(*) from micro_device) as device_no,
        week * 168 + if(kind = 'silent', 24 * (drawn % 6) + 17, drawn % 150) as first_h,
        length,
        20 + ((bits >> 48) & 1023) / 20.0 as stuck_at
    from (
        select
            week,
            kinds.*,
            md5_number_lower(concat_ws('|', getvariable('seed'), 'fault', week)) as bits,
            ((bits >> 32) & 65535)::bigint as drawn
        from (select distinct week from hours) as weeks
        cross join (
            values (0, 'spike', 3), (1, 'stuck', 9), (2, 'negative', 4), (3, 'code', 2), (4, 'jump', 1), (5, 'silent', 24)
        ) as kinds (position, kind, length)
    ) as weekly
),

noisy as (
    select
        d.*,
        hours.h,
        coalesce(s.device_status, 'online') as device_status,
        f.kind as fault,
        f.stuck_at,
        -- An old particle sensor loses half of its sensitivity in a quarter, until it is cleaned.
        case
            when (d.age & 255) < 20 then d.slope * (1 - 0.55 * ((hours.h + ((d.age >> 8) & 4095)) % 2184) / 2184)
            else d.slope
        end as particle_slope,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'micro', d.device_code, hours.h)) as bits
    from (
        select
            *,
            row_number() over (order by device_code) - 1 as device_no,
            md5_number_lower(concat_ws('|', getvariable('seed'), 'age', device_code)) as age
        from micro_device
    ) as d
    cross join hours
    left join spells as s
        on
            d.device_code = s.device_code
            and hours.block = s.block
            and hours.h >= s.first_h
            and hours.h < s.first_h + s.length
    left join faults as f
        on d.device_no = f.device_no and hours.week = f.week and hours.h >= f.first_h and hours.h < f.first_h + f.length
),

sensed as (
    select
        noisy.*,
        device_status = 'online' as online,
        f.pm25 * particle_slope * (0.9 + 0.2 * (bits & 255) / 256.0) as pm25,
        f.pm10 * particle_slope * (0.95 + 0.2 * ((bits >> 8) & 255) / 256.0) as pm10,
        f.no2 * noisy.slope * (0.8 + 0.4 * ((bits >> 16) & 255) / 256.0) as no2,
        f.o3 * (0.85 + 0.3 * ((bits >> 24) & 255) / 256.0) as o3,
        f.co * noisy.slope * (0.85 + 0.3 * ((bits >> 32) & 255) / 256.0) as co
    from noisy
    inner join air_field as f on noisy.nearest_station_code = f.station_code and noisy.h = f.h
    where noisy.fault is distinct from 'silent'
)

select
    device_code,
    county_code,
    nearest_station_code,
    to_timestamp(h * 3600) as hour_end,
    case
        when online then round(case fault when 'spike' then 2.4 * pm25 + 60 when 'stuck' then stuck_at else pm25 end, 1)
    end as pm25_ug_m3,
    case
        when online
            then round(case fault when 'spike' then 2.4 * pm10 + 70 when 'stuck' then 1.5 * stuck_at when 'code' then 9999 else pm10 end, 1)
    end as pm10_ug_m3,
    case
        when online then round(case fault when 'negative' then -0.1 * no2 - 1 when 'jump' then no2 + 220 else no2 end, 1)
    end as no2_ug_m3,
    case when online then round(o3, 1) end as o3_ug_m3,
    case when online then round(co, 2) end as co_mg_m3,
    device_status,
    'synthetic' as data_basis
from sensed
-- The uplink loses 0.4 % of the hours.
where ((bits >> 48) & 255) >= 1
