with latest as (
    {{ latest_admitted('source_hour', ['permit_no', 'outlet_code', 'factor_code', 'hour_start'], by_day=true) }}
)

select
    permit_no,
    outlet_code,
    factor_code,
    hour_start,
    business_date,
    mn_code,
    avg_value,
    min_value,
    max_value,
    corrected_avg_value,
    total_value,
    instrument_flag,
    process_flag,
    data_status,
    data_basis
from latest
