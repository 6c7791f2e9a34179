-- The loads that touch a period: those with a day in it, then those with an earlier day, since many figures are sums
-- over years. A table that is computed day by day only moves with its own day; one that judges by quarters, with any day
-- up to the end of the quarter.
create or replace temp table period_cause as
with period as (
    select distinct period_start, period_end from differing
),

touching as (
    select
        period.period_start,
        period.period_end,
        load_day.load_id,
        load_day.kind,
        load_day.name,
        bool_or(load_day.day is null or coalesce(load_day.day between period.period_start and period.period_end, true))
            as is_inside
    from period
    inner join load_day
        on
            list_contains($feeds, load_day.table_name)
            and coalesce(
                load_day.day <= if(
                    $reach = 'quarter', date_trunc('quarter', period.period_end) + interval 3 months - interval 1 day, period.period_end
                ),
                true
            )
    group by all
),

loads as (
    select
        period_start,
        period_end,
        list(distinct kind) as kinds,
        list(name order by is_inside desc, load_id desc) as names
    from touching
    where is_inside or $reach <> 'day'
    group by all
),

told as (
    select
        period.*,
        coalesce(period.period_end < $as_of_before, false) as is_closed,
        coalesce(loads.kinds, []) as kinds,
        list_concat($rules::varchar[], coalesce(loads.names, [])) as names
    from period
    left join loads
        on
            period.period_start is not distinct from loads.period_start
            and period.period_end is not distinct from loads.period_end
)

select
    period_start,
    period_end,
    is_closed,
    case
        when len($rules) > 0 then 'rule'
        when list_contains(kinds, 'release') then 'release'
        when list_contains(kinds, 'correction') then 'correction'
        when list_contains(kinds, 'load') then 'load'
        when list_contains(kinds, 'freeze') then 'freeze'
        when $moved and not is_closed then 'calendar'
        when len($dated) > 0 then 'calendar'
        else 'unexplained'
    end as cause_kind,
    case
        when len(names) > 0
            then array_to_string(names[:$names], ', ')
                || if(len(names) > $names, ' … +' || (len(names) - $names), '')
        when $moved and not is_closed then $as_of_before::date || ' → ' || $as_of::date
        when len($dated) > 0 then array_to_string($dated[:$names], ', ')
    end as cause
from told
