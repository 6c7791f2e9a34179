-- The rules of the account as they hold at the end of each year; what is switched off is NULL or false.
select
    plan_year.year,
    max(rule.value) filter (where rule.rule_id = 'min_capture_pct') as min_capture_pct,
    coalesce(bool_or(rule.rule_id = 'indirect_discharge'), false) as has_indirect_discharge,
    coalesce(bool_or(rule.rule_id = 'source_closed'), false) as has_source_closed,
    coalesce(bool_or(rule.rule_id = 'reversal_by_evidence'), false) as has_reversal_by_evidence,
    coalesce(bool_or(rule.rule_id = 'reversal_by_concentration'), false) as has_reversal_by_concentration
from {{ ref('int_reduction__plan_year') }} as plan_year
left join {{ ref('reduction_rule') }} as rule
    on rule.is_active and {{ in_force('rule', 'make_date(plan_year.year, 12, 31)') }}
group by plan_year.year
