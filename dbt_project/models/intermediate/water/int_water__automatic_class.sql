{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key="business_date",
    on_schema_change="fail",
) }}

-- The days that changed of the automatic stations: class by river and by lake limits, and whether rounding or the
-- saturation of oxygen explains a published class that neither gives, or it is the class of the reading before.
with registered as (
    select * from {{ ref("dim_section") }}
    where sample_kind = 'section' and section_name is not null
),

measured as (
    select
        section.*,
        section.water_class as published_class,
        registered.point_code,
        registered.county_code,
        registered.body_kind
    from {{ ref("stg_monitoring__water_section_4h") }} as section
    left join registered
        on
            section.province = registered.province
            and section.section_name = registered.section_name
            and section.business_date between registered.valid_from_date and coalesce(registered.valid_to_date, '9999-12-31')
    where {{ in_changed_days("water_section_4h", "section.business_date") }}
),

item_name as (
    select * from {{ ref("water_item") }}
),

place as (
    select * from {{ ref("water_shown_place") }}
),

unpivoted as (
    select
        province,
        section_name,
        measured_at,
        business_date as day,
        value_form,
        {{ oxygen_saturation("do_mg_l", "water_temp_c", "business_date") }} as saturation_pct,
        unnest([
            { 'item_id': 'ph', 'shown': ph },
            { 'item_id': 'do', 'shown': do_mg_l },
            { 'item_id': 'codmn', 'shown': codmn_mg_l },
            { 'item_id': 'nh3n', 'shown': nh3n_mg_l },
            { 'item_id': 'tp', 'shown': tp_mg_l }
        ]) as cell
    from measured
),

item as (
    select
        unpivoted.*,
        unpivoted.cell.item_id,
        unpivoted.cell.shown
    from unpivoted
),

missing as (
    select
        item.province,
        item.section_name,
        item.measured_at,
        string_agg(item_name.name_zh, '、' order by item_name.sort_no) as missing_items
    from item
    inner join item_name on item.item_id = item_name.item_id and {{ in_force("item_name", "item.day") }}
    where item.shown is null
    group by item.province, item.section_name, item.measured_at
),

-- The value as it stands (0), without the saturation of oxygen (2), and rounded ones half a place down (-1) and up (1).
variant as (
    select
        item.province,
        item.section_name,
        item.measured_at,
        item.day,
        item.item_id,
        body.body_kind,
        step.step,
        case when item.item_id = 'do' and step.step <> 2 then item.saturation_pct end as saturation_pct,
        case
            when step.step in (-1, 1) then greatest(item.shown + step.step * 0.5 * pow(10, -place.places), 0)
            else item.shown
        end::decimal(24, 10) as value
    from item
    cross join (values ('river'), ('lake')) as body (body_kind)
    cross join (values (-1), (0), (1), (2)) as step (step)
    left join place on item.item_id = place.item_id and {{ in_force("place", "item.day") }}
    where step.step = 0 or (step.step = 2 and item.item_id = 'do') or (step.step in (-1, 1) and item.value_form = 'rounded')
),

classed as (
    {{ classed_water_items("variant", ["province", "section_name", "measured_at", "step"]) }}
),

by_item as (
    select
        province,
        section_name,
        measured_at,
        body_kind,
        item_id,
        max(class_no) filter (where step = 0) as class_no,
        max(class_no) filter (where step = 2) as class_no_unsaturated,
        min(class_no) filter (where step <> 2) as best_class_no,
        max(class_no) filter (where step <> 2) as worst_class_no
    from classed
    group by province, section_name, measured_at, body_kind, item_id
),

