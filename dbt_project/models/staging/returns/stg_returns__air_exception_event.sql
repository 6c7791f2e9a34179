with admitted as (
    {{ latest_admitted("air_exception_event", ["event_id", "region_code", "pollutant_id"]) }}
)

select
    event_id,
    region_code,
    pollutant_id,
    event_kind,
    start_date,
    end_date,
    approved_by,
    doc_no,
    issued_date,
    data_basis
from admitted
