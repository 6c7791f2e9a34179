with latest as (
    {{ latest_admitted('emission_base', ['source_code', 'pollutant_id', 'base_year']) }}
)

select
    source_code,
    source_name,
    source_type,
    county_code,
    zone_code,
    pollutant_id,
    base_year,
    base_t,
    doc_no,
    data_basis
from latest
