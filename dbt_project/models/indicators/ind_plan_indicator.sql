with assessment as (
    select *
    from {{ ref("int_plan__assessment") }}
),

-- What the plan's own text says against or beside its table.
note as (
    select
        plan_id,
        indicator_no,
        string_agg(note_zh, ' ' order by note_id) as note_zh,
        string_agg(note_en, ' ' order by note_id) as note_en
    from {{ ref("plan_note") }}
    where indicator_no is not null
    group by plan_id, indicator_no
),

-- The order of the questions is the rule, and stands once: in plan_cause().
caused as (
    select
        *,
        {{ plan_cause() }} as cause,
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
            "base_year": "cast(caused.base_year as varchar)",
            "unit": "caused.value_unit",
            "op": "caused.op",
            "target": plain_number("caused.target_value"),
            "target_unit": "caused.target_unit",
            "target_doc": "caused.target_doc_no",
            "target_raw": "caused.target_raw",
            "compared": plain_number("caused.compared_value"),
            "text": "caused.actual_raw",
            "guards_zh": "coalesce(caused.guards_zh, '规划没有数值底线')",
            "guards_en": "coalesce(caused.guards_en, 'no numeric floor')",
        } %}
        {%- set raw = plain_number("caused.value") %}
        {%- set judged = plain_number("caused.judged_value") %}
        {%- set is_rounded = "case when caused.judged_value != caused.value then " %}
        {%- set grounds = ["case when caused.is_sufficient then caused.coverage_n end", "caused.coverage_required", "caused.standard_code", "caused.data_basis"] %}
        {%- set needed = plain_number("caused.coverage_required") %}
        {{ fill_sentence("rule.reason_zh", dict(parts, value=raw ~ " || " ~ is_rounded ~ "'（修约为 ' || " ~ judged ~ " || '）' else '' end", coverage_zh=(
            "'有效 ' || caused.coverage_n || '，最低 ' || " ~ needed
            ~ " || coalesce('；12 个月中 ' || caused.full_months || ' 个月达到每月最低天数', '')"
        ))) }}
        || case when caused.value is null then '' else {{ plan_grounds_zh(*grounds) }} end as status_reason_zh,
        {{ fill_sentence("rule.reason_en", dict(parts, value=raw ~ " || " ~ is_rounded ~ "' (rounded ' || " ~ judged ~ " || ')' else '' end", coverage_en=(
            "caused.coverage_n || ' of at least ' || " ~ needed
            ~ " || coalesce('; ' || caused.full_months || ' of 12 months have their minimum of days', '')"
        ))) }}
        || case when caused.value is null then '' else {{ plan_grounds_en(*grounds) }} end as status_reason_en
    from caused
    inner join {{ ref("assessment_cause") }} as rule on caused.cause = rule.cause
)

select
    worded.plan_id,
    worded.indicator_no,
    worded.indicator,
    worded.indicator_en,
    worded.region_code,
    worded.assessment_point,
    worded.year,
    worded.due_date,
    case when worded.value_source in ('air_good_ratio', 'air_pm25_mean') then worded.value_key end as basis,
    worded.value,
    worded.judged_value,
    case when worded.value is null then nullif(worded.actual_raw, '') end as value_text,
    coalesce(nullif(worded.value_unit, ''), worded.unit) as unit,
    worded.baseline_raw,
    worded.baseline_value,
    worded.baseline_year,
    worded.other_baseline_value,
    worded.other_baseline_year,
    worded.target_raw,
    worded.target_value,
    worded.target_unit,
    worded.target_metric,
    worded.target_doc_no,
    worded.target_issued_date,
    worded.op,
    worded.compared_with,
    worded.compared_value,
    worded.attribute,
    worded.kind,
    worded.status,
    worded.cause,
    worded.status_reason_zh,
    worded.status_reason_en,
    worded.coverage_n,
    worded.coverage_required,
    cast(100 * worded.coverage_n / nullif(worded.coverage_required, 0) as decimal(9, 2)) as coverage_pct,
    worded.standard_code,
    worded.data_basis,
    worded.as_of as as_of_date,
    md5(cast(struct_pack(
        worded.plan_id, worded.indicator_no, worded.region_code, worded.assessment_point, worded.due_date,
        worded.end_year, worded.kind, worded.attribute, worded.value, worded.value_unit, worded.numerator,
        worded.denominator, worded.actual_raw, worded.stated_as, worded.value_basis, worded.inputs,
        worded.missing_cause, worded.baseline_value, worded.baseline_year, worded.other_baseline_value,
        worded.other_baseline_year, worded.target_raw, worded.target_value, worded.target_unit, worded.target_metric,
        worded.target_doc_no, worded.target_issued_date, worded.target_basis, worded.target_origin,
        worded.compared_with, worded.compared_value, worded.decimals, worded.op, worded.guards_en,
        worded.is_sufficient, worded.coverage_n, worded.coverage_required, worded.full_months, worded.standard_code
    ) as varchar)) as inputs_hash,
    worded.numerator,
    worded.denominator,
    worded.target_origin,
    note.note_zh,
    note.note_en
from worded
left join note on worded.plan_id = note.plan_id and worded.indicator_no = note.indicator_no
order by worded.plan_id, worded.indicator_no, worded.region_code, worded.due_date, worded.assessment_point
