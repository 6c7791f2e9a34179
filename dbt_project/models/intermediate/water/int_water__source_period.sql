{{ config(materialized="table") }}

-- Drinking-water sources by month, quarter and year. Surface: basic items of GB 3838-2002 no worse than Ⅲ (without COD,
-- total nitrogen, temperature and coliforms), supplementary and special items within their limits. Groundwater: no item
-- worse than Ⅲ of GB/T 14848-2017.
with item as (
    select * from {{ ref("int_water__period_item") }}
    where sample_kind = 'drinking_source'
),

register as (
    select * from {{ ref("dim_section") }}
    where sample_kind = 'drinking_source'
),

due_item as (
    select * from {{ ref("water_item") }}
    where drinking_role in ('basic', 'supplement')
),

judged as (
    select
        *,
        case
            when body_kind = 'ground' then ground_class_no > {{ water_rule("well_good_up_to_class", "day") }}
            when drinking_role = 'basic' then surface_class_no > {{ water_rule("source_good_up_to_class", "day") }}
            when drinking_role in ('supplement', 'special') then value > drinking_limit
        end as exceeds,
        case
            when body_kind = 'ground' then ground_class_no
            when drinking_role = 'basic' then surface_class_no
        end as class_no,
        case
            when body_kind = 'ground' then well_limit
            when drinking_role = 'basic' then third_limit
            else drinking_limit
        end as judged_limit
    from item
),

found as (
    select distinct
        point_code,
        period_kind,
        period_start_date
    from item
    where body_kind <> 'ground'
),

missing as (
    select
        found.point_code,
        found.period_kind,
        found.period_start_date,
        string_agg(due_item.name_zh, '、' order by due_item.sort_no) as missing_items
    from found
    inner join due_item on {{ in_force("due_item", "found.period_start_date") }}
    left join item
        on
            found.point_code = item.point_code
            and found.period_kind = item.period_kind
            and found.period_start_date = item.period_start_date
            and due_item.item_id = item.item_id
    where item.item_id is null
    group by found.point_code, found.period_kind, found.period_start_date
),

summed as (
    select
        point_code,
        period_kind,
        period_start_date,
        max(day) as day,
        max(body_kind) as body_kind,
        max(sample_count) as sample_count,
        max(month_count) as month_count,
        count(exceeds)::integer as judged_item_count,
        not bool_or(exceeds) as complies,
        max(class_no) as class_no,
        string_agg(
            name_zh
            || case
                when has_multiple and judged_limit > 0
                    then '（' || {{ plain_number(water_multiple("value", "judged_limit")) }} || '）'
                else ''
            end,
            '、' order by sort_no
        ) filter (where exceeds) as exceeding_items,
        {{ basis_of_group("data_basis") }} as data_basis
    from judged
    group by point_code, period_kind, period_start_date
),

edition as (
    select * from {{ ref("standard_version") }}
),

label as (
    select * from {{ ref("water_class_label") }}
)

select
    summed.point_code,
    register.point_name,
    register.county_code,
    register.water_body,
    register.source_level,
    register.is_in_use,
    register.is_assessed,
    summed.period_kind,
    summed.period_start_date,
    summed.body_kind,
    summed.sample_count,
    summed.month_count,
    summed.judged_item_count,
    summed.complies,
    summed.class_no,
    label.water_class,
    summed.exceeding_items,
    missing.missing_items,
    edition.standard_code,
    summed.data_basis
from summed
inner join register
    on
        summed.point_code = register.point_code
        and summed.day >= register.valid_from_date
        and summed.period_start_date <= coalesce(register.valid_to_date, '9999-12-31')
left join missing
    on
        summed.point_code = missing.point_code
        and summed.period_kind = missing.period_kind
        and summed.period_start_date = missing.period_start_date
left join edition
    on
        edition.domain = if(summed.body_kind = 'ground', 'groundwater', 'surface_water')
        and {{ in_force("edition", "summed.day") }}
left join label on summed.class_no = label.class_no and {{ in_force("label", "summed.day") }}
qualify
    row_number() over (
        partition by summed.point_code, summed.period_kind, summed.period_start_date order by register.valid_from_date desc
    ) = 1
