{{ config(materialized='table') }}

with night as (
    select * from {{ source('raw', 'night') }}
),

plan as (
    select
        plan.plan_id,
        plan.start_year,
        plan.end_year,
        plan.base_year
    from {{ ref('plan') }} as plan
    inner join {{ ref('plan_indicator') }} as indicator on plan.plan_id = indicator.plan_id
    where indicator.value_source = 'reduction'
    group by plan.plan_id, plan.start_year, plan.end_year, plan.base_year
),

calendar as (
    select unnest(range(min(plan.start_year), greatest(max(plan.end_year), year(max(night.as_of))) + 1))::integer as year
    from plan
    cross join night
)

select
    calendar.year,
    plan.plan_id,
    plan.base_year,
    plan.end_year as final_year,
    path.share_pct as expected_pct,
    night.as_of as as_of_date,
    calendar.year <= year(night.as_of) as has_begun,
    make_date(calendar.year, 12, 31) <= night.as_of as has_ended,
    least(make_date(calendar.year, 12, 31), night.as_of) as cutoff_date
from calendar
cross join night
-- After a plan's end its base stays in use until the next plan begins.
asof inner join plan on calendar.year >= plan.start_year
left join {{ ref('plan_path') }} as path
    on plan.plan_id = path.plan_id and path.path = 'reduction' and calendar.year = path.year
