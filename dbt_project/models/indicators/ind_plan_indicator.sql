with assessment as (
    select *
    from {{ ref("int_plan__assessment") }}
),

-- The order of the questions is the rule: is it due, is there a value, enough of it, a dated target, and only
-- then: is the target met. Nothing reaches `target_met` without a value, its coverage and a dated numeric target.
caused as (
    select
        *,
        case
            when due_date > as_of then 'not_due'
            when stated_as = 'not_assessed' then 'plan_did_not_assess'
            when value is null and coalesce(stated_as, '') != 'word' then 'data_missing'
            when year > end_year then 'after_plan'
            when not is_sufficient then 'data_insufficient'
            when point_kind = 'baseline' then 'baseline'
            when stated_as = 'word' then 'stated_by_word'
            when kind = 'Q' and not is_met then 'guard_failed'
            when kind = 'Q' then 'guard_passed'
            when target_value is null or target_issued_date is null then 'target_missing'
            when not is_same_unit then 'target_unit'
            when point_kind = 'final' and is_met then 'target_met'
            when point_kind = 'final' then 'target_not_met'
            when compared_with = 'interim' and is_met then 'interim_met'
            when compared_with = 'interim' then 'interim_not_met'
            when compared_with = 'path' and is_met then 'path_met'
            when compared_with = 'path' then 'path_not_met'
            when is_met then 'final_met_early'
            else 'final_not_yet'
        end as cause,
        -- A stated target is no measurement: the figure rests on its inputs, and on the province's row if one is used.
        case
            when coalesce(target_basis, 'stated') = 'stated' then coalesce(value_basis, 'stated')
            else {{ basis_of_row(["value_basis", "target_basis"]) }}
        end as data_basis
    from assessment
),

worded as (
    select
        caused.*,
        rule.status,
        {%- set parts = {
            "year": "cast(caused.year as varchar)",
            "due": "cast(caused.due_date as varchar)",
            "as_of": "cast(caused.as_of as varchar)",
            "value": plain_number("caused.value"),
            "unit": "caused.value_unit",
            "op": "caused.op",
            "target": plain_number("caused.target_value"),
            "target_unit": "caused.target_unit",
            "target_doc": "caused.target_doc_no",
            "target_raw": "caused.target_raw",
            "compared": plain_number("caused.compared_value"),
            "text": "caused.actual_raw",
        } %}
        {%- set needed = plain_number("caused.coverage_required") %}
        {{ fill_sentence("rule.reason_zh", dict(parts, coverage_zh=(
            "'有效 ' || caused.coverage_n || '，最低 ' || " ~ needed
            ~ " || coalesce('；12 个月中 ' || caused.full_months || ' 个月达到每月最低天数', '')"
        ))) }} as status_reason_zh,
        {{ fill_sentence("rule.reason_en", dict(parts, coverage_en=(
            "caused.coverage_n || ' of at least ' || " ~ needed
            ~ " || coalesce('; ' || caused.full_months || ' of 12 months have their minimum of days', '')"
        ))) }} as status_reason_en
    from caused
    inner join {{ ref("assessment_cause") }} as rule on caused.cause = rule.cause
)

select
    plan_id,
    indicator_no,
    indicator,
    indicator_en,
    region_code,
    assessment_point,
    year,
    due_date,
    case when value_source in ('air_good_ratio', 'air_pm25_mean') then value_key end as basis,
    value,
    judged_value,
    case when value is null then nullif(actual_raw, '') end as value_text,
    coalesce(nullif(value_unit, ''), unit) as unit,
    baseline_raw,
    baseline_value,
    baseline_year,
    other_baseline_value,
    other_baseline_year,
    target_raw,
    target_value,
    target_unit,
    target_metric,
    target_doc_no,
    target_issued_date,
    op,
    compared_with,
    compared_value,
    attribute,
    kind,
    status,
    cause,
    status_reason_zh,
    status_reason_en,
    coverage_n,
    coverage_required,
    cast(100 * coverage_n / nullif(coverage_required, 0) as decimal(9, 2)) as coverage_pct,
    standard_code,
    data_basis,
    as_of as as_of_date,
    md5(cast(struct_pack(
        plan_id, indicator_no, region_code, assessment_point, value, value_unit, actual_raw, inputs, target_raw, target_value,
        target_unit, target_doc_no, target_issued_date, compared_value, decimals, op, coverage_n, coverage_required, standard_code
    ) as varchar)) as inputs_hash
from worded
order by plan_id, indicator_no, region_code, due_date, assessment_point
