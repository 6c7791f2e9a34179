-- HJ 663-2013 3.3: the city by its national stations; a part of it by the same method. A control point belongs to neither.
select
    city_code as region_code,
    'city' as region_level,
    station_code,
    valid_from,
    valid_to
from {{ ref("station") }}
where is_evaluation
union all
select
    county_code as region_code,
    'county' as region_level,
    station_code,
    valid_from,
    valid_to
from {{ ref("station") }}
where is_evaluation
