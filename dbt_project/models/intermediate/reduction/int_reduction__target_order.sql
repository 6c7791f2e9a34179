-- The target of the very year if the province set one, else the target of the plan's final year. None after the plan.
select
    tonnes.region_code,
    tonnes.pollutant_id,
    tonnes.year,
    assigned.year as target_year,
    assigned.metric as target_metric,
    case when assigned.metric = 'tonnes' and assigned.unit in ('t', '吨') then assigned.target_value end as target_t,
    case when assigned.metric = 'percent' then assigned.target_value end as target_pct,
    assigned.doc_no as target_doc_no,
    'order' as target_origin,
    case when assigned.year = tonnes.year then 100 else tonnes.expected_pct end as expected_pct,
    assigned.data_basis
from {{ ref('int_reduction__region_tonnes') }} as tonnes
inner join {{ ref('stg_returns__provincial_target') }} as assigned
    on
        tonnes.plan_id = assigned.plan_id
        and tonnes.region_code = assigned.region_code
        and tonnes.indicator_no = assigned.indicator_no
        and assigned.year in (tonnes.year, greatest(tonnes.year, tonnes.final_year))
        and assigned.metric in ('tonnes', 'percent')
        and tonnes.as_of_date >= assigned.issued_date
        and (assigned.superseded_date is null or tonnes.as_of_date < assigned.superseded_date)
qualify
    row_number() over (
        partition by tonnes.region_code, tonnes.pollutant_id, tonnes.year
        order by assigned.year = tonnes.year desc, assigned.issued_date desc
    ) = 1
