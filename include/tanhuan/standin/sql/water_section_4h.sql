-- Four-hourly values of the automatic stations at h in [first_h, last_h): recorded ones, and generated ones for the
-- city's own sections. A section's day is of one basis: where it was recorded, nothing is generated.
with
hours as (
    -- At 00:00, 04:00, … local time.
    select unnest(range((getvariable('first_h') + 3) // 4 * 4, getvariable('last_h'), 4)) as h
),

readings as (
    select
        point.*,
        h,
        (h + 8) // 24 as day,
        cos(2 * pi() * ((h / 24.0) / 365.2425 - 0.03)) as winter,
        -- The sun makes oxygen by day.
        cos(2 * pi() * ((h + 8) % 24 - 15) / 24) as sun,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'station', point_code, h)) as bits,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'river', point_code, (h + 8) // 24)) & 65535 as flood
    from water_site as point
    cross join hours
    where point.is_automatic
),

measured as (
    select
        *,
        -- A station is under maintenance for one reading in 64.
        bits & 63 = 0 as is_down,
        round(18.5 - 9 * winter + 0.6 * sun + ((bits >> 8) & 255) / 256.0, 3) as temp,
        round(7.5 + 0.15 * sun + 0.3 * ((bits >> 16) & 255) / 256.0, 3) as ph,
        round((8.1 + 1.6 * winter + 0.5 * sun) / (0.8 + 0.2 * burden) + 0.4 * ((bits >> 24) & 255) / 256.0, 3) as oxygen,
        round(190 + 60 * burden + 20 * winter + 15 * ((bits >> 32) & 255) / 256.0, 2) as conductivity,
        round(8 + 90 * pow(flood / 65536.0, 6) + 6 * ((bits >> 40) & 255) / 256.0, 2) as turbidity,
        round(1.7 * burden * (1 + 0.6 * pow(flood / 65536.0, 4)) * (0.92 + 0.16 * ((bits >> 48) & 255) / 256.0), 3) as codmn,
        round(0.11 * burden * burden * (1 + 0.4 * winter) * (0.7 + 0.6 * ((bits >> 52) & 255) / 256.0), 4) as nh3n,
        round(0.052 * burden * (1 + 0.5 * pow(flood / 65536.0, 4)) * (0.85 + 0.3 * ((bits >> 20) & 255) / 256.0), 4) as tp,
        round(1.5 * burden * (1 + 0.2 * winter) * (0.9 + 0.2 * ((bits >> 28) & 255) / 256.0), 3) as tn
    from readings
),

judged as (
    select
        *,
        -- Class of the worst of five items, I = 1 (GB 3838-2002 table 1, rivers). Total nitrogen is not judged.
        greatest(
            if(ph between 6 and 9, 1, 6),
            1 + len(list_filter([7.5, 6, 5, 3, 2], lambda x: oxygen < x)),
            1 + len(list_filter([2, 4, 6, 10, 15], lambda x: codmn > x)),
            1 + len(list_filter([0.15, 0.5, 1, 1.5, 2], lambda x: nh3n > x)),
            1 + len(list_filter([0.02, 0.1, 0.2, 0.3, 0.4], lambda x: tp > x))
        ) as class
    from measured
)

select
    '湖南省' as province,
    '长江流域' as basin,
    point_name as section_name,
    '湘潭市' as city,
    river,
    to_timestamp(h * 3600) as measured_at,
    case when not is_down then (['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ', 'Ⅴ', '劣Ⅴ'])[class] end as water_class,
    case when not is_down then temp end as water_temp_c,
    case when not is_down then ph end as ph,
    case when not is_down then oxygen end as do_mg_l,
    case when not is_down then conductivity end as ec_us_cm,
    case when not is_down then turbidity end as turbidity_ntu,
    case when not is_down then codmn end as codmn_mg_l,
    case when not is_down then nh3n end as nh3n_mg_l,
    case when not is_down then tp end as tp_mg_l,
    case when not is_down then tn end as tn_mg_l,
    null as chla_mg_l,
    null as algae_cells_l,
    case when not is_down then 'original' end as value_form,
    if(is_down, '维护', '正常') as station_status,
    'preliminary' as data_status,
    'synthetic' as data_basis
from judged
where (point_name, date '1970-01-01' + day::integer) not in (select (section_name, measured_at::date) from water_recording)

union all by name

select *
from water_recording
where
    measured_at >= to_timestamp(getvariable('first_h') * 3600)
    and measured_at < to_timestamp(getvariable('last_h') * 3600)
