{{ config(materialized="table") }}

-- Means of a month by item: of its manual samples, or for a registered section without any of its automatic station.
with sample as (
    select * from {{ ref("int_water__sample_item") }}
    where item_id is not null and value is not null and not is_dry
),

manual as (
    select
        sample_kind,
        point_code,
        month_start_date,
        item_id,
        'manual' as method,
        {{ exact_mean("value", "decimal(24, 10)") }} as value,
        count(distinct sampled_date)::integer as sample_count,
        count(*) filter (where is_below_detection)::integer as below_detection_count,
        {{ basis_of_group("data_basis") }} as data_basis
    from sample
    group by sample_kind, point_code, month_start_date, item_id
),

registered as (
    select * from {{ ref("dim_section") }}
    where sample_kind = 'section' and section_name is not null
),

automatic as (
    select
        'section' as sample_kind,
        registered.point_code,
        date_trunc('month', section.business_date)::date as month_start_date,
        section.measured_at,
        section.data_basis,
        unnest([
            { 'item_id': 'water_temp', 'value': section.water_temp_c::decimal(24, 10) },
            { 'item_id': 'ph', 'value': section.ph::decimal(24, 10) },
            { 'item_id': 'do', 'value': section.do_mg_l::decimal(24, 10) },
            { 'item_id': 'codmn', 'value': section.codmn_mg_l::decimal(24, 10) },
            { 'item_id': 'nh3n', 'value': section.nh3n_mg_l::decimal(24, 10) },
            { 'item_id': 'tp', 'value': section.tp_mg_l::decimal(24, 10) },
            { 'item_id': 'tn', 'value': section.tn_mg_l::decimal(24, 10) },
            {
                'item_id': 'chla',
                'value': (section.chla_mg_l * {{ water_rule("chla_ug_per_mg", "section.business_date") }})::decimal(24, 10)
            }
        ], recursive := true)
    from {{ ref("fct_water_section_4h") }} as section
    inner join registered
        on
            section.province = registered.province
            and section.section_name = registered.section_name
            and section.business_date between registered.valid_from_date and coalesce(registered.valid_to_date, '9999-12-31')
    -- A station under maintenance or standing still goes on showing old values.
    where regexp_matches(coalesce(section.station_status, ''), {{ water_rule("automatic_states", "section.business_date", "text") }})
),

automatic_month as (
    select
        sample_kind,
        point_code,
        month_start_date,
        item_id,
        'automatic' as method,
        {{ exact_mean("value", "decimal(24, 10)") }} as value,
        count(distinct measured_at)::integer as sample_count,
        0 as below_detection_count,
        {{ basis_of_group("data_basis") }} as data_basis
    from automatic
    where value is not null
    group by sample_kind, point_code, month_start_date, item_id
)

select * from manual
union all by name
select automatic_month.*
from automatic_month
anti join manual as sampled
    on
        automatic_month.sample_kind = sampled.sample_kind
        and automatic_month.point_code = sampled.point_code
        and automatic_month.month_start_date = sampled.month_start_date
