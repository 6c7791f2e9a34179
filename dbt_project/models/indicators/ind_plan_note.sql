select
    plan_id,
    note_id,
    indicator_no,
    commitment_id,
    note_zh,
    note_en,
    source_doc,
    confidence,
    'stated' as data_basis
from {{ ref("plan_note") }}
order by plan_id, note_id
