with latest as (
    {{ latest_admitted('blacklist', ['uscc', 'listed_date']) }}
)

select
    uscc,
    listed_date,
    removed_date,
    reason,
    doc_no,
    data_basis
from latest
