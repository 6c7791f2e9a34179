-- Which method accounts for an outlet's year: the first by rank that the situation allows and for which there are figures.
with automatic as (
    select * from {{ ref('int_permit__automatic_year') }}
),

estimate as (
    select * from {{ ref('int_accounting__estimate') }}
),

incomplete as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        year,
        string_agg(formula_id || '缺' || missing_zh, '；' order by formula_id) as missing_zh,
        string_agg(formula_id || ' lacks ' || missing_en, '; ' order by formula_id) as missing_en
    from estimate
    where estimate_t is null
    group by permit_no, outlet_code, pollutant_id, year
),

-- Where an estimate by hand or of the previous half-year was handed in and accepted, it excuses what is missing.
rule as (
    select
        automatic.permit_no,
        automatic.outlet_code,
        automatic.pollutant_id,
        automatic.year,
        method_rule.* exclude (pollutant_id),
        -- A row of the pollutant itself replaces those of all pollutants.
        method_rule.pollutant_id = automatic.pollutant_id as is_own,
        coalesce(bool_or(method_rule.pollutant_id = automatic.pollutant_id) over (
            partition by
                automatic.permit_no, automatic.outlet_code, automatic.pollutant_id, automatic.year, method_rule.situation
        ), false) as has_own
    from automatic
    inner join {{ ref('accounting_method') }} as method_rule
        on
            (
                automatic.situation = method_rule.situation
                or automatic.situation || '_excused' = method_rule.situation
            )
            and method_rule.pollutant_id in (automatic.pollutant_id, '*')
            and method_rule.is_active
            and {{ in_force('method_rule', 'make_date(automatic.year, 12, 31)') }}
),

chosen as (
    select
        rule.permit_no,
        rule.outlet_code,
        rule.pollutant_id,
        rule.year,
        rule.situation,
        rule.method,
        estimate.formula_id,
        estimate.estimate_t,
        estimate.doc_no,
        estimate.data_basis,
        rule.reason_zh,
        rule.reason_en
    from rule
    left join estimate
        on
            rule.permit_no = estimate.permit_no
            and rule.outlet_code = estimate.outlet_code
            and rule.pollutant_id = estimate.pollutant_id
            and rule.year = estimate.year
            and rule.method = estimate.method
            and (rule.formula_id is null or rule.formula_id = estimate.formula_id)
            and estimate.estimate_t is not null
    where
        rule.is_own = rule.has_own
        and (rule.method in ('automatic', 'none') or estimate.estimate_t is not null)
    qualify
        row_number() over (
            partition by rule.permit_no, rule.outlet_code, rule.pollutant_id, rule.year
            order by ends_with(rule.situation, '_excused') desc, rule.rank asc, estimate.formula_id asc
        ) = 1
)

select
    automatic.permit_no,
    automatic.outlet_code,
    automatic.pollutant_id,
    automatic.year,
    coalesce(chosen.situation, automatic.situation) as situation,
    coalesce(chosen.method, 'none') as rule_method,
    chosen.formula_id,
    chosen.estimate_t,
    case
        when chosen.formula_id = 'half_year_mean' then chosen.formula_id
        when chosen.estimate_t is not null then chosen.method
        when automatic.automatic_kg is not null then 'automatic'
        else 'none'
    end as accounting_method,
    uncertainty.uncertainty_pct,
    {%- for language in ['zh', 'en'] %}
        {%- set lack, unnumbered = ("'未报送核算参数'", "'文号未知'") if language == 'zh' else ("'no quantities were handed in'", "'number unknown'") %}
        coalesce(
        {{ fill_sentence('chosen.reason_' ~ language, {
            'operating': 'automatic.operating_hours::varchar',
            'valid': 'automatic.valid_hours::varchar',
            'gap': plain_number('100 - coalesce(automatic.capture_rate_pct, 100)'),
            'limit': plain_number('100 - automatic.min_valid_pct'),
            'formula': 'chosen.formula_id',
            'doc': 'coalesce(chosen.doc_no, ' ~ unnumbered ~ ')',
            'missing': 'coalesce(incomplete.missing_' ~ language ~ ', ' ~ lack ~ ')'
        }) }},
            {{ "'核算方法次序表无有效规则'" if language == 'zh' else "'The order of methods has no rule in force'" }}
        ) as accounting_reason_{{ language }},
    {%- endfor %}
    chosen.data_basis
from automatic
left join chosen
    on
        automatic.permit_no = chosen.permit_no
        and automatic.outlet_code = chosen.outlet_code
        and automatic.pollutant_id = chosen.pollutant_id
        and automatic.year = chosen.year
left join incomplete
    on
        automatic.permit_no = incomplete.permit_no
        and automatic.outlet_code = incomplete.outlet_code
        and automatic.pollutant_id = incomplete.pollutant_id
        and automatic.year = incomplete.year
left join {{ ref('method_uncertainty') }} as uncertainty
    on
        chosen.estimate_t is not null
        and uncertainty.accounting_method
        = case when chosen.formula_id = 'half_year_mean' then chosen.formula_id else chosen.method end
        and {{ in_force('uncertainty', 'make_date(automatic.year, 12, 31)') }}
