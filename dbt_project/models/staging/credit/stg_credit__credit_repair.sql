with latest as (
    {{ latest_admitted('credit_repair', ['uscc', 'regime', 'eval_year', 'doc_no']) }}
)

select
    uscc,
    regime,
    eval_year,
    doc_no,
    enterprise_name,
    grade_before,
    grade_after,
    repaired_date,
    data_basis
from latest
