-- Water by county and city, month, quarter and year: always with n. A ratio without a denominator is empty.
with counted as (
    select * from {{ ref("int_water__region_count") }}
),

region as (
    select distinct
        region_code,
        region_level
    from {{ ref("int_water__region") }}
),

label as (
    select * from {{ ref("int_water__region_label") }}
),

wide as (
    select
        region_code,
        period_kind,
        period_start_date,
        {%- for measure, name in water_measures().items() %}
            max(numerator) filter (where measure = '{{ measure }}') as {{ name }}_n,
            max(denominator) filter (where measure = '{{ measure }}') as {{ name }}_of_n,
        {%- endfor %}
        {{ basis_of_group("data_basis") }} as data_basis
    from counted
    group by region_code, period_kind, period_start_date
),

edition as (
    select * from {{ ref("standard_version") }}
    where domain = 'surface_water_evaluation'
)

select
    wide.region_code,
    region.region_level,
    wide.period_kind,
    wide.period_start_date,
    year(wide.period_start_date)::integer as year,
    wide.section_good_of_n::integer as section_n,
    wide.section_good_n::integer as section_good_n,
    {{ percent_of("wide.section_good_n", "wide.section_good_of_n") }} as section_good_ratio_pct,
    wide.section_worse_v_n::integer as section_worse_v_n,
    {{ percent_of("wide.section_worse_v_n", "wide.section_worse_v_of_n") }} as section_worse_v_ratio_pct,
    wide.section_target_of_n::integer as section_with_target_n,
    wide.section_target_n::integer as section_target_n,
    {{ percent_of("wide.section_target_n", "wide.section_target_of_n") }} as section_target_ratio_pct,
    river.section_count as river_section_n,
    river.method as river_method,
    river.label_zh as river_label_zh,
    river.label_en as river_label_en,
    lake.section_count as lake_section_n,
    lake.label_zh as lake_label_zh,
    lake.label_en as lake_label_en,
    {%- for level in ["city", "county"] %}
        wide.{{ level }}_source_of_n::integer as {{ level }}_source_month_n,
        wide.{{ level }}_source_n::integer as {{ level }}_source_compliant_n,
        {{ percent_of("wide." ~ level ~ "_source_n", "wide." ~ level ~ "_source_of_n") }} as {{ level }}_source_ratio_pct,
        wide.{{ level }}_volume_of_n as {{ level }}_intake_10k_m3,
        wide.{{ level }}_volume_n as {{ level }}_compliant_intake_10k_m3,
        {{ percent_of("wide." ~ level ~ "_volume_n", "wide." ~ level ~ "_volume_of_n") }} as {{ level }}_volume_ratio_pct,
    {%- endfor %}
    wide.county_source_year_of_n::integer as county_source_n,
    wide.county_source_year_n::integer as county_source_good_n,
    {{ percent_of("wide.county_source_year_n", "wide.county_source_year_of_n") }} as county_source_good_ratio_pct,
    wide.groundwater_v_of_n::integer as groundwater_n,
    wide.groundwater_v_n::integer as groundwater_v_n,
    {{ percent_of("wide.groundwater_v_n", "wide.groundwater_v_of_n") }} as groundwater_v_ratio_pct,
    {%- for level in ["city", "county"] %}
        wide.{{ level }}_black_of_n::integer as {{ level }}_black_body_n,
        wide.{{ level }}_black_n::integer as {{ level }}_black_body_eliminated_n,
        {{ percent_of("wide." ~ level ~ "_black_n", "wide." ~ level ~ "_black_of_n") }} as {{ level }}_black_body_ratio_pct,
    {%- endfor %}
    edition.standard_code,
    wide.data_basis
from wide
inner join region on wide.region_code = region.region_code
left join label as river
    on
        wide.region_code = river.region_code
        and wide.period_kind = river.period_kind
        and wide.period_start_date = river.period_start_date
        and river.body_kind = 'river'
left join label as lake
    on
        wide.region_code = lake.region_code
        and wide.period_kind = lake.period_kind
        and wide.period_start_date = lake.period_start_date
        and lake.body_kind = 'lake'
left join edition on {{ in_force("edition", "wide.period_start_date") }}
