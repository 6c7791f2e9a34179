with latest as (
    {{ latest_admitted('permit_outlet', ['permit_no', 'outlet_code']) }}
)

select
    permit_no,
    outlet_code,
    outlet_name,
    medium,
    outlet_type,
    o2_reference_pct,
    discharge_mode,
    receiving_water,
    longitude,
    latitude,
    data_basis
from latest
