-- Every day of the years with data that an item, or the day as a whole, is not valid, and what it lacks. A day that is not
-- in the daily table never came.
with years as (
    select distinct year(business_date) as year
    from {{ ref("fct_air_city_day") }}
),

calendar as (
    select
        unnest(generate_series(make_date(years.year, 1, 1), least(make_date(years.year, 12, 31), night.as_of), interval 1 day))::date
            as business_date
    from years
    cross join {{ source("raw", "night") }} as night
),

expected as (
    select
        calendar.business_date,
        member.region_code,
        member.region_level,
        count(*) as stations_expected
    from calendar
    inner join {{ ref("int_air__region_station") }} as member on {{ in_force("member", "calendar.business_date") }}
    group by calendar.business_date, member.region_code, member.region_level
),

city_day as (
    select
        *,
        {{ unpivot_air_items({"concentration": "<id>_<unit>", "valid_stations": "<id>_valid_stations"}) }} as item
    from {{ ref("fct_air_city_day") }}
),

item_cell as (
    select
        expected.*,
        basis.basis,
        pollutant.pollutant_id as item_id,
        city_day.stations_required,
        city_day.business_date is null as is_missing,
        city_day.item.valid_stations as valid_stations
    from expected
    cross join (values ('strict'), ('archive')) as basis (basis)
    cross join {{ ref("pollutant") }} as pollutant
    left join city_day
        on
            expected.region_code = city_day.region_code
            and expected.business_date = city_day.business_date
            and basis.basis = city_day.basis
            and pollutant.pollutant_id = city_day.item.pollutant_id
    where
        pollutant.pollutant_id in (
            {%- for pollutant in air_pollutants() %}'{{ pollutant.id }}'{{ ", " if not loop.last }}{% endfor -%}
        )
        and city_day.item.concentration is null
),

station_day as (
    select
        station_code,
        business_date,
        o3_valid_windows,
        {{ unpivot_air_items({"strict": "<id>_<unit>", "archive": "<id>_archive_<unit>", "hours": "<id>_valid_hours"}) }} as item
    from {{ ref("fct_air_station_day") }}
    where is_evaluation
),

rules as (
    {{ air_rules(["day_min_hours", "mda8_min_windows"]) }}
),

-- Each station that has no value, with its hours; ozone needs 8-hour means and tells these.
lacking as (
    select
        cell.region_code,
        cell.business_date,
        cell.basis,
        cell.item_id,
        string_agg(
            member.station_code || case
                when station_day.station_code is null then ' 无数据'
                when cell.item_id = 'o3' then ' ' || station_day.o3_valid_windows || ' 个8小时均值（需 ' || rules.mda8_min_windows::integer || '）'
                else ' ' || station_day.item.hours || ' h（需 ' || rules.day_min_hours::integer || '）'
            end, '、' order by member.station_code
        ) as stations_zh,
        string_agg(
            member.station_code || case
                when station_day.station_code is null then ' no data'
                when cell.item_id = 'o3'
                    then ' ' || station_day.o3_valid_windows || ' 8-hour means (' || rules.mda8_min_windows::integer || ' due)'
                else ' ' || station_day.item.hours || ' h (' || rules.day_min_hours::integer || ' due)'
            end, ', ' order by member.station_code
        ) as stations_en
    from item_cell as cell
    inner join {{ ref("int_air__region_station") }} as member
        on cell.region_code = member.region_code and {{ in_force("member", "cell.business_date") }}
    inner join rules on {{ in_force("rules", "cell.business_date") }}
    left join station_day
        on
            member.station_code = station_day.station_code
            and cell.business_date = station_day.business_date
            and cell.item_id = station_day.item.pollutant_id
    where
        not cell.is_missing
        and case when cell.basis = 'archive' then station_day.item.archive else station_day.item.strict end is null
    group by cell.region_code, cell.business_date, cell.basis, cell.item_id
),

whole_cell as (
    select
        expected.*,
        basis.basis,
        city_day.business_date is null as is_missing,
        city_day.missing_items
    from expected
    cross join (values ('strict'), ('archive')) as basis (basis)
    left join {{ ref("fct_air_city_day") }} as city_day
        on
            expected.region_code = city_day.region_code
            and expected.business_date = city_day.business_date
            and basis.basis = city_day.basis
    where not coalesce(city_day.is_judged, false)
),

found as (
    select
        cell.region_code,
        cell.region_level,
        cell.business_date,
        cell.basis,
        cell.item_id,
        case when cell.is_missing then 'never_came' else 'stations_short' end as reason_id,
        cell.stations_expected,
        cell.stations_required,
        coalesce(cell.valid_stations, 0) as valid_stations,
        null as missing_items,
        lacking.stations_zh,
        lacking.stations_en
    from item_cell as cell
    left join lacking
        on
            cell.region_code = lacking.region_code
            and cell.business_date = lacking.business_date
            and cell.basis = lacking.basis
            and cell.item_id = lacking.item_id
    union all
    select
        region_code,
        region_level,
        business_date,
        basis,
        'judged' as item_id,
        case when is_missing then 'never_came' else 'item_missing' end as reason_id,
        stations_expected,
        null as stations_required,
        null as valid_stations,
        missing_items,
        null as stations_zh,
        null as stations_en
    from whole_cell
)

select
    found.region_code,
    found.region_level,
    found.business_date,
    found.basis,
    found.item_id,
    found.reason_id,
    found.stations_expected,
    found.stations_required,
    found.valid_stations,
    found.missing_items,
    {{ fill_sentence("reason.sentence_zh", {
        "valid": "found.valid_stations::varchar", "expected": "found.stations_expected::varchar",
        "required": "found.stations_required::varchar", "stations": "found.stations_zh", "items": "found.missing_items"
    }) }} as reason_zh,
    {{ fill_sentence("reason.sentence_en", {
        "valid": "found.valid_stations::varchar", "expected": "found.stations_expected::varchar",
        "required": "found.stations_required::varchar", "stations": "found.stations_en",
        "items": "replace(found.missing_items, '、', ', ')"
    }) }} as reason_en,
    validity.standard_code
from found
inner join {{ ref("air_invalid_reason") }} as reason
    on found.reason_id = reason.reason_id and {{ in_force("reason", "found.business_date") }}
left join {{ ref("standard_version") }} as validity
    on validity.domain = 'air_evaluation' and {{ in_force("validity", "found.business_date") }}
order by found.region_code, found.business_date, found.basis, found.item_id
