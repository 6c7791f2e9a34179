with rules as (
    {{ air_rules(["day_min_hours", "mda8_first_label", "mda8_min_hours", "mda8_min_windows"]) }}
),

places as (
    select *
    from {{ ref("air_validity") }}
    where rule_id = 'decimals'
),

hours as (
    select
        station_code,
        business_date,
        label_hour,
        data_basis,
        data_status,
        {{ unpivot_air_items({"hour_value": "<id>_<unit>", "network_value": "<id>_24h_<unit>"})
            | replace("o3_24h_ug_m3", "o3_8h_24h_ug_m3") }} as item
    from {{ ref("stg_monitoring__air_hour") }}
    -- The national archive brings every station of the country.
    where station_code in (select station_code from {{ ref("station") }})
),

-- HJ 663-2013 6.3: hourly values are the base unit and are rounded before use.
items as (
    select
        hours.station_code,
        hours.business_date,
        hours.label_hour,
        hours.data_basis,
        hours.data_status,
        hours.item.pollutant_id as pollutant_id,
        hours.item.network_value as network_value,
        {{ round_half_even("hours.item.hour_value", "places.value") }} as hour_value
    from hours
    left join places
        on hours.item.pollutant_id = places.pollutant_id and {{ in_force("places", "hours.business_date") }}
),

summed as (
    select
        station_code,
        business_date,
        pollutant_id,
        {{ basis_of_group("data_basis") }} as data_basis,
        bool_and(data_status = 'final') as is_final,
        count(*) as received_hours,
        max(network_value) filter (where label_hour = 24) as network_value,
        count(hour_value) as valid_hours,
        max(hour_value) as hour_max,
        {{ exact_mean("hour_value") }} as hourly_mean
    from items
    group by station_code, business_date, pollutant_id
),

-- HJ 663-2013 A.1: the 8-hour mean at X is that of the hours X-7 to X; an hour that never came is a gap in it like an empty one.
windows as (
    select
        ends.station_code,
        ends.business_date,
        ends.label,
        any_value(rules.mda8_min_hours) as min_hours,
        count(items.hour_value) as window_hours,
        {{ exact_mean("items.hour_value") }} as window_mean
    from (
        select
            station_code,
            business_date,
            unnest(range(1, 25)) as label
        from summed
        where pollutant_id = 'o3'
    ) as ends
    inner join rules on {{ in_force("rules", "ends.business_date") }} and ends.label >= rules.mda8_first_label
    inner join items
        on
            ends.station_code = items.station_code
            and ends.business_date = items.business_date
            and items.pollutant_id = 'o3'
            and items.label_hour between ends.label - 7 and ends.label
    group by ends.station_code, ends.business_date, ends.label
),

mda8 as (
    select
        station_code,
        business_date,
        count(*) as valid_windows,
        max(window_mean) as mda8
    from windows
    where window_hours >= min_hours
    group by station_code, business_date
),

-- HJ 663-2013 6.1.2: with fewer windows a maximum above the limit still counts; 6.3: it is rounded before it is held against it.
measured as (
    select
        summed.*,
        case when summed.pollutant_id = 'o3' then coalesce(mda8.valid_windows, 0) end as valid_windows,
        case
            when summed.pollutant_id != 'o3' and summed.valid_hours >= rules.day_min_hours then summed.hourly_mean
            when
                summed.pollutant_id = 'o3'
                and (mda8.valid_windows >= rules.mda8_min_windows or {{ round_half_even("mda8.mda8", "places.value") }} > ozone.limit_value)
                then mda8.mda8
        end as strict_value
    from summed
    left join rules on {{ in_force("rules", "summed.business_date") }}
    left join mda8
        on summed.station_code = mda8.station_code and summed.business_date = mda8.business_date and summed.pollutant_id = 'o3'
    left join places on summed.pollutant_id = places.pollutant_id and {{ in_force("places", "summed.business_date") }}
    left join {{ ref("air_limit") }} as ozone
        on
            summed.pollutant_id = ozone.pollutant_id
            and ozone.averaging = '8h'
            and {{ in_force("ozone", "summed.business_date") }}
)

select
    station_code,
    business_date,
    pollutant_id,
    cast(strict_value as decimal(14, 6)) as strict_value,
    cast(coalesce(network_value, strict_value) as decimal(14, 6)) as archive_value,
    case when network_value is not null then 'network_24h' when strict_value is not null then 'hourly_mean' end as value_source,
    valid_hours,
    valid_windows,
    case when pollutant_id = 'o3' then hour_max end as hour_max,
    received_hours,
    is_final,
    data_basis
from measured
