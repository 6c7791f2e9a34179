-- The air over the invented city: one row per station and hour end in [first_h - 23, last_h), hours since 1970 UTC;
-- rolling values look 23 hours back. Becomes the view air_field.
-- Every value depends on seed, station and hour alone. The same field feeds the stations and the micro-stations.
with
-- Station habits against the city's mean, in proportion as in the recording of 2019.
stations (station_code, pm, so2, no2, o3, co) as (
    values
    ('1508A', 0.96, 1.35, 1.05, 0.95, 0.97),
    ('1511A', 1.10, 0.82, 1.18, 0.86, 1.04),
    ('1512A', 1.00, 1.10, 0.98, 1.04, 1.12),
    ('1513A', 1.08, 1.15, 1.05, 0.97, 1.03),
    ('1514A', 1.08, 0.94, 1.05, 1.02, 0.96),
    ('1562A', 1.00, 0.90, 1.18, 0.93, 0.92),
    ('1564A', 0.78, 0.65, 0.46, 1.18, 0.95)
),

hours as (
    select
        h,
        (h + 8) % 24 as hour_of_day,
        1970 + (h / 24.0) / 365.2425 as year_part,
        cos(2 * pi() * ((h / 24.0) / 365.2425 - 0.03)) as winter
    from (select unnest(range(getvariable('first_h') - 23, getvariable('last_h'))) as h) as span
),

-- Weather moves slowly: one draw per half-day, linear in between.
knots as (
    select
        knot,
        (bits & 65535) / 32768.0 - 1 as stagnation,
        ((bits >> 16) & 65535) / 32768.0 - 1 as sun
    from (
        select
            knot,
            md5_number_lower(concat_ws('|', getvariable('seed'), 'weather', knot)) as bits
        from (select unnest(range((getvariable('first_h') - 23) // 12, (getvariable('last_h') - 1) // 12 + 2)) as knot) as span
    ) as drawn
),

weather as (
    select
        hours.*,
        before.stagnation + (after.stagnation - before.stagnation) * (h % 12) / 12.0 as stagnation,
        before.sun + (after.sun - before.sun) * (h % 12) / 12.0 as sun
    from hours
    inner join knots as before on before.knot = h // 12
    inner join knots as after on after.knot = h // 12 + 1
),

noisy as (
    select
        *,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'air', station_code, h)) as bits
    from weather
    cross join stations
),

fine as (
    select
        *,
        -- The trend of the city: about 39 ug/m3 in 2020 (the plan's baseline) and one less every year.
        greatest(24, 38 - 1.1 * (year_part - 2020.5)) * pm * (1 + 0.62 * winter) * exp(0.75 * stagnation)
        * (1 + 0.10 * cos(2 * pi() * (hour_of_day - 22) / 24)) * (0.9 + 0.2 * (bits & 65535) / 65536.0) as pm25
    from noisy
)

select
    station_code,
    h,
    pm25,
    pm25 * (1.25 + 0.25 * ((bits >> 16) & 65535) / 65536.0) + 5 as pm10,
    9 * so2 * (1 + 0.25 * winter) * exp(0.3 * stagnation) * (0.8 + 0.4 * ((bits >> 24) & 65535) / 65536.0) as so2,
    29 * no2 * (1 + 0.35 * winter) * exp(0.35 * stagnation) * (1 + 0.22 * cos(4 * pi() * (hour_of_day - 8) / 24))
    * (0.85 + 0.3 * ((bits >> 32) & 65535) / 65536.0) as no2,
    61 * o3 * (1 - 0.42 * winter) * exp(0.65 * sun) * (1 + 0.72 * cos(2 * pi() * (hour_of_day - 15) / 24))
    * (0.9 + 0.2 * ((bits >> 40) & 65535) / 65536.0) as o3,
    0.85 * co * (1 + 0.22 * winter) * exp(0.3 * stagnation) * (0.9 + 0.2 * ((bits >> 48) & 65535) / 65536.0) as co
from fine
