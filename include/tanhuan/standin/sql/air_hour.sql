-- Hours of the seven stations ending at h in [first_h, last_h): the recording where it reaches, else generated.
-- A day is of one basis: on the recording's days nothing is generated, whatever the archive lacks.
-- A month is reviewed by the 10th of the next one; until then its hours are preliminary, and one PM2.5 in 256 too high.
with
drawn as (
    select
        *,
        date_trunc('month', date '1970-01-01' + ((h + 7) // 24)::integer) + interval 1 month + interval 9 day
        > date '1970-01-01' + getvariable('now_day')::integer as is_preliminary,
        md5_number_upper(concat_ws('|', getvariable('seed'), 'air', station_code, h)) as bits
    from air_field
),

-- Whole micrograms, as the network publishes; integers also make the rolling sums exact in any order.
-- An analyser is missing for 1.5 % of the hours, a whole station for 0.8 %.
hourly as (
    select
        station_code,
        h,
        (h + 7) // 24 as business_day,
        is_preliminary,
        case
            when (bits & 255) >= 4 then round(pm25 * if(is_preliminary and bits >> 56 = 0, 1.04, 1))::integer
        end as pm25,
        case when ((bits >> 8) & 255) >= 4 then round(pm10)::integer end as pm10,
        case when ((bits >> 16) & 255) >= 4 then round(so2)::integer end as so2,
        case when ((bits >> 24) & 255) >= 4 then round(no2)::integer end as no2,
        case when ((bits >> 32) & 255) >= 4 then round(o3)::integer end as o3,
        case when ((bits >> 40) & 255) >= 4 then round(co * 10)::integer end as co_tenths
    from drawn
    where ((bits >> 48) & 255) >= 2
),

rolling as (
    select
        *,
        case when count(pm25) over last_24 >= 12 then round(avg(pm25) over last_24)::integer end as pm25_24h,
        case when count(pm10) over last_24 >= 12 then round(avg(pm10) over last_24)::integer end as pm10_24h,
        case when count(so2) over last_24 >= 12 then round(avg(so2) over last_24)::integer end as so2_24h,
        case when count(no2) over last_24 >= 12 then round(avg(no2) over last_24)::integer end as no2_24h,
        case when count(co_tenths) over last_24 >= 12 then round(avg(co_tenths) over last_24)::integer end
            as co_24h_tenths,
        -- The live feed starts its 8-hour means anew at 01:00 and publishes the partial ones (see PROVENANCE.md).
        round(avg(o3) over last_8_of_day)::integer as o3_8h
    from hourly
    window
        last_24 as (partition by station_code order by h range between 23 preceding and current row),
        last_8_of_day as (partition by station_code, business_day order by h range between 7 preceding and current row)
),

published as (
    select
        *,
        max(o3_8h) over (partition by station_code, business_day order by h) as o3_8h_24h
    from rolling
),

-- The hourly index is that of the 1-hour values, particles too, in both editions (PROVENANCE.md).
readings as (
    unpivot (
        select
            station_code,
            h,
            date '1970-01-01' + business_day::integer as business_date,
            so2 as so2_1h,
            no2 as no2_1h,
            co_tenths / 10.0 as co_1h,
            o3 as o3_1h,
            pm25 as pm25_1h,
            pm10 as pm10_1h
        from published
    ) on columns(* exclude (station_code, h, business_date)) into name item value reading
),

aqis as (
    select
        r.station_code,
        r.h,
        -- Decimals: a tenth of CO that lands on a whole index must not be lifted by a rounding of the machine.
        max(
            ceil(
                (
                    b.iaqi_low
                    + (b.iaqi_high - b.iaqi_low) * (r.reading - b.value_low) / (b.value_high - b.value_low)
                )::decimal(18, 6)
            )
        )::integer as aqi
    from readings as r
    inner join network_iaqi_hour as b
        on
            r.item = b.item
            and r.business_date between b.valid_from and b.valid_to
            and r.reading >= b.value_low
            and r.reading < b.value_high
    group by r.station_code, r.h
    -- HJ 633-2026 4.2.6: with an item missing an index is published only above 100.
    having count(*) = 6 or aqi > 100 or any_value(b.valid_from) < date '2026-03-01'
)

select
    p.station_code,
    to_timestamp(p.h * 3600) as hour_end,
    p.pm25 as pm25_ug_m3,
    p.pm10 as pm10_ug_m3,
    p.so2 as so2_ug_m3,
    p.no2 as no2_ug_m3,
    p.o3 as o3_ug_m3,
    p.co_tenths / 10.0 as co_mg_m3,
    p.pm25_24h as pm25_24h_ug_m3,
    p.pm10_24h as pm10_24h_ug_m3,
    p.so2_24h as so2_24h_ug_m3,
    p.no2_24h as no2_24h_ug_m3,
    p.co_24h_tenths / 10.0 as co_24h_mg_m3,
    p.o3_8h as o3_8h_ug_m3,
    p.o3_8h_24h as o3_8h_24h_ug_m3,
    a.aqi,
    if(p.is_preliminary, 'preliminary', 'final') as data_status,
    'synthetic' as data_basis
from published as p
left join aqis as a on p.station_code = a.station_code and p.h = a.h
where
    p.h >= getvariable('first_h')
    and p.business_day not between date_diff('day', date '1970-01-01', date '2018-12-31')
    and date_diff('day', date '1970-01-01', date '2019-12-31')

union all by name

select *
from recording
where hour_end >= to_timestamp(getvariable('first_h') * 3600) and hour_end < to_timestamp(getvariable('last_h') * 3600)
