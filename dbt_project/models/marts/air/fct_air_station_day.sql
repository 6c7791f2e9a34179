{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key="business_date",
    on_schema_change="fail",
) }}

with station_values as (
    select *
    from {{ ref("int_air__station_value") }}
    where {{ in_changed_days("air_hour") }}
),

places as (
    select *
    from {{ ref("air_validity") }}
    where rule_id = 'decimals'
),

rounded as (
    select
        station_values.station_code,
        station_values.business_date,
        station_values.pollutant_id,
        {{ round_half_even("station_values.concentration", "places.value") }} as concentration
    from station_values
    left join places
        on
            station_values.pollutant_id = places.pollutant_id
            and {{ in_force("places", "station_values.business_date") }}
),

judged as (
    {{ judge_air_day("rounded", ["station_code"]) }}
),

wide as (
    select
        station_code,
        business_date,
        {%- for pollutant in air_pollutants() %}
            max(concentration) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_{{ pollutant.unit }},
            max(value_source) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_source,
            max(valid_hours) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_valid_hours,
        {%- endfor %}
        {{ basis_of_group("data_basis") }} as data_basis
    from station_values
    group by station_code, business_date
)

select
    wide.station_code,
    wide.business_date,
    {%- for pollutant in air_pollutants() %}
        wide.{{ pollutant.id }}_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_source,
        wide.{{ pollutant.id }}_valid_hours,
        judged.iaqi_{{ pollutant.id }},
    {%- endfor %}
    judged.aqi,
    judged.primary_pollutants,
    judged.missing_items,
    judged.aqi_2026_basis,
    judged.standard_code,
    wide.data_basis
from wide
inner join judged on wide.station_code = judged.station_code and wide.business_date = judged.business_date
