with rules as (
    {{ air_rules([
        "strict_station_share", "strict_station_share_few", "few_stations_below", "archive_station_share", "round_station_day"
    ]) }}
),

places as (
    select *
    from {{ ref("air_validity") }}
    where rule_id = 'decimals'
),

expected as (
    select
        days.business_date,
        member.region_code,
        member.region_level,
        count(*) as stations_expected
    from (select distinct business_date from {{ ref("fct_air_station_day") }}) as days
    inner join {{ ref("int_air__region_station") }} as member on {{ in_force("member", "days.business_date") }}
    group by days.business_date, member.region_code, member.region_level
),

-- HJ 663-2013 6.1.4 asks for 75 % of the stations (half of fewer than four); the archive basis is ours, for archives with gaps.
bases as (
    select
        expected.*,
        basis.basis,
        rules.round_station_day,
        cast(ceil(expected.stations_expected * case
            when basis.basis = 'archive' then rules.archive_station_share
            when expected.stations_expected < rules.few_stations_below then rules.strict_station_share_few
            else rules.strict_station_share
        end) as integer) as stations_required
    from expected
    inner join rules on {{ in_force("rules", "expected.business_date") }}
    cross join (values ('strict'), ('archive')) as basis (basis)
),

station_days as (
    select
        station_code,
        business_date,
        data_basis,
        is_confirmed,
        o3_1h_max_ug_m3,
        {{ unpivot_air_items({"strict": "<id>_<unit>", "archive": "<id>_archive_<unit>"}) }} as item
    from {{ ref("fct_air_station_day") }}
    where is_evaluation
),

-- The station's day is rounded before the mean only if the rule says so (decision 0008).
valued as (
    select
        bases.*,
        station_days.item.pollutant_id as pollutant_id,
        station_days.data_basis,
        station_days.is_confirmed,
        case when station_days.item.pollutant_id = 'o3' then station_days.o3_1h_max_ug_m3 end as hour_max,
        case when bases.basis = 'archive' then station_days.item.archive else station_days.item.strict end as station_value
    from bases
    inner join {{ ref("int_air__region_station") }} as member
        on bases.region_code = member.region_code and {{ in_force("member", "bases.business_date") }}
    inner join station_days on bases.business_date = station_days.business_date and member.station_code = station_days.station_code
),

summed as (
    select
        valued.region_code,
        valued.region_level,
        valued.business_date,
        valued.basis,
        valued.pollutant_id,
        any_value(valued.stations_expected) as stations_expected,
        any_value(valued.stations_required) as stations_required,
        any_value(places.value) as decimals,
        count(valued.station_value) as valid_stations,
        {{ exact_mean("valued.hour_max") }} as hour_max,
        -- Station days carry six places: five show a half again that sixths and twenty-fourths have blurred.
        cast({{ exact_mean("case when valued.round_station_day = 1 then " ~ round_half_even("valued.station_value", "places.value")
            ~ " else valued.station_value end") }} as decimal(18, 5)) as station_mean,
        bool_and(valued.is_confirmed) as is_confirmed,
        {{ basis_of_group("valued.data_basis") }} as data_basis
    from valued
    left join places on valued.pollutant_id = places.pollutant_id and {{ in_force("places", "valued.business_date") }}
    group by valued.region_code, valued.region_level, valued.business_date, valued.basis, valued.pollutant_id
)

select
    region_code,
    region_level,
    business_date,
    basis,
    pollutant_id,
    stations_expected,
    stations_required,
    valid_stations,
    is_confirmed,
    data_basis,
    {{ round_half_even("hour_max", "decimals") }} as hour_max,
    case when valid_stations >= stations_required then {{ round_half_even("station_mean", "decimals") }} end as concentration
from summed
