with latest as (
    {{ latest_admitted('source_check', ['permit_no', 'outlet_code', 'factor_code', 'check_kind', 'checked_at']) }}
)

select
    permit_no,
    outlet_code,
    factor_code,
    check_kind,
    checked_at,
    is_passed,
    sample_count,
    manual_kg,
    doc_no,
    data_basis
from latest
