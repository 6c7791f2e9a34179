-- Groundwater points by year, GB/T 14848-2017: the worst item of the year's means is the class. Items whose exceedance is
-- of natural origin (register) are flagged, and the class without them stands beside the class with them.
with item as (
    select * from {{ ref("int_water__period_item") }}
    where sample_kind = 'groundwater' and period_kind = 'year' and ground_class_no is not null
),

register as (
    select * from {{ ref("dim_section") }}
    where sample_kind = 'groundwater'
),

code as (
    select * from {{ ref("water_item") }}
),

flagged as (
    select
        item.*,
        register.point_name,
        register.county_code,
        register.is_assessed,
        coalesce(
            list_contains(string_split(register.background_items, '|'), code.item_code)
            or list_contains(string_split(register.background_items, '|'), item.item_id), false
        ) as is_background
    from item
    inner join register
        on
            item.point_code = register.point_code
            and item.day >= register.valid_from_date
            and item.period_start_date <= coalesce(register.valid_to_date, '9999-12-31')
    inner join code on item.item_id = code.item_id and {{ in_force("code", "item.day") }}
    qualify
        dense_rank() over (partition by item.point_code, item.period_start_date order by register.valid_from_date desc) = 1
),

ranked as (
    select
        *,
        max(ground_class_no) over (partition by point_code, period_start_date) as worst_class_no
    from flagged
),

summed as (
    select
        point_code,
        point_name,
        county_code,
        is_assessed,
        year(period_start_date)::integer as year,
        period_start_date,
        max(sample_count) as sample_count,
        count(*)::integer as item_count,
        max(ground_class_no) as class_no,
        max(ground_class_no) filter (where not is_background) as class_no_without_background,
        string_agg(name_zh, '、' order by sort_no) filter (where ground_class_no = worst_class_no) as worst_items,
        string_agg(name_zh, '、' order by sort_no) filter (
            where is_background and ground_class_no > {{ water_rule("well_good_up_to_class", "day") }}
        ) as background_items,
        {{ basis_of_group("data_basis") }} as data_basis
    from ranked
    group by point_code, point_name, county_code, is_assessed, period_start_date
),

edition as (
    select * from {{ ref("standard_version") }}
    where domain = 'groundwater'
)

select
    summed.point_code,
    summed.point_name,
    summed.county_code,
    summed.is_assessed,
    summed.year,
    summed.sample_count,
    summed.item_count,
    summed.class_no,
    ['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ', 'Ⅴ'][summed.class_no] as water_class,
    summed.worst_items,
    summed.background_items,
    summed.class_no_without_background,
    ['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ', 'Ⅴ'][summed.class_no_without_background] as water_class_without_background,
    edition.standard_code,
    summed.data_basis
from summed
left join edition on {{ in_force("edition", "summed.period_start_date") }}
