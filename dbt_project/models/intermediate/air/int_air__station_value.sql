with rules as (
    {{ air_rules(["day_min_hours", "mda8_first_label", "mda8_min_hours", "mda8_min_windows"]) }}
),

hours as (
    select
        station_code,
        business_date,
        label_hour,
        data_basis,
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
        hours.item.pollutant_id,
        hours.item.network_value,
        {{ round_half_even("hours.item.hour_value", "places.value") }} as hour_value
    from hours
    left join {{ ref("air_validity") }} as places
        on
            places.rule_id = 'decimals'
            and hours.item.pollutant_id = places.pollutant_id
            and {{ in_force("places", "hours.business_date") }}
),

-- HJ 663-2013 A.1: the 8-hour mean at X is that of the hours X-7 to X. Labels 8 to 24 never reach into the day before.
windowed as (
    select
        *,
        count(hour_value) over eight_hours as window_hours,
        cast(sum(hour_value) over eight_hours / nullif(count(hour_value) over eight_hours, 0) as decimal(18, 6)) as window_mean
    from items
    window eight_hours as (
        partition by station_code, business_date, pollutant_id
        order by label_hour range between 7 preceding and current row
    )
),

summed as (
    select
        windowed.station_code,
        windowed.business_date,
        windowed.pollutant_id,
        {{ basis_of_group("windowed.data_basis") }} as data_basis,
        max(windowed.network_value) filter (where windowed.label_hour = 24) as network_value,
        count(windowed.hour_value) as valid_hours,
        {{ exact_mean("windowed.hour_value") }} as hourly_mean,
        count(*) filter (
            where windowed.label_hour >= rules.mda8_first_label and windowed.window_hours >= rules.mda8_min_hours
        ) as valid_windows,
        max(windowed.window_mean) filter (
            where windowed.label_hour >= rules.mda8_first_label and windowed.window_hours >= rules.mda8_min_hours
        ) as mda8,
        any_value(rules.day_min_hours) as day_min_hours,
        any_value(rules.mda8_min_windows) as mda8_min_windows
    from windowed
    left join rules on {{ in_force("rules", "windowed.business_date") }}
    group by windowed.station_code, windowed.business_date, windowed.pollutant_id
),

-- HJ 663-2013 6.1.2: with fewer windows a maximum above the limit still counts.
measured as (
    select
        summed.*,
        case
            when summed.pollutant_id != 'o3' and summed.valid_hours >= summed.day_min_hours then summed.hourly_mean
            when summed.pollutant_id = 'o3' and (summed.valid_windows >= summed.mda8_min_windows or summed.mda8 > ozone.limit_value)
                then summed.mda8
        end as hourly_value
    from summed
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
    cast(coalesce(network_value, hourly_value) as decimal(12, 4)) as concentration,
    case when network_value is not null then 'network_24h' when hourly_value is not null then 'hourly_mean' end as value_source,
    valid_hours,
    data_basis
from measured
