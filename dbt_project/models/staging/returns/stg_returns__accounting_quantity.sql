with latest as (
    {{ latest_admitted('accounting_quantity', ['item_kind', 'item_code', 'formula_id', 'pollutant_id', 'year', 'part', 'quantity']) }}
)

select
    item_kind,
    item_code,
    formula_id,
    pollutant_id,
    year,
    part,
    quantity,
    value,
    choice,
    unit,
    doc_no,
    data_basis
from latest
