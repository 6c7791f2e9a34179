with latest as (
    {{ latest_admitted('execution_report', ['permit_no', 'period_type', 'period', 'factor_code']) }}
)

select
    permit_no,
    period_type,
    period,
    factor_code,
    actual_t,
    exceed_count,
    submitted_date,
    version,
    remark,
    data_basis
from latest
