with latest as (
    {{ latest_admitted('reduction_project', ['project_id', 'pollutant_id']) }}
)

select
    project_id,
    project_name,
    source_code,
    county_code,
    zone_code,
    category,
    pollutant_id,
    plan_year,
    planned_t,
    claimed_t,
    commissioned_date,
    doc_no,
    data_basis
from latest
