select
    pollutant_id,
    sort_no,
    symbol,
    name_zh,
    name_en,
    medium,
    ambient_unit,
    source_unit,
    hj212_code,
    plan_reduction as is_plan_reduction,
    source_doc,
    confidence,
    'stated' as data_basis
from {{ ref("pollutant") }}
