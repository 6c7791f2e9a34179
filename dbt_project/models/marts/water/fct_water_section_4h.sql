{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key="business_date",
    on_schema_change="fail",
) }}

-- What the five items of an automatic station say by river and by lake limits, held beside the class it published.
with measured as (
    select * from {{ ref("int_water__automatic_class") }}
    where {{ in_changed_days("water_section_4h") }}
),

label as (
    select * from {{ ref("water_class_label") }}
),

reason as (
    select * from {{ ref("water_reason") }}
),

edition as (
    select * from {{ ref("standard_version") }}
    where domain = 'surface_water'
),

named as (
    select
        measured.*,
        river.water_class as river_class,
        lake.water_class as lake_class,
        case measured.body_kind when 'river' then river.water_class when 'lake' then lake.water_class end as evaluated_class,
        case
            when measured.missing_items is not null then 'inputs_missing'
            when measured.published_class is null then 'not_published'
            -- A river's phosphorus shown at a limit can have been above it: the lake limits then fit by chance.
            when measured.agreement = 'lake' and measured.is_river_class_before_rounding and measured.body_kind = 'river'
                then 'rounding_at_limit'
            when measured.agreement = 'lake' and measured.body_kind is null
                then if(measured.is_river_class_before_rounding, 'lake_or_rounding', 'lake_limits')
            when measured.agreement in ('river', 'lake') then if(measured.agreement <> measured.body_kind, 'own_limits', null)
            when measured.is_explained_by_rounding then 'rounding_at_limit'
            when measured.is_explained_by_saturation then 'do_saturation'
            when measured.is_class_of_earlier_reading then 'earlier_reading'
            when measured.published_class_no < measured.river_class_no then 'shown_better'
            else 'shown_worse'
        end as reason_id,
        case
            when measured.missing_items is not null then measured.missing_items
            when measured.is_explained_by_rounding then measured.borderline_items
            else measured.deciding_items
        end as named_items
    from measured
    left join label as river
        on measured.river_class_no = river.class_no and {{ in_force("river", "measured.business_date") }}
    left join label as lake
        on measured.lake_class_no = lake.class_no and {{ in_force("lake", "measured.business_date") }}
)

{% set parts = {
    "published": "named.published_class",
    "river": "named.river_class",
    "own": "named.evaluated_class",
    "items": "named.named_items",
    "state": "coalesce(named.station_status, '?')",
} %}
select
    named.province,
    named.section_name,
    named.measured_at,
    named.business_date,
    named.point_code,
    named.county_code,
    named.body_kind,
    named.water_temp_c,
    named.ph,
    named.do_mg_l,
    named.codmn_mg_l,
    named.nh3n_mg_l,
    named.tp_mg_l,
    named.tn_mg_l,
    named.chla_mg_l,
    named.value_form,
    named.station_status,
    named.data_status,
    named.river_class,
    named.lake_class,
    named.evaluated_class,
    named.deciding_items,
    named.missing_items,
    named.published_class,
    named.agreement,
    named.reason_id,
    {{ fill_sentence("reason.reason_zh", parts) }} as reason_zh,
    {{ fill_sentence("reason.reason_en", parts) }} as reason_en,
    edition.standard_code,
    named.data_basis
from named
left join reason on named.reason_id = reason.reason_id and {{ in_force("reason", "named.business_date") }}
left join edition on {{ in_force("edition", "named.business_date") }}
