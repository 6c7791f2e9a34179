-- Intake of sources by month, the newest return of each.
select
    point_code,
    month_date,
    intake_10k_m3,
    data_basis
from {{ ref("stg_returns__source_intake") }}
qualify row_number() over (partition by point_code, month_date order by issued_date desc, doc_no desc) = 1
