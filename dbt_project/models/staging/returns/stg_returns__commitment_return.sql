with admitted as (
    {{ latest_admitted(
        "commitment_return", ["plan_id", "commitment_id", "region_code", "year", "issued_date"]
    ) }}
)

select
    plan_id,
    commitment_id,
    region_code,
    year,
    numerator,
    denominator,
    quantity_unit,
    issuer,
    doc_no,
    as_of_date,
    issued_date,
    data_basis
from admitted
