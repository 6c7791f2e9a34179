with latest as (
    {{ latest_admitted('water_sample', ['sample_kind', 'point_code', 'sampled_date', 'item_code'], by_day=true) }}
)

select
    sample_kind,
    point_code,
    sampled_date,
    item_code,
    business_date,
    point_name,
    item_name,
    value_text,
    value,
    is_below_detection,
    detection_limit,
    unit,
    reported_date,
    doc_no,
    remark,
    data_basis
from latest
