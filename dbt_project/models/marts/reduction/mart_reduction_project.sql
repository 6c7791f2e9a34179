with project_year as (
    select
        *,
        -- Two ways to be reversed: by a finding, or by what was measured.
        verification_state
        || case when verification_state = 'reversed' and reversal_doc_no is null then '_by_concentration' else '' end as reason_id
    from {{ ref('int_reduction__project_year') }}
),

reason (reason_id, why_zh, why_en) as (
    values
    ('not_due', '该年度尚未开始', 'The year has not begun'),
    ('not_claimed', '尚未申报减排量', 'No reduction has been claimed'),
    ('not_commissioned', '至该年末未投运', 'Not commissioned by the end of the year'),
    (
        'indirect_discharge', '废水全部间接排放，减排量在污水处理厂计，不在本单位计',
        'All waste water goes to a sewage works: it counts there, not here'
    ),
    (
        'source_closed', '排放源已于 {closed} 关停，其后投运的项目不计',
        'The source was closed on {closed}: what comes into operation after that does not count'
    ),
    ('base_missing', '排放源无基准年排放量', 'The source has no base-year emission of this pollutant'),
    ('rule_missing', '该减排类别无佐证材料规定', 'No evidence rule is in force for this category'),
    ('evidence_missing', '缺少佐证材料：{missing_zh}', 'Evidence missing: {missing_en}'),
    (
        'not_in_effect', '自投运次月起计，该年度不足一个月',
        'Counts from the month after commissioning: no month left in the year'
    ),
    (
        'reversed', '经认定停运或反弹（{doc}，{reversed}），计至当月，该年度计 {months} 个月',
        'Found to have stopped or fallen back ({doc}, {reversed}): counts to that month, {months} months of this year'
    ),
    (
        'reversed_by_concentration', '排放口 {outlet} 投运后的流量加权平均浓度 {mean} 高于许可限值 {limit}，该年度不计',
        'The flow-weighted mean of outlet {outlet} while in effect, {mean}, is above the permitted {limit}: the year counts 0'
    ),
    (
        'monitoring_insufficient', '排放源当年数据捕集率 {capture}%，低于 {min_capture}%',
        'The source captured {capture} % of its hours in the year, less than {min_capture} %'
    ),
    ('no_reduction', '按公式核算为 {computed} 吨，没有减排', 'The formula gives {computed} t: no reduction'),
    (
        'capped', '超出该源基准年排放量的剩余部分 {remaining} 吨，不予核定',
        'Capped by what is left of the base-year emission of the source: {remaining} t'
    ),
    (
        'below_claim', '按公式核算全年减排 {computed} 吨，低于申报的 {claim} 吨',
        'The formula gives {computed} t a year, less than the {claim} t claimed'
    )
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
    project_year.formula_ids,
    project_year.computed_t,
    project_year.months_in_effect,
    project_year.verified_t,
    (
        project_year.verified_t - lag(project_year.verified_t, 1, 0) over (
            partition by project_year.project_id, project_year.pollutant_id order by project_year.year
        )
    )::decimal(18, 6) as verified_new_t,
    project_year.verification_state,
    project_year.evidence_required_count,
    project_year.evidence_present_count,
    project_year.capture_rate_pct,
    {% for language in ['zh', 'en'] -%}
        {{ fill_sentence('reason.why_' ~ language, {
            'missing_' ~ language: 'project_year.evidence_missing_' ~ language,
            'closed': 'project_year.closed_date::varchar',
            'doc': 'project_year.reversal_doc_no',
            'reversed': 'project_year.reversed_date::varchar',
            'months': 'project_year.months_in_effect::varchar',
            'outlet': 'project_year.concentration_outlet_code',
            'mean': plain_number('project_year.mean_concentration'),
            'limit': plain_number('project_year.limit_value'),
            'capture': plain_number('project_year.capture_rate_pct'),
            'min_capture': plain_number('project_year.min_capture_pct'),
            'computed': plain_number('project_year.computed_t'),
            'remaining': plain_number('project_year.remaining_t'),
            'claim': plain_number('project_year.full_claim_t'),
        }) }} as why_not_verified_{{ language }},
    {% endfor -%}
    project_year.data_basis,
    project_year.as_of_date
from project_year
left join reason on project_year.reason_id = reason.reason_id
