{{ config(materialized="table") }}

-- Days as periods count them: regions and stations, and beside the whole series one without approved exception events.
-- Item `judged` stands for the day as a whole; it has days and coverage, but no concentration.
with place_and_day as (
    select
        'region' as scope,
        day.region_code as scope_code,
        [day.region_code, region.parent_code] as event_regions,
        day.*
    from {{ ref("fct_air_city_day") }} as day
    left join {{ ref("region") }} as region on day.region_code = region.region_code
    union all by name
    select
        'station' as scope,
        day.station_code as scope_code,
        [station.county_code, station.city_code] as event_regions,
        'strict' as basis,
        day.*
    from {{ ref("fct_air_station_day") }} as day
    inner join {{ ref("station") }} as station
        on day.station_code = station.station_code and {{ in_force("station", "day.business_date") }}
),

days as (
    select
        scope,
        scope_code,
        region_level,
        event_regions,
        basis,
        business_date,
        {%- for pollutant in air_pollutants() %}
            {{ pollutant.id }}_{{ pollutant.unit }},
            iaqi_{{ pollutant.id }},
        {%- endfor %}
        is_judged,
        is_good,
        is_heavy,
        case when aqi_2026_basis is not null then is_good_2026_basis end as is_good_2026_basis,
        standard_code,
        is_confirmed,
        data_basis
    from place_and_day
),

place_day as (
    select distinct
        scope,
        scope_code,
        event_regions,
        business_date
    from days
),

events as (
    select
        days.scope,
        days.scope_code,
        days.business_date,
        list(distinct event.pollutant_id) as pollutants
    from place_day as days
    inner join {{ ref("stg_returns__air_exception_event") }} as event
        on list_contains(days.event_regions, event.region_code) and days.business_date between event.start_date and event.end_date
    group by days.scope, days.scope_code, days.business_date
),

series as (
    select
        days.*,
        series.series,
        item_rule.value as item_rule,
        day_rule.value as day_rule,
        case when series.series = 'events_excluded' then coalesce(events.pollutants, []) else [] end as left_out
    from days
    cross join (values ('all'), ('events_excluded')) as series (series)
    left join {{ ref("air_exception_rule") }} as item_rule
        on item_rule.rule_id = 'item_value' and {{ in_force("item_rule", "days.business_date") }}
    left join {{ ref("air_exception_rule") }} as day_rule
        on day_rule.rule_id = 'judged_day' and {{ in_force("day_rule", "days.business_date") }}
    left join events
        on days.scope = events.scope and days.scope_code = events.scope_code and days.business_date = events.business_date
),

items as (
    select
        *,
        {{ unpivot_air_items({"concentration": "<id>_<unit>", "iaqi": "iaqi_<id>"}) }} as item
    from series
),

-- A station's day is rounded here, before it is evaluated (HJ 663-2013 6.3); a region's is rounded already.
valued as (
    select
        items.*,
        items.item.pollutant_id as item_id,
        list_contains(items.left_out, items.item.pollutant_id) as is_left_out,
        case
            when not (list_contains(items.left_out, items.item.pollutant_id) and items.item_rule = 'leave_out')
                then {{ round_half_even("items.item.concentration", "places.value") }}
        end as concentration,
        daily.limit_value
    from items
    left join {{ ref("air_validity") }} as places
        on
            places.rule_id = 'decimals'
            and items.item.pollutant_id = places.pollutant_id
            and {{ in_force("places", "items.business_date") }}
    left join {{ ref("air_limit") }} as daily
        on
            items.item.pollutant_id = daily.pollutant_id
            and daily.averaging in ('24h', '8h')
            and {{ in_force("daily", "items.business_date") }}
),

scale as (
    select
        standard_code,
        max(aqi_hi) filter (where is_good) as good_up_to,
        min(aqi_lo) filter (where is_heavy) as heavy_from
    from {{ ref("aqi_category") }}
    group by standard_code
),

whole as (
    select
        valued.scope,
        valued.scope_code,
        valued.region_level,
        valued.basis,
        valued.series,
        valued.business_date,
        bool_or(valued.is_left_out) as is_left_out,
        any_value(valued.day_rule) as day_rule,
        any_value(valued.is_judged) as is_judged,
        any_value(valued.is_good) as is_good,
        any_value(valued.is_heavy) as is_heavy,
        any_value(valued.is_good_2026_basis) as is_good_2026_basis,
        any_value(valued.is_confirmed) as is_confirmed,
        any_value(valued.standard_code) as standard_code,
        any_value(valued.data_basis) as data_basis,
        max(valued.item.iaqi) filter (where not valued.is_left_out) as rest_aqi,
        bool_and(valued.item.iaqi is not null) filter (where not valued.is_left_out) as is_rest_whole,
        -- HJ 663-2013 6.2: an item without a valid value makes the multi-item evaluation "not compliant".
        case
            when count(valued.concentration) > 0
                then bool_and(coalesce(valued.concentration <= valued.limit_value, false)) filter (where not valued.is_left_out)
        end as is_compliant
    from valued
    group by valued.scope, valued.scope_code, valued.region_level, valued.basis, valued.series, valued.business_date
),

judged as (
    select
        whole.* exclude (is_judged, is_good, is_heavy, is_good_2026_basis),
        case
            when not whole.is_left_out or whole.day_rule = 'keep' then whole.is_judged
            when whole.day_rule = 'without_item' then coalesce(whole.is_rest_whole or whole.rest_aqi > scale.good_up_to, false)
            else false
        end as is_judged,
        case when not whole.is_left_out or whole.day_rule = 'keep' then whole.is_good else whole.rest_aqi <= scale.good_up_to end as is_good,
        case when not whole.is_left_out or whole.day_rule = 'keep' then whole.is_heavy else whole.rest_aqi >= scale.heavy_from end as is_heavy,
        case when not whole.is_left_out then whole.is_good_2026_basis end as is_good_2026_basis
    from whole
    left join scale on whole.standard_code = scale.standard_code
)

select
    scope,
    scope_code,
    region_level,
    basis,
    series,
    business_date,
    item_id,
    concentration,
    is_left_out,
    concentration <= limit_value as is_compliant,
    null as is_good,
    null as is_heavy,
    null as is_good_2026_basis,
    is_confirmed,
    data_basis
from valued
union all
select
    scope,
    scope_code,
    region_level,
    basis,
    series,
    business_date,
    'judged' as item_id,
    case when is_judged then 1 end as concentration,
    is_left_out,
    is_compliant,
    is_judged and coalesce(is_good, false) as is_good,
    is_judged and coalesce(is_heavy, false) as is_heavy,
    is_good_2026_basis,
    is_confirmed,
    data_basis
from judged
