-- Registered sections by month. A section and month of the platform without values stays, with the reason: it leaves the
-- denominators, it is no good and no bad section.
with register as (
    select * from {{ ref("dim_section") }}
    where sample_kind = 'section'
),

period as (
    select * from {{ ref("int_water__section_period") }}
    where period_kind = 'month'
),

kept as (
    select unnest(generate_series(min(period_start_date), max(period_start_date), interval 1 month))::date as month_start_date
    from period
),

dry as (
    select
        point_code,
        month_start_date,
        string_agg(distinct remark, '；' order by remark) as remark
    from {{ ref("int_water__sample_item") }}
    where sample_kind = 'section' and is_dry
    group by point_code, month_start_date
),

due as (
    select
        register.*,
        kept.month_start_date
    from register
    inner join kept
        on
            register.valid_from_date < kept.month_start_date + interval 1 month
            and coalesce(register.valid_to_date, '9999-12-31') >= kept.month_start_date
    qualify row_number() over (partition by register.point_code, kept.month_start_date order by register.valid_from_date desc) = 1
),

label as (
    select * from {{ ref("water_class_label") }}
),

edition as (
    select * from {{ ref("standard_version") }}
    where domain = 'surface_water_evaluation'
)

select
    due.point_code,
    due.point_name,
    due.county_code,
    due.water_body,
    due.body_kind,
    due.control_level,
    due.is_assessed,
    due.month_start_date,
    coalesce(period.method, 'none') as method,
    period.sample_count,
    {%- for name in water_columns().values() %}
        period.{{ name }}::decimal(24, 10) as {{ name }},
    {%- endfor %}
    period.items_json::varchar as items_json,
    period.item_count,
    period.missing_items,
    label.water_class,
    period.class_no,
    label.label_zh,
    label.label_en,
    label.colour_hex,
    period.deciding_items,
    period.main_pollutants,
    due.target_class,
    case when due.target_class_no is not null then period.class_no <= due.target_class_no end as meets_target,
    nitrogen.water_class as tn_class,
    coliform.water_class as coliform_class,
    period.tli,
    period.trophic_state_zh,
    period.trophic_state_en,
    case
        when period.class_no is not null then null
        when dry.remark is not null then 'dry'
        else 'no_sample'
    end as not_sampled,
    case when period.class_no is null then coalesce(dry.remark, '该月没有手工样品，也没有自动站有效数据') end as not_sampled_reason_zh,
    case
        when period.class_no is not null then null
        when dry.remark is not null then 'could not be sampled (dry, frozen or without access)'
        else 'neither a manual sample nor a valid value of the automatic station in the month'
    end as not_sampled_reason_en,
    edition.standard_code,
    {{ basis_of_row(["coalesce(period.data_basis, due.data_basis)"]) }} as data_basis
from due
left join period on due.point_code = period.point_code and due.month_start_date = period.period_start_date
left join dry on due.point_code = dry.point_code and due.month_start_date = dry.month_start_date
left join label on period.class_no = label.class_no and {{ in_force("label", "due.month_start_date") }}
left join label as nitrogen on period.tn_class_no = nitrogen.class_no and {{ in_force("nitrogen", "due.month_start_date") }}
left join label as coliform on period.coliform_class_no = coliform.class_no and {{ in_force("coliform", "due.month_start_date") }}
left join edition on {{ in_force("edition", "due.month_start_date") }}
