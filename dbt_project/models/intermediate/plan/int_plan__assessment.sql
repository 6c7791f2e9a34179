-- The value at each point, rounded to the places of its target (GB/T 8170), beside what it is compared with.
with joined as (
    select
        checkpoint.*,
        value.value,
        value.numerator,
        value.denominator,
        value.unit as value_unit,
        value.coverage_n,
        value.coverage_required,
        value.full_months,
        coalesce(value.is_sufficient, false) as is_sufficient,
        value.standard_code,
        value.data_basis as value_basis,
        value.inputs,
        value.missing_cause,
        guard.guard_state,
        guard.guards_zh,
        guard.guards_en,
        case
            when checkpoint.kind = 'Q' then 'guard'
            when checkpoint.interim_value is not null then 'interim'
            when checkpoint.path_value is not null then 'path'
            when checkpoint.target_value is not null then 'final'
        end as compared_with
    from {{ ref("int_plan__checkpoint") }} as checkpoint
    left join {{ ref("int_plan__indicator_value") }} as value
        on
            checkpoint.plan_id = value.plan_id
            and checkpoint.indicator_no = value.indicator_no
            and checkpoint.region_code = value.region_code
            and checkpoint.year = value.year
            -- Without an order of the province the 14th plan counts tonnes of key projects (metric A).
            and value.metric in ('any', coalesce(checkpoint.target_metric, 'tonnes'))
    left join {{ ref("int_plan__guard") }} as guard
        on
            checkpoint.plan_id = guard.plan_id
            and checkpoint.indicator_no = guard.indicator_no
            and checkpoint.region_code = guard.region_code
            and checkpoint.year = guard.year
    -- A year of the plan without a value is a gap to be seen; after the plan only what there is to monitor is listed.
    where
        checkpoint.point_kind != 'annual'
        or (
            checkpoint.value_source != 'stated'
            and (value.inputs is not null or (checkpoint.is_plan_region and checkpoint.year <= checkpoint.end_year))
        )
),

compared as (
    select
        *,
        case compared_with
            when 'guard' then target_num
            when 'interim' then interim_value
            when 'path' then path_value
            else target_value
        end as compared_value,
        {{ same_unit_text("value_unit") }} = {{ same_unit_text("target_unit") }} as is_same_unit
    from joined
)

select
    * exclude (compared_value),
    {{ round_half_even("value", "decimals") }} as judged_value,
    {{ round_half_even("compared_value", "decimals") }} as compared_value,
    case op
        when '>=' then {{ round_half_even("value", "decimals") }} >= {{ round_half_even("compared_value", "decimals") }}
        when '<=' then {{ round_half_even("value", "decimals") }} <= {{ round_half_even("compared_value", "decimals") }}
    end as is_met
from compared
