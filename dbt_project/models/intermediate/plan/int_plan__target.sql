-- Dated numeric targets: those the plan itself states for its region, those of the province that are in force on the night's
-- date, and for a county without an order of its own its share of the city's amount.
with plan as (
    select * from {{ ref("plan") }}
),

indicator as (
    select
        plan_indicator.*,
        plan.region_code as plan_region,
        plan.start_year,
        plan.end_year,
        plan.doc_no,
        plan.issued_date
    from {{ ref("plan_indicator") }} as plan_indicator
    inner join plan on plan_indicator.plan_id = plan.plan_id
),

stated as (
    select
        plan_id,
        indicator_no,
        plan_region as region_code,
        target_year as year,
        target_num as target_value,
        coalesce(unit, '') as unit,
        'any' as metric,
        doc_no,
        issued_date,
        'stated' as data_basis,
        'stated' as target_origin
    from indicator
    where kind = 'N'
),

assigned as (
    select
        indicator.plan_id,
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
        target.data_basis,
        'order' as target_origin,
        indicator.value_source,
        indicator.value_key,
        indicator.plan_region
    from {{ ref("stg_returns__provincial_target") }} as target
    inner join {{ source("raw", "night") }} as night
        on target.issued_date <= night.as_of and (target.superseded_date is null or target.superseded_date > night.as_of)
    inner join indicator
        on
            target.plan_id = indicator.plan_id
            and target.indicator_no = indicator.indicator_no
            and target.year between indicator.start_year and indicator.end_year
            -- A number of the plan is not overruled; for a county the plan names none.
            and (indicator.kind = 'P' or (indicator.kind = 'N' and target.region_code != indicator.plan_region))
    qualify
        row_number() over (
            partition by indicator.plan_id, target.indicator_no, target.region_code, target.year
            order by target.issued_date desc
        ) = 1
),

-- The document and its date are those of the city's order.
split as (
    select
        city.plan_id,
        city.indicator_no,
        share.region_code,
        share.year,
        share.target_t as target_value,
        't' as unit,
        'tonnes' as metric,
        city.doc_no,
        city.issued_date,
        share.data_basis,
        'split' as target_origin
    from {{ ref("int_reduction__target_split") }} as share
    inner join assigned as city
        on
            city.value_source = 'reduction'
            and share.pollutant_id = city.value_key
            and city.region_code = city.plan_region
            and share.year = city.year
            and share.target_year = city.year
            and share.target_doc_no = city.doc_no
    left join assigned as own
        on
            city.plan_id = own.plan_id
            and city.indicator_no = own.indicator_no
            and share.region_code = own.region_code
            and share.year = own.year
    where own.plan_id is null
),

every_target as (
    select * from stated
    union all by name
    select * from assigned
    union all by name
    select * from split
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    target_value,
    unit,
    metric,
    doc_no,
    issued_date,
    data_basis,
    target_origin
from every_target
