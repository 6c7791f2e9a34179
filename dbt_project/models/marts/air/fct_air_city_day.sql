{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key="business_date",
    on_schema_change="fail",
) }}

with city_values as (
    select *
    from {{ ref("int_air__city_value") }}
    where {{ in_changed_days("air_hour") }}
),

judged as (
    {{ judge_air_day("city_values", ["region_code", "basis"]) }}
),

wide as (
    select
        region_code,
        business_date,
        basis,
        max(stations_expected) as stations_expected,
        {%- for pollutant in air_pollutants() %}
            max(concentration) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_{{ pollutant.unit }},
            max(valid_stations) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_valid_stations,
        {%- endfor %}
        {{ basis_of_group("data_basis") }} as data_basis
    from city_values
    group by region_code, business_date, basis
)

select
    wide.region_code,
    wide.business_date,
    wide.basis,
    wide.stations_expected,
    {%- for pollutant in air_pollutants() %}
        wide.{{ pollutant.id }}_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_valid_stations,
        judged.iaqi_{{ pollutant.id }},
    {%- endfor %}
    judged.aqi,
    category.level as category_level,
    category.category_zh,
    category.category_en,
    judged.primary_pollutants,
    judged.is_judged,
    judged.is_good,
    judged.missing_items,
    case when not judged.is_judged then '缺少有效项目：' || judged.missing_items || '，其余项目均未超标，不能判定' end as not_judged_reason_zh,
    case when not judged.is_judged then 'No valid value of ' || judged.missing_items || ' and no exceedance among the rest' end
        as not_judged_reason_en,
    judged.standard_code,
    judged.aqi_2026_basis,
    wide.data_basis
from wide
inner join judged
    on
        wide.region_code = judged.region_code
        and wide.business_date = judged.business_date
        and wide.basis = judged.basis
left join {{ ref("aqi_category") }} as category
    on judged.standard_code = category.standard_code and judged.aqi between category.aqi_lo and category.aqi_hi
