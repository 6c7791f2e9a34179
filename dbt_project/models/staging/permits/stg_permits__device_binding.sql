with latest as (
    {{ latest_admitted('device_binding', ['mn_code', 'valid_from_date']) }}
)

select
    mn_code,
    permit_no,
    outlet_code,
    valid_from_date,
    valid_to_date,
    data_basis
from latest
