with admitted as (
    {{ latest_admitted("department_return", ["indicator_no", "region_code", "year", "issued_date"]) }}
)

select
    indicator_no,
    region_code,
    year,
    numerator,
    denominator,
    quantity_unit,
    issuer,
    doc_no,
    issued_date,
    data_basis
from admitted
