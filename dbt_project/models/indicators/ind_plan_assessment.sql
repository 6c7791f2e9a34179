-- What was frozen beside what is published now: a later restatement never takes the place of a signed figure.
with frozen as (
    select *
    from {{ source("raw", "assessment_indicator") }}
),

present as (
    select *
    from {{ ref("ind_plan_indicator") }}
),

compared as (
    select
        frozen.*,
        present.value as current_value,
        present.unit as current_unit,
        present.status as current_status,
        present.target_value as current_target_value,
        present.target_unit as current_target_unit,
        present.target_doc_no as current_target_doc_no,
        present.standard_code as current_standard_code,
        present.coverage_n as current_coverage_n,
        present.data_basis as current_data_basis,
        present.inputs_hash as current_inputs_hash,
        present.as_of_date,
        present.plan_id is not null as is_there
    from frozen
    left join present
        on
            frozen.plan_id = present.plan_id
            and frozen.indicator_no = present.indicator_no
            and frozen.region_code = present.region_code
            and frozen.assessment_point = present.assessment_point
),

-- Named one by one, so that a reader sees at once whether the figure, its target or its judgement moved.
told as (
    select
        *,
        concat_ws(
            ', ',
            case when not is_there then 'row' end,
            case when is_there and current_value is distinct from value then 'value' end,
            case when is_there and current_unit is distinct from unit then 'unit' end,
            case when is_there and current_status is distinct from status then 'status' end,
            case
                when
                    is_there and (
                        current_target_value is distinct from target_value
                        or current_target_unit is distinct from target_unit
                        or current_target_doc_no is distinct from target_doc_no
                    )
                    then 'target'
            end,
            case when is_there and current_standard_code is distinct from standard_code then 'standard' end,
            case when is_there and current_coverage_n is distinct from coverage_n then 'coverage' end,
            case when is_there and current_data_basis is distinct from data_basis then 'data_basis' end
        ) as restated_parts
    from compared
)

select
    plan_id,
    indicator_no,
    indicator,
    region_code,
    assessment_point,
    freeze_no,
    year,
    due_date,
    frozen_at,
    frozen_as_of_date,
    source_version,
    value as frozen_value,
    unit as frozen_unit,
    status as frozen_status,
    target_value as frozen_target_value,
    target_unit as frozen_target_unit,
    target_doc_no as frozen_target_doc_no,
    standard_code as frozen_standard_code,
    coverage_n as frozen_coverage_n,
    data_basis as frozen_data_basis,
    inputs_hash as frozen_inputs_hash,
    current_value,
    current_unit,
    current_status,
    current_target_value,
    current_target_unit,
    current_target_doc_no,
    current_standard_code,
    current_coverage_n,
    current_data_basis,
    current_inputs_hash,
    -- Tonnes less percent would be no difference.
    case when current_unit = unit or coalesce(current_unit, unit) is null then cast(current_value - value as decimal(18, 4)) end as difference,
    restated_parts != '' as is_restated,
    restated_parts,
    coalesce({{ basis_of_row(["data_basis", "current_data_basis"]) }}, data_basis) as data_basis,
    as_of_date
from told
order by plan_id, indicator_no, region_code, due_date, assessment_point, freeze_no
