with latest as (
    {{ latest_admitted('penalty', ['case_no']) }}
)

select
    case_no,
    uscc,
    permit_no,
    penalty_type,
    amount_cny,
    law_basis,
    decided_date,
    published_date,
    data_basis
from latest
