-- Manual results under the name and unit of their item. Below detection half of the limit enters means; an unknown item or
-- unit has no item_id or no value, and is counted, never guessed.
with sample as (
    select * from {{ ref("stg_monitoring__water_sample") }}
),

item as (
    select * from {{ ref("water_item") }}
),

unit as (
    select * from {{ ref("water_unit") }}
),

named as (
    select
        sample.*,
        coalesce(by_code.item_id, by_name.item_id) as item_id,
        coalesce(by_code.unit, by_name.unit) as item_unit
    from sample
    left join item as by_code
        on sample.item_code = by_code.item_code and {{ in_force("by_code", "sample.sampled_date") }}
    left join item as by_name
        on
            by_code.item_id is null
            and by_name.item_code is null
            and sample.item_name = by_name.name_zh
            and {{ in_force("by_name", "sample.sampled_date") }}
)

select
    named.sample_kind,
    named.point_code,
    named.sampled_date,
    date_trunc('month', named.sampled_date)::date as month_start_date,
    named.item_id,
    named.item_code,
    named.item_name,
    cast(
        case
            when named.is_below_detection
                then named.detection_limit * {{ water_rule("not_detected_share", "named.sampled_date") }}
            else named.value
        end
        * case when named.unit = named.item_unit then 1 else unit.factor end as decimal(24, 10)
    ) as value,
    named.is_below_detection,
    regexp_matches(
        concat_ws(' ', named.remark, named.value_text), {{ water_rule("dry_words", "named.sampled_date", "text") }}
    ) as is_dry,
    coalesce(named.remark, named.value_text) as remark,
    named.data_basis
from named
left join unit
    on
        named.unit = unit.unit
        and named.item_unit = unit.item_unit
        and {{ in_force("unit", "named.sampled_date") }}
