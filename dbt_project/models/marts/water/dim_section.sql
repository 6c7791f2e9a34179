-- Every registered water point, as the register dates it: sections, drinking-water sources, wells.
with point as (
    select * from {{ ref("stg_returns__water_point") }}
),

class as (
    select * from {{ ref("water_class_label") }}
)

select
    point.sample_kind,
    point.point_code,
    point.point_name,
    point.county_code,
    point.water_body,
    point.body_kind,
    point.target_class,
    class.class_no as target_class_no,
    point.control_level,
    point.is_assessed,
    point.source_level,
    point.is_in_use,
    point.is_groundwater_source,
    point.province,
    point.section_name,
    point.background_items,
    point.valid_from_date,
    point.valid_to_date,
    point.doc_no,
    point.data_basis
from point
left join class on point.target_class = class.water_class and {{ in_force("class", "point.valid_from_date") }}
