-- Whether the numeric floors of an indicator are kept: failed if one is missed, unknown if one cannot be checked.
with held as (
    select *
    from {{ ref("int_plan__guard_quantity") }}
),

years as (
    select distinct
        plan_id,
        indicator_no,
        region_code,
        year
    from held
),

answered as (
    select
        guard.*,
        years.region_code,
        years.year,
        now_held.amount as amount,
        case guard.guard_kind
            when 'at_least' then now_held.amount >= guard.bound
            when 'at_most' then now_held.amount <= guard.bound
            when 'not_below_previous_year' then now_held.amount - before.amount >= guard.bound
            when 'not_below_base' then now_held.amount - base.amount >= guard.bound
        end as is_kept
    from years
    inner join {{ ref("plan_guard") }} as guard on years.plan_id = guard.plan_id and years.indicator_no = guard.indicator_no
    inner join {{ ref("plan") }} as plan on years.plan_id = plan.plan_id
    left join held as now_held
        on
            years.plan_id = now_held.plan_id
            and years.indicator_no = now_held.indicator_no
            and years.region_code = now_held.region_code
            and guard.quantity = now_held.quantity
            and years.year = now_held.year
    left join held as before
        on
            years.plan_id = before.plan_id
            and years.indicator_no = before.indicator_no
            and years.region_code = before.region_code
            and guard.quantity = before.quantity
            and years.year - 1 = before.year
    left join held as base
        on
            years.plan_id = base.plan_id
            and years.indicator_no = base.indicator_no
            and years.region_code = base.region_code
            and guard.quantity = base.quantity
            and plan.base_year = base.year
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    case
        when count(*) filter (where not is_kept) > 0 then 'failed'
        when count(is_kept) < count(*) then 'unknown'
        else 'passed'
    end as guard_state,
    count(*) as guard_count,
    string_agg(
        {{ fill_sentence("guard_zh", {"bound": plain_number("bound")}) }}
        || case when is_kept then '（满足）' when not is_kept then '（未满足）' else '（缺数据，无法判断）' end, '；' order by guard_no
    ) as guards_zh,
    string_agg(
        {{ fill_sentence("guard_en", {"bound": plain_number("bound")}) }}
        || case when is_kept then ' (kept)' when not is_kept then ' (missed)' else ' (no data to tell)' end, '; ' order by guard_no
    ) as guards_en
from answered
group by plan_id, indicator_no, region_code, year
