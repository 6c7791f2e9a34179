-- Assessed sections by period and region (a county, and the city as its counties), with the class of the period.
with period as (
    select * from {{ ref("int_water__section_period") }}
),

register as (
    select * from {{ ref("dim_section") }}
    where sample_kind = 'section' and is_assessed
),

region as (
    select * from {{ ref("int_water__region") }}
),

known as (
    select
        period.*,
        register.county_code,
        register.target_class_no
    from period
    inner join register
        on
            period.point_code = register.point_code
            and period.day >= register.valid_from_date
            and coalesce(register.valid_to_date, '9999-12-31') >= period.period_start_date
    qualify
        row_number() over (
            partition by period.point_code, period.period_kind, period.period_start_date order by register.valid_from_date desc
        ) = 1
)

select
    region.region_code,
    region.region_level,
    known.period_kind,
    known.period_start_date,
    known.day,
    known.point_code,
    coalesce(known.body_kind, 'river') as body_kind,
    known.class_no,
    known.class_no <= {{ water_rule("good_up_to_class", "known.day") }} as is_good,
    known.class_no >= {{ water_rule("worse_class", "known.day") }} as is_worse,
    known.class_no <= known.target_class_no as meets_target,
    known.data_basis
from known
inner join region on known.county_code = region.county_code
where known.class_no is not null
