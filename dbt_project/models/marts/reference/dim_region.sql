select
    region_code,
    name_zh,
    name_en,
    level,
    parent_code,
    is_legal_unit,
    is_reporting_unit,
    sort_no,
    valid_from as valid_from_date,
    valid_to as valid_to_date,
    source_doc,
    confidence,
    'stated' as data_basis
from {{ ref("region") }}
