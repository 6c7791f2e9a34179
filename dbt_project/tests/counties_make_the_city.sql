-- Whatever is summed over counties is the city, for every pollutant and year; zones are in no sum, and no project falls
-- between the counties.
with city as (
    select * from {{ ref('int_reduction__region_year') }}
    where region_level = 'city'
),

county as (
    select
        pollutant_id,
        year,
        sum(base_t) as base_t,
        sum(planned_t) as planned_t,
        sum(claimed_t) as claimed_t,
        sum(verified_t) as verified_t,
        sum(by_engineering_t + by_structure_t + by_management_t) as by_kind_t,
        sum(source_count) as source_count,
        sum(project_count) as project_count
    from {{ ref('int_reduction__region_year') }}
    where region_level = 'county'
    group by pollutant_id, year
),

project as (
    select
        pollutant_id,
        year,
        sum(verified_t) as verified_t
    from {{ ref('int_reduction__project_year') }}
    group by pollutant_id, year
)

select
    city.pollutant_id,
    city.year,
    city.verified_t as city_verified_t,
    county.verified_t as counties_verified_t,
    project.verified_t as projects_verified_t
from city
inner join county on city.pollutant_id = county.pollutant_id and city.year = county.year
left join project on city.pollutant_id = project.pollutant_id and city.year = project.year
where
    city.base_t is distinct from county.base_t
    or city.planned_t is distinct from county.planned_t
    or city.claimed_t is distinct from county.claimed_t
    or city.verified_t is distinct from county.verified_t
    or city.verified_t is distinct from county.by_kind_t
    or city.source_count is distinct from county.source_count
    or city.project_count is distinct from county.project_count
    or city.verified_t <> coalesce(project.verified_t, 0)
    or city.verified_t > city.base_t
