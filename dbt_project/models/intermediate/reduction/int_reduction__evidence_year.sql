{{ config(materialized='table') }}

with project as (
    select
        project_id,
        pollutant_id,
        category,
        max(commissioned_date) as commissioned_date
    from {{ ref('stg_returns__reduction_project') }}
    group by project_id, pollutant_id, category
),

required as (
    select
        project.project_id,
        project.pollutant_id,
        project.category,
        plan_year.year,
        rule.evidence_kind,
        rule.evidence_zh
        || case when rule.evidence_kind = 'calculation' then '（' || coalesce(any_value(calculation.missing_zh), '未报送核算参数') || '）' else '' end
            as evidence_zh,
        rule.evidence_en
        || case when rule.evidence_kind = 'calculation' then ' (' || coalesce(any_value(calculation.missing_en), 'no quantities reported') || ')' else '' end
            as evidence_en,
        case
            -- What its formula gives is computed here; nobody hands it in.
            when rule.evidence_kind = 'calculation' then coalesce(bool_or(calculation.is_computed), false)
            else count(evidence.doc_no) > 0
        end as is_there,
        {{ basis_of_group('evidence.data_basis') }} as data_basis
    from project
    cross join {{ ref('int_reduction__plan_year') }} as plan_year
    inner join {{ ref('reduction_evidence_rule') }} as rule
        on project.category = rule.category and rule.is_active and {{ in_force('rule', 'plan_year.cutoff_date') }}
    left join {{ ref('int_reduction__calculation') }} as calculation
        on
            project.project_id = calculation.project_id
            and project.pollutant_id = calculation.pollutant_id
            and plan_year.year = calculation.year
    left join {{ ref('stg_returns__reduction_evidence') }} as evidence
        on
            project.project_id = evidence.project_id
            and rule.evidence_kind = evidence.evidence_kind
            and evidence.issued_date <= plan_year.cutoff_date
            -- Three months of data cannot be proven before three months have passed.
            and (
                rule.months_after_commissioning = 0
                or evidence.issued_date >= project.commissioned_date + to_months(rule.months_after_commissioning)
            )
    where plan_year.has_begun
    group by
        project.project_id, project.pollutant_id, project.category, plan_year.year, rule.evidence_kind, rule.evidence_zh,
        rule.evidence_en
)

select
    project_id,
    pollutant_id,
    category,
    year,
    count(*)::integer as required_count,
    count(*) filter (where is_there)::integer as present_count,
    string_agg(evidence_zh, '、' order by evidence_kind) filter (where not is_there) as missing_zh,
    string_agg(evidence_en, ', ' order by evidence_kind) filter (where not is_there) as missing_en,
    {{ basis_of_group('data_basis') }} as data_basis
from required
group by project_id, pollutant_id, category, year
