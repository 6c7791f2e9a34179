with rules as (
    {{ air_rules(["strict_station_share", "strict_station_share_few", "few_stations_below", "archive_station_share"]) }}
),

expected as (
    select
        days.business_date,
        station.city_code as region_code,
        count(*) as stations_expected
    from (select distinct business_date from {{ ref("fct_air_station_day") }}) as days
    inner join {{ ref("station") }} as station
        on station.is_evaluation and {{ in_force("station", "days.business_date") }}
    group by days.business_date, station.city_code
),

-- HJ 663-2013 6.1.4 asks for 75 % of the stations; the archive basis is ours, for archives with gaps.
bases as (
    select
        expected.*,
        basis.basis,
        expected.stations_expected * case
            when basis.basis = 'archive' then rules.archive_station_share
            when expected.stations_expected < rules.few_stations_below then rules.strict_station_share_few
            else rules.strict_station_share
        end as stations_required
    from expected
    inner join rules on {{ in_force("rules", "expected.business_date") }}
    cross join (values ('strict'), ('archive')) as basis (basis)
),

station_days as (
    select
        days.business_date,
        station.city_code as region_code,
        days.data_basis,
        {{ unpivot_air_items({"concentration": "days.<id>_<unit>"}) }} as item
    from {{ ref("fct_air_station_day") }} as days
    inner join {{ ref("station") }} as station
        on
            days.station_code = station.station_code
            and station.is_evaluation
            and {{ in_force("station", "days.business_date") }}
),

summed as (
    select
        business_date,
        region_code,
        item.pollutant_id as pollutant_id,
        count(item.concentration) as valid_stations,
        {{ exact_mean("item.concentration") }} as station_mean,
        {{ basis_of_group("data_basis") }} as data_basis
    from station_days
    group by business_date, region_code, item.pollutant_id
)

select
    bases.region_code,
    bases.business_date,
    bases.basis,
    summed.pollutant_id,
    bases.stations_expected,
    summed.valid_stations,
    summed.data_basis,
    case
        when summed.valid_stations >= bases.stations_required
            then {{ round_half_even("summed.station_mean", "places.value") }}
    end as concentration
from bases
inner join summed on bases.business_date = summed.business_date and bases.region_code = summed.region_code
left join {{ ref("air_validity") }} as places
    on
        places.rule_id = 'decimals'
        and summed.pollutant_id = places.pollutant_id
        and {{ in_force("places", "bases.business_date") }}
