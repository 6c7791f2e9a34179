-- Binding indicators decide the verdict of a point, guiding ones are reported only. A county's verdict is not the city's.
with binding as (
    select *
    from {{ ref("ind_plan_indicator") }}
    where attribute = '约束性' and assessment_point not like 'BASELINE%'
),

open_kind as (
    select
        binding.plan_id,
        binding.region_code,
        binding.assessment_point,
        any_value(rule.status_zh) as status_zh,
        any_value(rule.status_en) as status_en,
        string_agg('#' || binding.indicator_no, '、' order by binding.indicator_no) as numbers
    from binding
    inner join {{ ref("assessment_cause") }} as rule on binding.cause = rule.cause
    where binding.status not in ('attained', 'not_attained')
    group by binding.plan_id, binding.region_code, binding.assessment_point, binding.status
),

open_list as (
    select
        plan_id,
        region_code,
        assessment_point,
        '（' || string_agg(numbers || ' ' || status_zh, '；' order by numbers) || '）' as open_zh,
        ' (' || string_agg(replace(numbers, '、', ', ') || ' ' || status_en, '; ' order by numbers) || ')' as open_en
    from open_kind
    group by plan_id, region_code, assessment_point
),

counted as (
    select
        plan_id,
        region_code,
        assessment_point,
        year,
        due_date,
        as_of_date,
        count(*) as binding_count,
        count(*) filter (where status = 'attained') as binding_attained_count,
        count(*) filter (where status = 'not_attained') as binding_failed_count,
        count(*) filter (where status not in ('attained', 'not_attained')) as binding_open_count,
        string_agg('#' || indicator_no, ', ' order by indicator_no) filter (where status = 'not_attained') as failed_list,
        {{ basis_of_group("data_basis") }} as data_basis
    from binding
    group by plan_id, region_code, assessment_point, year, due_date, as_of_date
),

judged as (
    select
        counted.*,
        open_list.open_zh,
        open_list.open_en,
        case
            when counted.due_date > counted.as_of_date then 'not_due'
            when counted.binding_failed_count > 0 then 'not_attained'
            when counted.binding_attained_count = counted.binding_count then 'attained'
            else 'undecided'
        end as verdict
    from counted
    inner join {{ ref("plan") }} as plan on counted.plan_id = plan.plan_id and counted.year <= plan.end_year
    left join open_list
        on
            counted.plan_id = open_list.plan_id
            and counted.region_code = open_list.region_code
            and counted.assessment_point = open_list.assessment_point
)

select
    judged.plan_id,
    judged.region_code,
    judged.assessment_point,
    judged.year,
    judged.due_date,
    judged.verdict,
    cast(judged.binding_count as integer) as binding_count,
    cast(judged.binding_attained_count as integer) as binding_attained_count,
    cast(judged.binding_failed_count as integer) as binding_failed_count,
    cast(judged.binding_open_count as integer) as binding_open_count,
    {%- for language in ["zh", "en"] %}
    {{ fill_sentence("rule.reason_" ~ language, {
        "due": "cast(judged.due_date as varchar)",
        "as_of": "cast(judged.as_of_date as varchar)",
        "count": "cast(judged.binding_count as varchar)",
        "attained": "cast(judged.binding_attained_count as varchar)",
        "failed": "cast(judged.binding_failed_count as varchar)",
        "open": "cast(judged.binding_open_count as varchar)",
        "failed_list": "judged.failed_list",
        "open_" ~ language: "judged.open_" ~ language,
    }) }} as reason_{{ language }},
    {%- endfor %}
    judged.as_of_date,
    judged.data_basis
from judged
inner join {{ ref("plan_verdict_rule") }} as rule on judged.verdict = rule.verdict
order by judged.plan_id, judged.region_code, judged.due_date, judged.assessment_point
