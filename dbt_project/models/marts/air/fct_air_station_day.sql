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

-- A station's day is judged by its hours alone; the network's own 24-hour value serves the archive basis of the city.
rounded as (
    select
        station_values.station_code,
        station_values.business_date,
        station_values.pollutant_id,
        station_values.hour_max,
        {{ round_half_even("station_values.strict_value", "places.value") }} as concentration
    from station_values
    left join {{ ref("air_validity") }} as places
        on
            places.rule_id = 'decimals'
            and station_values.pollutant_id = places.pollutant_id
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
            max(strict_value) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_{{ pollutant.unit }},
            max(archive_value) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_archive_{{ pollutant.unit }},
            max(value_source) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_source,
            max(valid_hours) filter (where pollutant_id = '{{ pollutant.id }}') as {{ pollutant.id }}_valid_hours,
        {%- endfor %}
        max(valid_windows) as o3_valid_windows,
        max(hour_max) as o3_1h_max_ug_m3,
        max(received_hours) as received_hours,
        bool_and(is_final) as is_confirmed,
        {{ basis_of_group("data_basis") }} as data_basis
    from station_values
    group by station_code, business_date
)

select
    wide.station_code,
    wide.business_date,
    coalesce(station.is_control_point, false) as is_control_point,
    coalesce(station.is_evaluation, false) as is_evaluation,
    {%- for pollutant in air_pollutants() %}
        wide.{{ pollutant.id }}_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_archive_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_source,
        wide.{{ pollutant.id }}_valid_hours,
        judged.iaqi_{{ pollutant.id }},
    {%- endfor %}
    wide.o3_valid_windows,
    wide.o3_1h_max_ug_m3,
    wide.received_hours,
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
inner join judged on wide.station_code = judged.station_code and wide.business_date = judged.business_date
left join {{ ref("station") }} as station
    on wide.station_code = station.station_code and {{ in_force("station", "wide.business_date") }}
