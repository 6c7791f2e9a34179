with latest as (
    {{ latest_admitted('device_state', ['mn_code', 'state_from_at'], by_day=true) }}
)

select
    mn_code,
    state_from_at,
    business_date,
    state,
    state_to_at,
    remark,
    data_basis
from latest
