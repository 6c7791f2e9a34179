-- What the floors of qualitative indicators are held against, one row per quantity and year.
with value as (
    select *
    from {{ ref("int_plan__indicator_value") }}
    where metric = 'any'
),

wide as (
    select
        value.plan_id,
        value.indicator_no,
        value.region_code,
        value.year,
        unnest([
            struct_pack(quantity := 'value', amount := value.value),
            struct_pack(quantity := 'numerator', amount := value.numerator),
            struct_pack(quantity := 'stock_growth_t', amount := value.stock_growth_t)
        ]) as held
    from value
),

-- Bodies that were cleared and are black and odorous again in some half of the year: the plan asks that they stay clear.
relapse as (
    select
        region.region_code,
        year(body.half_start_date) as year,
        body.built_up_kind,
        count(distinct body.body_code) filter (where body.is_relapsed) as relapse_count
    from {{ ref("mart_water_body_status") }} as body
    inner join {{ ref("region") }} as county on body.county_code = county.region_code
    inner join {{ ref("region") }} as region on region.region_code in (county.region_code, county.parent_code)
    group by region.region_code, year(body.half_start_date), body.built_up_kind
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    held.quantity,
    held.amount
from wide
where held.amount is not null
union all
select
    value.plan_id,
    value.indicator_no,
    value.region_code,
    value.year,
    'class_rank' as quantity,
    cast(max(class.class_rank) as decimal(18, 4)) as amount
from value
inner join {{ ref("plan_class") }} as class
    on
        value.plan_id = class.plan_id
        and value.indicator_no = class.indicator_no
        and value.value >= class.lower
        and {{ in_force("class", "make_date(value.year, 12, 31)") }}
group by value.plan_id, value.indicator_no, value.region_code, value.year
union all
select
    value.plan_id,
    value.indicator_no,
    value.region_code,
    value.year,
    'relapse_count' as quantity,
    cast(relapse.relapse_count as decimal(18, 4)) as amount
from value
inner join {{ ref("plan_indicator") }} as indicator
    on value.plan_id = indicator.plan_id and value.indicator_no = indicator.indicator_no and indicator.value_source = 'water'
inner join relapse
    on
        value.region_code = relapse.region_code
        and value.year = relapse.year
        and indicator.value_key = case relapse.built_up_kind
            when 'prefecture_city' then 'city_black_body_eliminated'
            when 'county_city' then 'county_black_body_eliminated'
        end
