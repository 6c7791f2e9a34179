-- Every frozen figure beside the one published now.
select
    frozen.indicator_no, frozen.indicator, region.name_zh as region_zh, frozen.unit,
    present.unit as current_unit, frozen.data_basis as frozen_data_basis, present.data_basis as current_data_basis,
    frozen.value as frozen_value, frozen.status as frozen_status, frozen.target_value as frozen_target_value,
    present.value as current_value, present.status as current_status, present.target_value as current_target_value,
    case when frozen.unit is not distinct from present.unit then present.value - frozen.value end as difference,
    (frozen.value, frozen.status, frozen.target_value, frozen.unit)
        is distinct from (present.value, present.status, present.target_value, present.unit) as is_restated
from out.ind_plan_indicator as frozen
left join now.ind_plan_indicator as present
    on frozen.plan_id = present.plan_id and frozen.indicator_no = present.indicator_no
        and frozen.region_code = present.region_code and frozen.assessment_point = present.assessment_point
left join out.dim_region as region on frozen.region_code = region.region_code
order by frozen.indicator_no, region.level <> 'city', region.sort_no, frozen.region_code
