with latest as (
    {{ latest_admitted('permit_limit', ['permit_no', 'outlet_code', 'factor_code', 'valid_from_date']) }}
)

select
    permit_no,
    outlet_code,
    factor_code,
    limit_value,
    unit,
    averaging,
    valid_from_date,
    valid_to_date,
    data_basis
from latest
