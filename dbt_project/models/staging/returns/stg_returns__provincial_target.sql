with admitted as (
    {{ latest_admitted(
        "provincial_target", ["plan_id", "indicator_no", "region_code", "year", "issued_date"]
    ) }}
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    target_value,
    unit,
    metric,
    issued_by,
    doc_no,
    issued_date,
    superseded_date,
    data_basis
from admitted
