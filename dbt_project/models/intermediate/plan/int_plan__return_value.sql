-- What the returns of departments make of an indicator, by its rule. The ratio is computed here and typed nowhere.
with rule as (
    select
        indicator.plan_id,
        indicator.indicator_no,
        cast(indicator.value_key as integer) as return_no,
        indicator.value_rule,
        indicator.unit,
        plan.base_year
    from {{ ref("plan_indicator") }} as indicator
    inner join {{ ref("plan") }} as plan on indicator.plan_id = plan.plan_id
    where indicator.value_source = 'department_return'
),

-- The latest return of a year stands; one issued after the night's date is not known yet.
latest as (
    select department_return.*
    from {{ ref("stg_returns__department_return") }} as department_return
    inner join {{ source("raw", "night") }} as night on department_return.issued_date <= night.as_of
    qualify
        row_number() over (
            partition by
                department_return.plan_id,
                department_return.indicator_no,
                department_return.region_code,
                department_return.year,
                department_return.part
            order by department_return.issued_date desc
        ) = 1
),

plain as (
    select
        rule.*,
        latest.region_code,
        latest.year,
        latest.numerator,
        latest.denominator,
        base.numerator as base_numerator,
        base.denominator as base_denominator,
        latest.data_basis as own_basis,
        base.data_basis as base_basis,
        struct_pack(latest.numerator, latest.denominator, latest.issuer, latest.doc_no, latest.as_of_date, latest.issued_date) as own_return,
        struct_pack(base.numerator, base.denominator, base.issuer, base.doc_no, base.as_of_date, base.issued_date) as base_return
    from rule
    inner join latest
        on rule.plan_id = latest.plan_id and rule.return_no = latest.indicator_no and latest.part = '1'
    left join latest as base
        on
            rule.value_rule = 'intensity_drop'
            and rule.plan_id = base.plan_id
            and rule.return_no = base.indicator_no
            and latest.region_code = base.region_code
            and rule.base_year = base.year
            and base.part = '1'
    where rule.value_rule in ('ratio', 'intensity_drop')
),

-- An index of parts: a part counts as its ratio, or as 100 less it. Without all its parts there is no index.
parts as (
    select
        rule.plan_id,
        rule.indicator_no,
        latest.region_code,
        latest.year,
        sum(
            weight.weight * case
                when weight.is_inverse then 100 - cast(100 * latest.numerator / nullif(latest.denominator, 0) as decimal(18, 6))
                else cast(100 * latest.numerator / nullif(latest.denominator, 0) as decimal(18, 6))
            end
        ) as weighted,
        count(case when latest.denominator != 0 then 1 end) as part_count,
        {{ basis_of_group("latest.data_basis") }} as data_basis,
        string_agg(
            cast(struct_pack(
                latest.part, weight.weight, latest.numerator, latest.denominator, latest.issuer, latest.doc_no, latest.as_of_date, latest.issued_date
            ) as varchar), ' ' order by latest.part
        ) as inputs
    from rule
    inner join latest on rule.plan_id = latest.plan_id and rule.return_no = latest.indicator_no
    inner join {{ ref("plan_part_weight") }} as weight
        on
            rule.plan_id = weight.plan_id
            and rule.indicator_no = weight.indicator_no
            and latest.part = weight.part
            and {{ in_force("weight", "make_date(latest.year, 12, 31)") }}
    where rule.value_rule = 'weighted_parts'
    group by rule.plan_id, rule.indicator_no, latest.region_code, latest.year
),

due_parts as (
    select
        parts.plan_id,
        parts.indicator_no,
        parts.region_code,
        parts.year,
        count(*) as due_count
    from parts
    inner join {{ ref("plan_part_weight") }} as weight
        on
            parts.plan_id = weight.plan_id
            and parts.indicator_no = weight.indicator_no
            and {{ in_force("weight", "make_date(parts.year, 12, 31)") }}
    group by parts.plan_id, parts.indicator_no, parts.region_code, parts.year
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    numerator,
    denominator,
    cast(
        case
            when value_rule = 'ratio' and unit = '%' then 100 * numerator / nullif(denominator, 0)
            when value_rule = 'ratio' then numerator / nullif(denominator, 0)
            else 100 * (1 - (numerator * base_denominator) / nullif(denominator * base_numerator, 0))
        end as decimal(18, 6)
    ) as value,
    1 as coverage_n,
    cast(null as bigint) as coverage_required,
    case when value_rule = 'intensity_drop' and base_numerator is null then 'base_missing' end as missing_cause,
    {{ basis_of_row(["own_basis", "base_basis"]) }} as data_basis,
    cast(own_return as varchar)
    || case when value_rule = 'intensity_drop' then ' ' || cast(base_return as varchar) else '' end as inputs
from plain
union all
select
    parts.plan_id,
    parts.indicator_no,
    parts.region_code,
    parts.year,
    null as numerator,
    null as denominator,
    case when parts.part_count = due_parts.due_count then cast(parts.weighted as decimal(18, 6)) end as value,
    parts.part_count as coverage_n,
    due_parts.due_count as coverage_required,
    case when parts.part_count < due_parts.due_count then 'parts_missing' end as missing_cause,
    parts.data_basis,
    parts.inputs
from parts
inner join due_parts using (plan_id, indicator_no, region_code, year)
