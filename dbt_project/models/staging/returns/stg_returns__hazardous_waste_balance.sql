with latest as (
    {{ latest_admitted('hazardous_waste_balance', ['uscc', 'year', 'waste_code']) }}
)

select
    uscc,
    year,
    waste_code,
    enterprise_name,
    opening_stock_t,
    generated_t,
    utilised_t,
    disposed_t,
    closing_stock_t,
    doc_no,
    remark,
    data_basis
from latest
