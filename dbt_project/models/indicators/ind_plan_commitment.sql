-- The plan's promises year by year, by the same causes as its indicators (plan_cause): due, known, numbered, met.
with night as (
    select * from {{ source("raw", "night") }}
),

promise as (
    select
        commitment.*,
        plan.region_code as plan_region,
        plan.start_year,
        plan.end_year as plan_end_year,
        plan.doc_no as target_doc_no,
        plan.issued_date as target_issued_date,
        night.as_of
    from {{ ref("plan_commitment") }} as commitment
    inner join {{ ref("plan") }} as plan on commitment.plan_id = plan.plan_id
    cross join night
),

-- A promise of one day is looked at in its year; a yearly or standing one in every year of the plan; and whatever was returned.
looked_at as (
    select
        plan_id,
        commitment_id,
        plan_region as region_code,
        cast(unnest(range(
            case when due_kind = 'once' then year(due_date) else start_year end,
            case when due_kind = 'once' then year(due_date) else least(plan_end_year, year(as_of)) end + 1
        )) as integer) as year
    from promise
    union
    select
        plan_id,
        commitment_id,
        region_code,
        year
    from {{ ref("int_plan__commitment_value") }}
),

joined as (
    select
        promise.* exclude (due_date),
        promise.due_date as promised_date,
        looked_at.region_code,
        looked_at.year,
        progress.value,
        progress.unit as value_unit,
        progress.coverage_n,
        progress.coverage_n >= promise.coverage_min as is_sufficient,
        progress.issuer,
        progress.doc_no,
        progress.data_as_of_date,
        progress.data_basis as value_basis,
        progress.inputs,
        promise.target_value is null as is_by_word,
        -- The day from which a row may be judged; a standing promise may be judged on any day.
        case promise.due_kind
            when 'once' then case when looked_at.year = year(promise.due_date) then promise.due_date else make_date(looked_at.year, 12, 31) end
            when 'annual' then make_date(looked_at.year, 12, 31)
        end as due_date,
        case
            when promise.due_kind = 'annual' then 'final'
            when promise.due_kind = 'once' and looked_at.year = year(promise.due_date) then 'final'
            when promise.due_kind = 'once' and looked_at.year > year(promise.due_date) then 'after_due'
            else 'annual'
        end as point_kind
    from looked_at
    inner join promise on looked_at.plan_id = promise.plan_id and looked_at.commitment_id = promise.commitment_id
    left join {{ ref("int_plan__commitment_value") }} as progress
        on
            looked_at.plan_id = progress.plan_id
            and looked_at.commitment_id = progress.commitment_id
            and looked_at.region_code = progress.region_code
            and looked_at.year = progress.year
),

compared as (
    select
        *,
        plan_end_year as end_year,
        cast(null as varchar) as stated_as,
        cast(null as varchar) as guard_state,
        'stated' as target_origin,
        case when is_by_word then 'W' else 'N' end as kind,
        case when value_source = 'none' then 'no_source' end as missing_cause,
        case when due_kind = 'ongoing' then 'ongoing' else 'final' end as compared_with,
        {{ plain_unit("value_unit") }} = {{ plain_unit("unit") }} as is_same_unit,
        {{ round_half_even("value", "decimals") }} as judged_value,
        case op
            when '>=' then {{ round_half_even("value", "decimals") }} >= target_value
            when '<=' then {{ round_half_even("value", "decimals") }} <= target_value
        end as is_met
    from joined
),

caused as (
    select
        *,
        {{ plan_cause() }} as cause,
        coalesce(value_basis, 'stated') as data_basis
    from compared
),

worded as (
    select
        caused.*,
        rule.status,
        {%- set parts = {
            "year": "cast(caused.year as varchar)",
            "due": "cast(case when caused.point_kind = 'after_due' then caused.promised_date else caused.due_date end as varchar)",
            "as_of": "cast(caused.as_of as varchar)",
            "unit": "caused.value_unit",
            "value": plain_number("caused.value"),
            "op": "caused.op",
            "target": plain_number("caused.target_value"),
            "target_unit": "caused.unit",
            "target_doc": "caused.target_doc_no || ' ' || caused.section",
            "target_raw": "caused.commitment_zh",
            "coverage_zh": "'有效 ' || caused.coverage_n || '，最低 ' || caused.coverage_min",
            "coverage_en": "caused.coverage_n || ' of at least ' || caused.coverage_min",
        } %}
        {%- set grounds = ["case when caused.is_sufficient then caused.coverage_n end", "caused.coverage_min", "cast(null as varchar)", "caused.data_basis"] %}
        {{ fill_sentence("rule.reason_zh", parts) }}
        || case when caused.value is null then '' else {{ plan_grounds_zh(*grounds) }} end as status_reason_zh,
        {{ fill_sentence("rule.reason_en", parts) }}
        || case when caused.value is null then '' else {{ plan_grounds_en(*grounds) }} end as status_reason_en
    from caused
    inner join {{ ref("assessment_cause") }} as rule on caused.cause = rule.cause
)

select
    plan_id,
    commitment_id,
    section,
    commitment_zh,
    commitment_en,
    due_text,
    promised_date as due_date,
    due_kind,
    region_code,
    cast(year as integer) as year,
    cast(value as decimal(18, 4)) as value,
    coalesce(value_unit, unit) as unit,
    op,
    target_value,
    status,
    cause,
    status_reason_zh,
    status_reason_en,
    issuer,
    doc_no,
    data_as_of_date,
    as_of as as_of_date,
    data_basis,
    md5(cast(struct_pack(
        plan_id, commitment_id, region_code, year, promised_date, due_kind, value, value_unit, op, target_value, unit, decimals,
        coverage_n, coverage_min, issuer, doc_no, data_as_of_date, value_basis, inputs, target_doc_no, target_issued_date
    ) as varchar)) as inputs_hash
from worded
order by plan_id, commitment_id, region_code, year
