with admitted as (
    {{ latest_admitted(
        "department_return", ["plan_id", "indicator_no", "region_code", "year", "part", "issued_date"]
    ) }}
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    part,
    numerator,
    denominator,
    quantity_unit,
    issuer,
    doc_no,
    as_of_date,
    issued_date,
    data_basis
from admitted
