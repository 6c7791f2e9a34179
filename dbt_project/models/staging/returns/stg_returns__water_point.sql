with admitted as (
    {{ latest_admitted("water_point", ["sample_kind", "point_code", "valid_from_date"]) }}
)

select
    sample_kind,
    point_code,
    point_name,
    county_code,
    water_body,
    body_kind,
    target_class,
    control_level,
    is_assessed,
    source_level,
    is_in_use,
    is_groundwater_source,
    province,
    section_name,
    background_items,
    valid_from_date,
    valid_to_date,
    doc_no,
    data_basis
from admitted
