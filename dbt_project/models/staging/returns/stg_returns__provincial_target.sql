with admitted as (
    {{ latest_admitted("provincial_target", ["indicator_no", "region_code", "year", "issued_date"]) }}
)

select
    indicator_no,
    region_code,
    year,
    target_value,
    unit,
    metric,
    issued_by,
    doc_no,
    issued_date,
    superseded_date,
    data_basis
from admitted
