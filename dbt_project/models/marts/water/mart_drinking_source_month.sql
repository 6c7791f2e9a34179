-- Drinking-water sources by month sampled: compliant when every judged item is (int_water__source_period), with intake.
with source as (
    select * from {{ ref("int_water__source_period") }}
    where period_kind = 'month'
),

intake as (
    select * from {{ ref("int_water__intake") }}
)

select
    source.point_code,
    source.point_name,
    source.county_code,
    source.water_body,
    source.body_kind,
    source.source_level,
    source.is_in_use,
    source.is_assessed,
    source.period_start_date as month_start_date,
    source.sample_count,
    source.judged_item_count,
    source.complies,
    source.class_no,
    source.water_class,
    source.exceeding_items,
    source.missing_items,
    intake.intake_10k_m3,
    case
        when source.complies then intake.intake_10k_m3
        when source.complies is not null and intake.intake_10k_m3 is not null then 0
    end::decimal(18, 4) as compliant_intake_10k_m3,
    source.standard_code,
    {{ basis_of_row(["source.data_basis", "coalesce(intake.data_basis, source.data_basis)"]) }} as data_basis
from source
left join intake on source.point_code = intake.point_code and source.period_start_date = intake.month_date
