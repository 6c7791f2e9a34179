select
    split_part(item_code, '/', 1) as permit_no,
    split_part(item_code, '/', 2) as outlet_code,
    pollutant_id,
    year,
    formula_id,
    method,
    amount_t as estimate_t,
    missing_zh,
    missing_en,
    doc_no,
    data_basis
from {{ ref('int_accounting__item') }}
where item_kind = 'estimate'
