-- Rows are told as long as their values fit; unexplained ones and closed periods come first.
insert into found_change
with caused as (
    select differing.*, cause.is_closed, cause.cause_kind, cause.cause
    from differing
    left join period_cause as cause
        on
            differing.period_start is not distinct from cause.period_start
            and differing.period_end is not distinct from cause.period_end
),

counted as (
    select
        *,
        not ($counts_new and change = 'added') and sum(if($counts_new and change = 'added', 0, value_count)) over (
            order by cause_kind <> 'unexplained', not is_closed, period_end desc nulls last, row_key
            rows unbounded preceding
        ) <= $limit as is_told
    from caused
),

value as (
    select * exclude (cells), unnest(cells) as cell
    from counted
    where is_told
)

select
    $table, row_key, change, cell.column_name, cell.old_value, cell.new_value, cell.relative_change, 1, is_closed,
    cause_kind, cause
from value
union all
select
    $table, null, change, null, null, null, null, sum(value_count)::bigint, is_closed, cause_kind,
    array_to_string(list(distinct cause order by cause)[:$names], '; ')
from counted
where not is_told
group by change, is_closed, cause_kind
