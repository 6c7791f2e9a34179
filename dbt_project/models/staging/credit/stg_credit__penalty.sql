with latest as (
    {{ latest_admitted('penalty', ['case_no', 'issuer_level']) }}
)

select
    case_no,
    {{ normalise_case_no('case_no') }} as case_no_normalised,
    uscc,
    permit_no,
    penalty_type,
    amount_cny,
    amount_text,
    amount_unit,
    law_basis,
    decided_date,
    published_date,
    issuer_level,
    data_basis
from latest
