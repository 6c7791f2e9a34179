-- Which county lies in which region: a county is itself, the city is its counties.
with region as (
    select * from {{ ref("region") }}
)

select
    region_code as county_code,
    region_code,
    'county' as region_level
from region
where level = 'county'
union all
select
    county.region_code as county_code,
    city.region_code,
    'city' as region_level
from region as county
inner join region as city on county.parent_code = city.region_code
where county.level = 'county' and city.level = 'city'
