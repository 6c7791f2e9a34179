-- Hours of the outlets starting at h in [first_h, last_h), hours since 1970 UTC. Every value depends on the seed, the
-- outlet, the factor and the hour alone: no draw remembers an earlier one, so any range gives the same rows. Only the
-- last three days are preliminary, and one value in 256 of them still differs a little from the reviewed one.
with
hours as (
    select
        h,
        h // 336 as block,
        (h + 8) % 24 as hour_of_day,
        ((h + 8) // 24 + 4) % 7 as weekday, -- 0 is Sunday
        2 * pi() * (h / 24.0) / 365.2425 as season
    from (select unnest(range(getvariable('first_h'), getvariable('last_h'))) as h) as span
),

happening_hours as (
    select
        outlet,
        unnest(range(first_h::bigint, (first_h + length)::bigint)) as h,
        what,
        whole_cabinet
    from outlet_event
    where first_h < getvariable('last_h') and first_h + length > getvariable('first_h')
),

conditions as (
    select
        outlet,
        h,
        bool_or(what = 'stop') as stopped,
        bool_or(what = 'stop' and whole_cabinet) as switched_off,
        bool_or(what = 'gap') as lost,
        bool_or(what = 'no link') as no_link,
        bool_or(what = 'fault') as faulty,
        bool_or(what = 'fault' and whole_cabinet) as flow_faulty,
        bool_or(what = 'maintenance') as maintained,
        bool_or(what = 'calibration') as calibrated,
        bool_or(what = 'over range') as over_range
    from happening_hours
    group by outlet, h
),

outlet_hours as (
    select
        o.outlet,
        o.permit_no,
        o.outlet_code,
        o.kind,
        o.o2_reference_pct,
        b.mn_code,
        hours.h,
        hours.season,
        hours.hour_of_day not between o.first_hour and o.last_hour
        or (hours.weekday = 0 and not o.works_sunday)
        or coalesce(c.stopped, false) as stopped,
        coalesce(c.switched_off, false) as switched_off,
        case
            when c.switched_off then 'F'
            when c.stopped then 'N'
            when c.no_link then 'B'
            when c.faulty then 'D'
            when c.maintained then 'M'
            when c.calibrated then 'C'
            when c.over_range then 'T'
            else 'N'
        end as flag,
        coalesce(c.flow_faulty, false) as flow_faulty,
        -- Load: sewage has a morning and an evening crest, industry one by day.
        (
            1 + o.daily_amplitude * case o.schedule
                when 'municipal'
                    then 0.6 * cos(2 * pi() * (hours.hour_of_day - 13) / 24) + 0.4 * cos(4 * pi() * (hours.hour_of_day - 9) / 24)
                else cos(2 * pi() * (hours.hour_of_day - 14) / 24)
            end
        )
        * case when hours.weekday in (0, 6) then o.weekend_factor else 1 end
        -- Sewage swells in the rains of early summer.
        * case o.schedule when 'municipal' then 1 + 0.12 * cos(hours.season - 2.8) else 1 end as load
    from habit as o
    cross join hours
    inner join binding_hour as b
        on o.outlet = b.outlet and hours.h >= b.first_h and hours.h < b.last_h
    left join conditions as c on o.outlet = c.outlet and hours.h = c.h
    where
        not coalesce(c.lost, false)
        -- One hour in a thousand or so never arrives.
        and md5_number_lower(concat_ws('|', getvariable('seed'), 'arrives', o.outlet, hours.h)) & 1023 > 0
),

six_hours as (
    select unnest(range(getvariable('first_h') // 6, (getvariable('last_h') - 1) // 6 + 2)) as knot
),

-- Concentrations drift: one draw per six hours, linear in between.
knots as (
    select
        c.outlet,
        c.factor_code,
        k.knot,
        (md5_number_lower(concat_ws('|', getvariable('seed'), 'drift', c.outlet, c.factor_code, k.knot)) & 65535) / 32768.0 - 1 as drift
    from channel as c
    cross join six_hours as k
),

spans as (
    select
        *,
        lead(drift) over (partition by outlet, factor_code order by knot) as next_drift
    from knots
),

noisy as (
    select
        o.*,
        (o.h + 8) // 24 > getvariable('now_day') - 3 as is_preliminary,
        c.factor_code,
        c.ordinal,
        c.role,
        c.mean,
        c.full_scale,
        s.drift + (s.next_drift - s.drift) * (o.h % 6) / 6.0 as drift,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'hour', o.outlet, c.factor_code, o.h)) as bits
    from outlet_hours as o
    inner join channel as c on o.outlet = c.outlet
    inner join spans as s on c.outlet = s.outlet and c.factor_code = s.factor_code and s.knot = o.h // 6
),

flagged as (
    select
        *,
        drift * 1.6 + ((bits & 65535) / 65536.0 - 0.5) as noise,
        ((bits >> 16) & 65535) / 65536.0 as below,
        ((bits >> 32) & 65535) / 65536.0 as above,
        case
            -- A calibration concerns the analysers, a fault often too; over range is one analyser at a time.
            when role = 'flow' and (flag in ('C', 'T') or (flag = 'D' and not flow_faulty)) then 'N'
            when flag = 'T' and (role = 'oxygen' or factor_code = 'a21026') then 'N'
            -- No discharge, no sample: the analyser rests.
            when role = 'water' and stopped then 'F'
            else flag
        end as instrument_flag
    from noisy
),

valued as (
    select
        *,
        round(
            case
                when instrument_flag in ('F', 'B') or (instrument_flag = 'D' and below < 0.5) then null
                when instrument_flag = 'T' then full_scale
                when instrument_flag = 'C' then case role when 'oxygen' then 20.9 else 0.8 * full_scale end
                when role = 'flow' and stopped then 0
                when role = 'oxygen' and stopped then 20.6 + 0.3 * below
                when role = 'gas' and stopped then 0.6 * below
                when role = 'flow' then mean * load * exp(0.05 * noise)
                when role = 'oxygen' then least(mean + 0.3 * noise, 20.4)
                when factor_code = 'w21003' then mean * (1 + 0.2 * cos(season - 0.3)) * exp(0.16 * noise)
                when factor_code = 'a24088' then mean * (1 - 0.1 * cos(season - 0.3)) * exp(0.17 * noise)
                else mean * (1 + 0.2 * (load - 1)) * exp(0.15 * noise)
            end
            * case when is_preliminary and role in ('gas', 'water') and bits >> 56 = 0 then 1.04 else 1 end,
            3
        ) as avg_value
    from flagged
),

carriers as (
    select
        outlet,
        h,
        max(avg_value) filter (where role = 'flow' and instrument_flag = 'N') as flow,
        max(avg_value) filter (where role = 'oxygen' and instrument_flag = 'N') as oxygen
    from valued
    group by outlet, h
),

carried as (
    select
        v.*,
        k.oxygen,
        -- m3/s or L/s to the m3 of one hour.
        k.flow * case v.kind when 'water' then 3.6 else 3600 end as volume_m3
    from valued as v
    inner join carriers as k on v.outlet = k.outlet and v.h = k.h
)

select
    mn_code,
    permit_no,
    outlet_code,
    factor_code,
    to_timestamp(h * 3600) as hour_start,
    avg_value,
    case role
        when 'oxygen' then round(avg_value - 0.3 * below, 3)
        else round(avg_value * (0.97 - 0.15 * below), 3)
    end as min_value,
    case
        when instrument_flag = 'T' then full_scale
        when role = 'oxygen' then round(least(avg_value + 0.3 * above, 20.95), 3)
        else round(avg_value * (1.03 + 0.18 * above), 3)
    end as max_value,
    -- c x (21 - O2 reference) / (21 - O2 measured), for the comparison with limits only.
    case
        when role = 'gas' and instrument_flag = 'N' and not stopped
            then round(avg_value * (21 - o2_reference_pct) / (21 - oxygen), 3)
    end as corrected_avg_value,
    case
        when instrument_flag <> 'N' then null
        when role = 'flow' then round(volume_m3, 4)
        when role = 'oxygen' then null
        when stopped then 0
        when role = 'gas' then round(avg_value * volume_m3 * 1e-6, 4)
        else round(avg_value * volume_m3 * 1e-3, 4)
    end as total_value,
    instrument_flag,
    case when stopped then 'F' end as process_flag,
    if(is_preliminary, 'preliminary', 'final') as data_status,
    'synthetic' as data_basis
from carried
