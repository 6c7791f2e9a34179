with latest as (
    {{ latest_admitted('reduction_evidence', ['project_id', 'evidence_kind', 'doc_no']) }}
)

select
    project_id,
    evidence_kind,
    issued_date,
    doc_no,
    data_basis
from latest
