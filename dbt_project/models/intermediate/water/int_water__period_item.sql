{{ config(materialized="table") }}

-- Means of months, quarters and years by point and item (a longer period is the mean of its months), with the class by
-- GB 3838-2002 for the point's kind of water, by GB/T 14848-2017, and the excess over the limit.
with month_item as (
    select * from {{ ref("int_water__month_item") }}
),

kinds as (
    select unnest(['month', 'quarter', 'year']) as period_kind
),

period as (
    select
        month_item.sample_kind,
        month_item.point_code,
        kinds.period_kind,
        date_trunc(kinds.period_kind, month_item.month_start_date)::date as period_start_date,
        month_item.item_id,
        {{ exact_mean("month_item.value", "decimal(24, 10)") }} as mean_value,
        case when min(month_item.method) = max(month_item.method) then min(month_item.method) else 'mixed' end as method,
        count(*)::integer as month_count,
        sum(month_item.sample_count)::integer as sample_count,
        sum(month_item.below_detection_count)::integer as below_detection_count,
        {{ basis_of_group("month_item.data_basis") }} as data_basis
    from month_item
    cross join kinds
    group by all
),

register as (
    select * from {{ ref("dim_section") }}
),

item as (
    select * from {{ ref("water_item") }}
),

-- The register as it stands on the last day of the period.
known as (
    select
        period.*,
        last_day(case period.period_kind
            when 'year' then period.period_start_date + interval 11 month
            when 'quarter' then period.period_start_date + interval 2 month
            else period.period_start_date
        end) as day,
        register.body_kind as registered_kind,
        case
            when coalesce(register.is_groundwater_source, false) or period.sample_kind = 'groundwater' then 'ground'
            else coalesce(register.body_kind, 'river')
        end as body_kind,
        case
            when {{ water_rule("compare_rounded", "period.period_start_date") }} = 1
                then {{ round_half_even("period.mean_value", "item.decimals", most=7, exact="decimal(24, 10)", rounded="decimal(24, 10)") }}
            else period.mean_value
        end::decimal(24, 10) as value
    from period
    inner join item on period.item_id = item.item_id and {{ in_force("item", "period.period_start_date") }}
    left join register
        on
            period.sample_kind = register.sample_kind
            and period.point_code = register.point_code
            and register.valid_from_date < period.period_start_date + interval 1 month
            and coalesce(register.valid_to_date, '9999-12-31') >= period.period_start_date
    qualify
        row_number() over (
            partition by period.sample_kind, period.point_code, period.period_kind, period.period_start_date, period.item_id
            order by register.valid_from_date desc nulls last
        ) = 1
),

saturated as (
    select
        known.*,
        case when known.item_id = 'do' then {{ oxygen_saturation("known.value", "temperature.value", "known.day") }} end as saturation_pct
    from known
    left join known as temperature
        on
            known.item_id = 'do'
            and temperature.item_id = 'water_temp'
            and known.sample_kind = temperature.sample_kind
            and known.point_code = temperature.point_code
            and known.period_kind = temperature.period_kind
            and known.period_start_date = temperature.period_start_date
),

surface as (
    {{ classed_water_items("saturated", ["sample_kind", "point_code", "period_kind", "period_start_date"]) }}
),

ground as (
    {{ classed_water_items(
        "saturated", ["sample_kind", "point_code", "period_kind", "period_start_date"], limits="groundwater_limit"
    ) }}
)

select
    saturated.sample_kind,
    saturated.point_code,
    saturated.period_kind,
    saturated.period_start_date,
    saturated.day,
    saturated.item_id,
    saturated.body_kind,
    saturated.mean_value,
    saturated.value,
    saturated.saturation_pct,
    saturated.method,
    saturated.month_count,
    saturated.sample_count,
    saturated.below_detection_count,
    item.name_zh,
    item.unit,
    item.surface_role,
    item.drinking_role,
    item.is_groundwater,
    item.sort_no,
    if(saturated.body_kind = 'ground', null, surface.class_no) as surface_class_no,
    case
        when not item.is_groundwater then null
        when saturated.below_detection_count > 0 and saturated.below_detection_count >= saturated.sample_count
            then {{ water_rule("groundwater_not_detected_class", "saturated.day") }}::integer
        else ground.class_no
    end as ground_class_no,
    third.upper_limit as third_limit,
    well.upper_limit as well_limit,
    drinking.upper_limit as drinking_limit,
    item.has_multiple,
    saturated.data_basis
from saturated
inner join item on saturated.item_id = item.item_id and {{ in_force("item", "saturated.day") }}
left join surface
    on
        saturated.sample_kind = surface.sample_kind
        and saturated.point_code = surface.point_code
        and saturated.period_kind = surface.period_kind
        and saturated.period_start_date = surface.period_start_date
        and saturated.item_id = surface.item_id
left join ground
    on
        saturated.sample_kind = ground.sample_kind
        and saturated.point_code = ground.point_code
        and saturated.period_kind = ground.period_kind
        and saturated.period_start_date = ground.period_start_date
        and saturated.item_id = ground.item_id
left join {{ ref("water_limit") }} as third
    on
        saturated.item_id = third.item_id
        and third.class_no = 3
        and (third.body_kind = 'any' or saturated.body_kind = third.body_kind)
        and {{ in_force("third", "saturated.day") }}
left join {{ ref("groundwater_limit") }} as well
    on saturated.item_id = well.item_id and well.class_no = 3 and {{ in_force("well", "saturated.day") }}
left join {{ ref("drinking_limit") }} as drinking
    on saturated.item_id = drinking.item_id and {{ in_force("drinking", "saturated.day") }}
