select
    domain,
    standard_code,
    title_zh,
    title_en,
    valid_from as valid_from_date,
    valid_to as valid_to_date,
    source_doc,
    confidence,
    note,
    'stated' as data_basis
from {{ ref("standard_version") }}
