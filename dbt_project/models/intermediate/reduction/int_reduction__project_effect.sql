with reversal as (
    select
        project_id,
        min(issued_date) as reversed_date,
        arg_min(doc_no, issued_date) as reversal_doc_no
    from {{ ref('stg_returns__reduction_evidence') }}
    where evidence_kind = 'reversal'
    group by project_id
),

project_year as (
    select
        project.* exclude (data_basis),
        plan_year.year,
        plan_year.has_begun,
        plan_year.as_of_date,
        base.base_t,
        calculation.formula_ids,
        coalesce(calculation.is_closure, false) as is_closure,
        calculation.computed_t as formula_t,
        evidence.required_count,
        evidence.present_count,
        evidence.missing_zh,
        evidence.missing_en,
        gate.is_indirect,
        gate.is_short_of_data and not coalesce(calculation.is_closure, false) as is_short_of_data,
        gate.capture_rate_pct,
        gate.min_capture_pct,
        concentration.outlet_code,
        concentration.mean_concentration,
        concentration.limit_value,
        coalesce(rule.has_reversal_by_concentration and concentration.is_above_limit, false) as is_above_limit,
        rule.has_source_closed,
        -- A finding of a date to come is not known yet, one from before the commissioning is about something else.
        case
            when
                rule.has_reversal_by_evidence
                and reversal.reversed_date between project.commissioned_date
                and least(plan_year.as_of_date, make_date(plan_year.year, 12, 31))
                then reversal.reversed_date
        end as reversed_date,
        reversal.reversal_doc_no,
        {{ basis_of_row(['project.data_basis', 'base.data_basis', 'evidence.data_basis', 'calculation.data_basis']) }} as data_basis
    from {{ ref('stg_returns__reduction_project') }} as project
    cross join {{ ref('int_reduction__plan_year') }} as plan_year
    left join reversal on project.project_id = reversal.project_id
    left join {{ ref('int_reduction__rule_year') }} as rule on plan_year.year = rule.year
    left join {{ ref('stg_returns__emission_base') }} as base
        on
            project.source_code = base.source_code
            and project.pollutant_id = base.pollutant_id
            and plan_year.base_year = base.base_year
    left join {{ ref('int_reduction__calculation') }} as calculation
        on
            project.project_id = calculation.project_id
            and project.pollutant_id = calculation.pollutant_id
            and plan_year.year = calculation.year
    left join {{ ref('int_reduction__evidence_year') }} as evidence
        on
            project.project_id = evidence.project_id
            and project.pollutant_id = evidence.pollutant_id
            and project.category = evidence.category
            and plan_year.year = evidence.year
    left join {{ ref('int_reduction__source_gate') }} as gate
        on
            project.source_code = gate.source_code
            and project.pollutant_id = gate.pollutant_id
            and plan_year.year = gate.year
    left join {{ ref('int_reduction__concentration') }} as concentration
        on
            project.project_id = concentration.project_id
            and project.pollutant_id = concentration.pollutant_id
            and plan_year.year = concentration.year
)

-- The first year counts from the month after commissioning, the next year the full effect (350号); a reversal ends it.
select
    *,
    case when year >= plan_year then planned_t else 0 end as planned_by_year_t,
    case
        when not has_begun or commissioned_date is null or year < year(commissioned_date) then 0
        when year = year(commissioned_date) then 12 - month(commissioned_date)
        else 12
    end::integer as claimed_months,
    case
        when reversed_date is null then claimed_months
        when year(reversed_date) < year then 0
        else greatest(claimed_months - (12 - month(reversed_date)), 0)
    end::integer as months_in_effect
from project_year
