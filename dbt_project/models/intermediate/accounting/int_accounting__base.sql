with item as (
    select distinct
        item_kind,
        item_code,
        pollutant_id,
        year
    from {{ ref('stg_returns__accounting_quantity') }}
    where item_kind = 'project'
),

plan_year as (
    select
        year,
        base_year
    from {{ ref('int_reduction__plan_year') }}
)

select
    item.item_kind,
    item.item_code,
    item.pollutant_id,
    item.year,
    base.base_t
from item
-- Facts that hold from before the account's first year are counted on its first base.
asof left join plan_year on item.year >= plan_year.year
inner join {{ ref('stg_returns__reduction_project') }} as project
    on item.item_code = project.project_id and item.pollutant_id = project.pollutant_id
inner join {{ ref('stg_returns__emission_base') }} as base
    on
        project.source_code = base.source_code
        and item.pollutant_id = base.pollutant_id
        and base.base_year = coalesce(plan_year.base_year, (select arg_min(first_year.base_year, first_year.year) from plan_year as first_year))
