with project_year as (
    select * from {{ ref('int_reduction__project_year') }}
),

reason (verification_state, why_zh, why_en, names_evidence) as (
    values
    ('not_due', '该年度尚未开始', 'The year has not begun', false),
    ('not_claimed', '尚未申报减排量', 'No reduction has been claimed', false),
    ('not_commissioned', '至该年末未投运', 'Not commissioned by the end of the year', false),
    ('base_missing', '排放源无基准年排放量', 'The source has no base-year emission of this pollutant', false),
    ('rule_missing', '该减排类别无佐证材料规定', 'No evidence rule is in force for this category', false),
    ('evidence_missing', '缺少佐证材料：', 'Evidence missing: ', true),
    ('not_in_effect', '自投运次月起计，该年度不足一个月', 'Counts from the month after commissioning: no month left in the year', false),
    ('capped', '超出该源基准年排放量的剩余部分，不予核定', 'Capped by what is left of the base-year emission of the source', false)
)

select
    project_year.project_id,
    project_year.project_name,
    project_year.source_code,
    project_year.county_code,
    project_year.zone_code,
    project_year.category,
    project_year.pollutant_id,
    project_year.year,
    project_year.plan_year,
    project_year.commissioned_date,
    project_year.base_t,
    project_year.planned_t,
    project_year.claimed_t,
    project_year.verified_t,
    (
        project_year.verified_t - lag(project_year.verified_t, 1, 0) over (
            partition by project_year.project_id, project_year.pollutant_id order by project_year.year
        )
    )::decimal(18, 4) as verified_new_t,
    project_year.verification_state,
    project_year.evidence_required_count,
    project_year.evidence_present_count,
    reason.why_zh || case when reason.names_evidence then project_year.evidence_missing_zh else '' end as why_not_verified_zh,
    reason.why_en || case when reason.names_evidence then project_year.evidence_missing_en else '' end as why_not_verified_en,
    project_year.data_basis,
    project_year.as_of_date
from project_year
left join reason on project_year.verification_state = reason.verification_state
