-- Dated numeric targets: those the plan itself states, and those of the province that are in force on the night's date.
with stated as (
    select
        plan.plan_id,
        indicator.indicator_no,
        plan.region_code,
        indicator.target_year as year,
        indicator.target_num as target_value,
        coalesce(indicator.unit, '') as unit,
        'any' as metric,
        plan.doc_no,
        plan.issued_date,
        'stated' as data_basis
    from {{ ref("plan_indicator") }} as indicator
    inner join {{ ref("plan") }} as plan on indicator.plan_id = plan.plan_id
    where indicator.kind = 'N'
),

assigned as (
    select
        plan.plan_id,
        indicator.indicator_no,
        target.region_code,
        target.year,
        target.target_value,
        target.unit,
        case
            when indicator.value_source != 'reduction' then 'any'
            when target.metric = 'tonnes' then 'tonnes'
            else 'percent'
        end as metric,
        target.doc_no,
        target.issued_date,
        target.data_basis
    from {{ ref("stg_returns__provincial_target") }} as target
    inner join {{ source("raw", "night") }} as night
        on target.issued_date <= night.as_of and (target.superseded_date is null or target.superseded_date > night.as_of)
    inner join {{ ref("plan") }} as plan on target.year between plan.start_year and plan.end_year
    inner join {{ ref("plan_indicator") }} as indicator
        on plan.plan_id = indicator.plan_id and target.indicator_no = indicator.indicator_no and indicator.kind = 'P'
    qualify
        row_number() over (
            partition by plan.plan_id, target.indicator_no, target.region_code, target.year
            order by target.issued_date desc
        ) = 1
)

select * from stated
union all
select * from assigned
