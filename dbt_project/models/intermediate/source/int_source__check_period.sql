-- Times in which an outlet's data count as wrong because a check failed, and the last check before them that was passed.
with pollutant_factor as (
    select * from {{ ref('pollutant_factor') }}
),

checked as (
    select
        source_check.permit_no,
        source_check.outlet_code,
        pollutant_factor.pollutant_id,
        source_check.check_kind,
        source_check.checked_at,
        source_check.is_passed,
        rule.invalid_from
    from {{ ref('stg_returns__source_check') }} as source_check
    inner join pollutant_factor
        on
            source_check.factor_code in (pollutant_factor.factor_code, pollutant_factor.flow_factor_code)
            and {{ in_force('pollutant_factor', 'source_check.checked_at::date') }}
    inner join {{ ref('source_check_rule') }} as rule
        on
            pollutant_factor.medium = rule.medium
            and source_check.check_kind = rule.check_kind
            and rule.is_active
            and {{ in_force('rule', 'source_check.checked_at::date') }}
    where source_check.is_passed is not null
),

-- A check on the stroke of another one counts after it if it was passed.
around as (
    select
        *,
        max(checked_at) filter (where is_passed) over (
            partition by permit_no, outlet_code, pollutant_id order by checked_at
            range between unbounded preceding and current row exclude group
        ) as passed_before_at,
        min(checked_at) filter (where is_passed) over (
            partition by permit_no, outlet_code, pollutant_id order by checked_at
            range between current row and unbounded following
        ) as passed_after_at
    from checked
)

select
    permit_no,
    outlet_code,
    pollutant_id,
    min(case when invalid_from = 'check' then checked_at else coalesce(passed_before_at, checked_at) end) as from_at,
    coalesce(passed_after_at, timestamptz '9999-12-31 00:00:00+08') as to_at,
    min(coalesce(passed_before_at, checked_at)) as anchor_at
from around
where not is_passed
group by permit_no, outlet_code, pollutant_id, passed_after_at
