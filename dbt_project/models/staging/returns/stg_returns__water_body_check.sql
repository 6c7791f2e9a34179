with admitted as (
    {{ latest_admitted("water_body_check", ["body_code", "checked_date"]) }}
)

select
    body_code,
    body_name,
    county_code,
    built_up_kind,
    identified_date,
    treated_date,
    checked_date,
    transparency_cm,
    do_mg_l,
    orp_mv,
    nh3n_mg_l,
    depth_cm,
    is_clear_to_bottom,
    satisfaction_pct,
    issuer,
    doc_no,
    issued_date,
    data_basis
from admitted
