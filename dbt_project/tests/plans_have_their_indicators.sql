-- A plan's table has as many indicators, and as many binding ones, as the seed `plan` says (潭政办发〔2021〕47号: 27 and 9, 28 and 15).
select
    plan.plan_id,
    plan.indicator_count,
    plan.binding_count,
    count(indicator.indicator_no) as indicators,
    count(*) filter (where indicator.attribute = '约束性') as binding_ones
from {{ ref("plan") }} as plan
left join {{ ref("plan_indicator") }} as indicator on plan.plan_id = indicator.plan_id
group by plan.plan_id, plan.indicator_count, plan.binding_count
having count(indicator.indicator_no) != plan.indicator_count or count(*) filter (where indicator.attribute = '约束性') != plan.binding_count
