with admitted as (
    {{ latest_admitted("source_intake", ["point_code", "month_date", "issued_date"]) }}
)

select
    point_code,
    month_date,
    intake_10k_m3,
    issuer,
    doc_no,
    issued_date,
    data_basis
from admitted
