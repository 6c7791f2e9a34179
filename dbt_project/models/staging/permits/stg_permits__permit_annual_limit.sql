with latest as (
    {{ latest_admitted('permit_annual_limit', ['permit_no', 'outlet_code', 'factor_code', 'year']) }}
)

select
    permit_no,
    outlet_code,
    factor_code,
    year,
    limit_t as permitted_t,
    data_basis
from latest
