-- The bounds of the permit account, by year.
with emission as (
    select distinct year from {{ ref('mart_source_emission_year') }}
)

select
    {%- for rule_id in [
        'run_rate_alert_ratio', 'report_tolerance_pct', 'report_tolerance_t', 'unit_slip_min_ratio', 'unit_slip_max_ratio'
    ] %}
        max(permit_rule.value) filter (where permit_rule.rule_id = '{{ rule_id }}') as {{ rule_id }},
    {%- endfor %}
    emission.year
from emission
left join {{ ref('permit_rule') }} as permit_rule on {{ in_force('permit_rule', 'make_date(emission.year, 12, 31)') }}
group by emission.year
