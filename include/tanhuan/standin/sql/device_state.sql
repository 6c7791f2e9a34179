-- States of the data loggers that began at h in [first_h, last_h): what the flags of source_hour say of the same hours.
-- A state that lasts at now_h has no end yet.
with
event_hours as (
    select
        outlet,
        unnest(range(first_h::bigint, (first_h + length)::bigint)) as h,
        what,
        whole_cabinet
    from outlet_event
    where what not in ('gap', 'over range')
),

states as (
    select
        outlet,
        h,
        -- Same order as in source_hour.sql; while only the plant stops, the device runs on.
        case
            when bool_or(what = 'stop' and whole_cabinet) then 'stopped'
            when bool_or(what = 'stop') then 'running'
            when bool_or(what = 'no link') then 'offline'
            when bool_or(what = 'fault') then 'fault'
            when bool_or(what = 'maintenance') then 'maintenance'
            else 'calibration'
        end as state
    from event_hours
    group by outlet, h
),

-- After the last hour of an event the device runs.
with_returns as (
    select
        outlet,
        h,
        state
    from states
    union all
    select
        outlet,
        h + 1 as h,
        'running' as state
    from states
    qualify lead(h) over (partition by outlet order by h) is distinct from h + 1
),

changes as (
    select *
    from with_returns
    qualify state is distinct from lag(state) over (partition by outlet order by h)
),

-- A new logger begins in the state in which the old one ended.
begun as (
    select
        b.mn_code,
        b.last_h as bound_until_h,
        c.h,
        c.state
    from changes as c
    inner join binding_hour as b on c.outlet = b.outlet and c.h > b.first_h and c.h < b.last_h
    union all
    select
        b.mn_code,
        b.last_h as bound_until_h,
        b.first_h as h,
        coalesce(s.state, 'running') as state
    from binding_hour as b
    left join states as s on b.outlet = s.outlet and b.first_h = s.h
    where b.first_h < getvariable('last_h')
),

spells as (
    select
        *,
        coalesce(lead(h) over (partition by mn_code order by h), bound_until_h) as until_h
    from begun
)

select
    mn_code,
    state,
    to_timestamp(h * 3600) as state_from_at,
    case when until_h <= getvariable('now_h') then to_timestamp(until_h * 3600) end as state_to_at,
    case state when 'maintenance' then '示例：定期维护' end as remark,
    'synthetic' as data_basis
from spells
where h >= getvariable('first_h') and h < getvariable('last_h')
