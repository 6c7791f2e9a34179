-- What happens to outlets around [first_h, last_h), hours since 1970 UTC: stops, maintenance, faults. Becomes the view
-- outlet_event. Every event depends on the seed, the outlet and its block of two weeks alone.
with
-- What may happen once in a block: probability, hours, and whether staff do it by day.
happenings (what, probability, shortest, longest, by_day) as (
    values
    ('stop', 0.0, 24, 120, false),
    ('maintenance', 0.5, 2, 4, true),
    ('calibration', 1.0, 1, 1, true),
    ('fault', 0.12, 3, 30, false),
    ('no link', 0.10, 1, 4, false),
    ('over range', 0.04, 1, 1, false),
    ('gap', 0.05, 1, 5, false)
),

-- An event may have begun in an earlier block; a state lasts until an event of a later one.
blocks as (
    select unnest(range(getvariable('first_h') // 336 - 2, (getvariable('last_h') - 1) // 336 + 5)) as block
),

drawn as (
    select
        o.outlet,
        b.block,
        e.*,
        o.neglect,
        case e.what when 'stop' then o.stop_probability else e.probability end as chance,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'event', o.outlet, b.block, e.what)) as bits
    from habit as o
    cross join blocks as b
    cross join happenings as e
)

select
    outlet,
    what,
    bits % 2 = 0 as whole_cabinet,
    block * 336
    + case
        -- A working hour (09:00 to 14:00, 01:00 to 06:00 UTC) of one of the fourteen days.
        when by_day then ((bits >> 16) & 65535) * 14 // 65536 * 24 + 1 + ((bits >> 48) & 65535) * 6 // 65536
        else ((bits >> 16) & 65535) * 336 // 65536
    end as first_h,
    (
        shortest + ((bits >> 32) & 65535) * (longest - shortest + 1) // 65536
    ) * case what when 'fault' then neglect::integer else 1 end as length
from drawn
where (bits & 65535) / 65536.0 < chance * case what when 'fault' then neglect else 1 end
