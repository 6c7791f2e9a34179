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

-- HJ 663-2013 6.2: without an item, or with one above its limit, the multi-item evaluation of the day is "not compliant".
compared as (
    select
        city_values.*,
        pollutant.symbol,
        pollutant.sort_no,
        city_values.concentration > daily.limit_value as is_exceeded
    from city_values
    inner join {{ ref("pollutant") }} as pollutant on city_values.pollutant_id = pollutant.pollutant_id
    left join {{ ref("air_limit") }} as daily
        on
            city_values.pollutant_id = daily.pollutant_id
            and daily.averaging in ('24h', '8h')
            and {{ in_force("daily", "city_values.business_date") }}
),

wide as (
    select
        region_code,
        region_level,
        business_date,
        basis,
        max(stations_expected) as stations_expected,
        max(stations_required) as stations_required,
        {%- for pollutant in air_pollutants() %}
            max(concentration) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_{{ pollutant.unit }},
            max(valid_stations) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_valid_stations,
        {%- endfor %}
        bool_and(coalesce(not is_exceeded, false)) as is_compliant,
        string_agg(symbol, '、' order by sort_no) filter (where is_exceeded) as exceeding_items,
        count(concentration) > 0 as is_evaluated,
        bool_and(is_confirmed) as is_confirmed,
        {{ basis_of_group("data_basis") }} as data_basis
    from compared
    group by region_code, region_level, business_date, basis
)

select
    wide.region_code,
    wide.region_level,
    wide.business_date,
    wide.basis,
    wide.stations_expected,
    wide.stations_required,
    {%- for pollutant in air_pollutants() %}
        wide.{{ pollutant.id }}_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_valid_stations,
        judged.iaqi_{{ pollutant.id }},
    {%- endfor %}
    judged.aqi,
    judged.category_level,
    judged.category_zh,
    judged.category_en,
    judged.category_colour,
    judged.primary_pollutants,
    judged.is_judged,
    judged.is_good,
    judged.is_heavy,
    judged.missing_items,
    case when not judged.is_judged then '缺少有效项目：' || judged.missing_items || '，其余项目均未超标，不能判定' end as not_judged_reason_zh,
    case when not judged.is_judged then 'No valid value of ' || judged.missing_items || ' and no exceedance among the rest' end
        as not_judged_reason_en,
    case when wide.is_evaluated then wide.is_compliant end as is_compliant,
    wide.exceeding_items,
    judged.aqi_2026_basis,
    judged.category_level_2026_basis,
    judged.category_zh_2026_basis,
    judged.category_en_2026_basis,
    judged.category_colour_2026_basis,
    judged.is_good_2026_basis,
    judged.standard_code,
    wide.is_confirmed,
    wide.data_basis
from wide
inner join judged
    on
        wide.region_code = judged.region_code
        and wide.business_date = judged.business_date
        and wide.basis = judged.basis
