with project_year as (
    select
        project.*,
        plan_year.year,
        plan_year.has_begun,
        plan_year.as_of_date,
        base.base_t,
        base.data_basis as base_basis,
        evidence.required_count,
        evidence.present_count,
        evidence.missing_zh,
        evidence.missing_en,
        evidence.data_basis as evidence_basis
    from {{ ref('stg_returns__reduction_project') }} as project
    cross join {{ ref('int_reduction__plan_year') }} as plan_year
    left join {{ ref('stg_returns__emission_base') }} as base
        on
            project.source_code = base.source_code
            and project.pollutant_id = base.pollutant_id
            and plan_year.base_year = base.base_year
    left join {{ ref('int_reduction__evidence_year') }} as evidence
        on
            project.project_id = evidence.project_id
            and project.category = evidence.category
            and plan_year.year = evidence.year
),

-- The first year counts from the month after commissioning, the next year the full effect.
effect as (
    select
        *,
        case when year >= plan_year then planned_t else 0 end as planned_by_year_t,
        case
            when not has_begun or commissioned_date is null or year < year(commissioned_date) then 0
            when year = year(commissioned_date) then 12 - month(commissioned_date)
            else 12
        end as months_in_effect
    from project_year
),

claim as (
    select
        *,
        case when has_begun then round_even((claimed_t * months_in_effect / 12)::decimal(38, 10), 4)::decimal(18, 4) end
            as claimed_by_year_t,
        coalesce(required_count > 0 and present_count = required_count, false) as is_proven
    from effect
),

-- Projects on one source act one after the other on what is left of its base, in the order of commissioning.
running as (
    select
        *,
        case when is_proven and base_t is not null then coalesce(claimed_by_year_t, 0) else 0 end as proven_t,
        sum(proven_t) over (
            partition by source_code, pollutant_id, year order by commissioned_date nulls last, project_id
            rows unbounded preceding
        ) as proven_with_earlier_t
    from claim
),

verified as (
    select
        *,
        case
            when has_begun
                then coalesce(least(proven_with_earlier_t, base_t) - least(proven_with_earlier_t - proven_t, base_t), 0)
        end::decimal(18, 4) as verified_t
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
    verified_t,
    case
        when not has_begun then 'not_due'
        when claimed_t is null then 'not_claimed'
        when commissioned_date is null or year < year(commissioned_date) then 'not_commissioned'
        when base_t is null then 'base_missing'
        when required_count is null then 'rule_missing'
        when not is_proven then 'evidence_missing'
        when months_in_effect = 0 then 'not_in_effect'
        when verified_t < claimed_by_year_t then 'capped'
        else 'verified'
    end as verification_state,
    required_count as evidence_required_count,
    present_count as evidence_present_count,
    missing_zh as evidence_missing_zh,
    missing_en as evidence_missing_en,
    {{ basis_of_row(['data_basis', 'base_basis', 'evidence_basis']) }} as data_basis,
    as_of_date
from verified
