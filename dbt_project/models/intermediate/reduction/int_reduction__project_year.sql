{{ config(materialized='table') }}

with effect as (
    select
        *,
        case
            when has_begun then round_even((claimed_t::decimal(38, 6) * claimed_months / 12)::decimal(38, 12), 6)
        end::decimal(18, 6) as claimed_by_year_t,
        coalesce(required_count > 0 and present_count = required_count, false) as is_proven,
        -- The first closure of a source; whatever comes into operation after it counts nothing.
        min(commissioned_date) filter (where is_closure and commissioned_date is not null) over (
            partition by source_code, year
        ) as closed_date,
        arg_min(project_id, struct_pack(commissioned_date, project_id)) filter (where is_closure and commissioned_date is not null) over (
            partition by source_code, year
        ) as closing_project_id
    from {{ ref('int_reduction__project_effect') }}
),

gated as (
    select
        *,
        coalesce(
            has_source_closed and closing_project_id <> project_id
            and (commissioned_date, project_id) > (closed_date, closing_project_id),
            false
        ) as is_after_closure,
        case
            when not has_begun then 'not_due'
            when claimed_t is null then 'not_claimed'
            when commissioned_date is null or year < year(commissioned_date) then 'not_commissioned'
            when is_indirect then 'indirect_discharge'
            when is_after_closure then 'source_closed'
            when base_t is null then 'base_missing'
            when required_count is null then 'rule_missing'
            when not is_proven then 'evidence_missing'
            when claimed_months = 0 then 'not_in_effect'
            when months_in_effect = 0 or is_above_limit then 'reversed'
            when is_short_of_data then 'monitoring_insufficient'
            when not is_closure and formula_t <= 0 then 'no_reduction'
        end as gate_state,
        -- What the source may still take: a closure takes all that is left of the base.
        case when is_closure then base_t else formula_t end as limit_t,
        case when gate_state is null then greatest(least(claimed_t, limit_t), 0) else 0 end::decimal(18, 6) as counted_t
    from effect
),

-- Projects on one source act one after the other on what is left of its base, in the order of commissioning. The full-year
-- effects share the base, so that months of a first year leave nothing over for the next project.
running as (
    select
        *,
        coalesce(
            sum(counted_t) over (
                partition by source_code, pollutant_id, year order by commissioned_date nulls last, project_id
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as earlier_t,
        greatest(base_t - earlier_t, 0)::decimal(18, 6) as remaining_t,
        least(counted_t, remaining_t)::decimal(18, 6) as effect_t
    from gated
),

verified as (
    select
        *,
        case
            when has_begun then coalesce(round_even((effect_t::decimal(38, 6) * months_in_effect / 12)::decimal(38, 12), 6), 0)
        end::decimal(18, 6) as verified_t
    from running
)

select
    project_id,
    project_name,
    source_code,
    county_code,
    zone_code,
    category,
    pollutant_id,
    plan_year,
    commissioned_date,
    year,
    base_t,
    planned_by_year_t as planned_t,
    claimed_by_year_t as claimed_t,
    case when is_closure then remaining_t else formula_t end::decimal(18, 6) as computed_t,
    claimed_t as full_claim_t,
    remaining_t,
    formula_ids,
    months_in_effect,
    verified_t,
    coalesce(
        gate_state,
        case
            when months_in_effect < claimed_months then 'reversed'
            when effect_t < counted_t then 'capped'
            when effect_t < full_claim_t then 'below_claim'
            else 'verified'
        end
    ) as verification_state,
    required_count as evidence_required_count,
    present_count as evidence_present_count,
    missing_zh as evidence_missing_zh,
    missing_en as evidence_missing_en,
    capture_rate_pct,
    min_capture_pct,
    outlet_code as concentration_outlet_code,
    mean_concentration,
    limit_value,
    reversed_date,
    case when reversed_date is not null then reversal_doc_no end as reversal_doc_no,
    case when is_after_closure then closed_date end as closed_date,
    data_basis,
    as_of_date
from verified
