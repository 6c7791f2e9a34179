with county as (
    select
        growth.*,
        region.parent_code,
        region.name_zh,
        region.name_en
    from {{ ref('int_reduction__growth') }} as growth
    inner join {{ ref('region') }} as region on growth.county_code = region.region_code
)

select
    county_code as region_code,
    pollutant_id,
    year,
    new_growth_t,
    missing_zh,
    missing_en,
    data_basis
from county
union all
-- The city's growth is that of its counties, and not known if one of them is not. Nobody reports growth by zone.
select
    parent_code as region_code,
    pollutant_id,
    year,
    case when count(new_growth_t) = count(*) then sum(new_growth_t) end::decimal(18, 6) as new_growth_t,
    '新增量不明的县市区：' || string_agg(name_zh, '、' order by county_code) filter (where new_growth_t is null) as missing_zh,
    'counties whose growth is not known: ' || string_agg(name_en, ', ' order by county_code) filter (where new_growth_t is null) as missing_en,
    {{ basis_of_group('data_basis') }} as data_basis
from county
group by parent_code, pollutant_id, year