worst as (
    select
        by_item.province,
        by_item.section_name,
        by_item.measured_at,
        by_item.body_kind,
        max(by_item.class_no) as class_no,
        max(coalesce(by_item.class_no_unsaturated, by_item.class_no)) as class_no_unsaturated,
        max(by_item.best_class_no) as best_class_no,
        max(by_item.worst_class_no) as worst_class_no,
        string_agg(item_name.name_zh, '、' order by item_name.sort_no) filter (
            where by_item.best_class_no <> by_item.worst_class_no
        ) as borderline_items
    from by_item
    inner join item_name on by_item.item_id = item_name.item_id
    group by by_item.province, by_item.section_name, by_item.measured_at, by_item.body_kind
),

-- The reading before within the same day: a day is recomputed as a whole, so no other day has to be looked at.
earlier as (
    select
        measured.province,
        measured.section_name,
        measured.measured_at,
        lag(river.class_no) over of_day as river_class_no,
        lag(lake.class_no) over of_day as lake_class_no
    from measured
    left join worst as river
        on
            measured.province = river.province
            and measured.section_name = river.section_name
            and measured.measured_at = river.measured_at
            and river.body_kind = 'river'
    left join worst as lake
        on
            measured.province = lake.province
            and measured.section_name = lake.section_name
            and measured.measured_at = lake.measured_at
            and lake.body_kind = 'lake'
    window of_day as (
        partition by measured.province, measured.section_name, measured.business_date order by measured.measured_at
    )
),

deciding as (
    select
        by_item.province,
        by_item.section_name,
        by_item.measured_at,
        by_item.body_kind,
        string_agg(item_name.name_zh, '、' order by item_name.sort_no) as deciding_items
    from by_item
    inner join item_name on by_item.item_id = item_name.item_id
    inner join worst
        on
            by_item.province = worst.province
            and by_item.section_name = worst.section_name
            and by_item.measured_at = worst.measured_at
            and by_item.body_kind = worst.body_kind
            and by_item.class_no = worst.class_no
    group by by_item.province, by_item.section_name, by_item.measured_at, by_item.body_kind
)

select
    measured.*,
    published.class_no as published_class_no,
    missing.missing_items,
    if(missing.missing_items is null, river.class_no, null) as river_class_no,
    if(missing.missing_items is null, lake.class_no, null) as lake_class_no,
    if(missing.missing_items is null, deciding.deciding_items, null) as deciding_items,
    river.borderline_items,
    case
        when missing.missing_items is not null then 'incomplete'
        when published.class_no is null then null
        when river.class_no = published.class_no then 'river'
        when lake.class_no = published.class_no then 'lake'
        else 'none'
    end as agreement,
    coalesce(
        published.class_no between river.best_class_no and river.worst_class_no
        or published.class_no between lake.best_class_no and lake.worst_class_no, false
    ) as is_explained_by_rounding,
    coalesce(published.class_no between river.best_class_no and river.worst_class_no, false) as is_river_class_before_rounding,
    coalesce(published.class_no in (river.class_no_unsaturated, lake.class_no_unsaturated), false) as is_explained_by_saturation,
    coalesce(published.class_no in (earlier.river_class_no, earlier.lake_class_no), false) as is_class_of_earlier_reading
from measured
left join {{ ref("water_class_label") }} as published
    on measured.published_class = published.water_class and {{ in_force("published", "measured.business_date") }}
left join earlier
    on
        measured.province = earlier.province
        and measured.section_name = earlier.section_name
        and measured.measured_at = earlier.measured_at
left join missing
    on
        measured.province = missing.province
        and measured.section_name = missing.section_name
        and measured.measured_at = missing.measured_at
left join worst as river
    on
        measured.province = river.province
        and measured.section_name = river.section_name
        and measured.measured_at = river.measured_at
        and river.body_kind = 'river'
left join worst as lake
    on
        measured.province = lake.province
        and measured.section_name = lake.section_name
        and measured.measured_at = lake.measured_at
        and lake.body_kind = 'lake'
left join deciding
    on
        measured.province = deciding.province
        and measured.section_name = deciding.section_name
        and measured.measured_at = deciding.measured_at
        and deciding.body_kind = coalesce(measured.body_kind, 'river')
