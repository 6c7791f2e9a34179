{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail'
) }}

-- Days beside the changed ones are read: a step needs the hour before.
with item_hour as (
    select
        device_code,
        county_code,
        reference_station_code,
        -- No device has coordinates: its neighbours are the devices beside the same national station. The one place to change.
        reference_station_code as neighbour_group,
        business_date,
        hour_start,
        data_basis,
        {{ unpivot_micro_items({
            'value': '<id>_raw_<unit>', 'qc': '<id>_qc', 'reference': 'reference_<id>_<unit>'
        }) }} as item
    from {{ ref('int_micro__hour') }}
    where {{ in_micro_days(2) }}
),

marked as (
    select
        * exclude (item),
        item.pollutant_id as pollutant_id,
        item.value as value,
        item.reference as reference,
        item.qc as qc,
        item.qc = 'ok' as is_usable,
        -- A step is one between plausible values: a negative or impossible one is told as what it is.
        item.qc in ('ok', 'flat', 'inconsistent') as is_plausible
    from item_hour
    where item.value is not null
),

placed as (
    select
        *,
        row_number() over (
            partition by hour_start, pollutant_id, neighbour_group, is_usable order by value, device_code
        ) as place,
        lag(value) over previous as previous_value,
        is_plausible and coalesce(lag(hour_start) over previous = hour_start - interval 1 hour, false) as follows_at_once
    from marked
    window previous as (partition by device_code, pollutant_id, is_plausible order by hour_start)
),

neighbourhood as (
    select
        hour_start,
        pollutant_id,
        neighbour_group,
        list(value order by value, device_code) as sorted_values
    from placed
    where is_usable
    group by hour_start, pollutant_id, neighbour_group
),

-- n times the sum of squares about the mean: exact, so that a limit met exactly is not passed.
network as (
    select
        hour_start,
        pollutant_id,
        count(*) as device_count,
        sum(value)::decimal(18, 2) as sum_x,
        (count(*) * sum(value * value) - sum(value) * sum(value))::decimal(18, 4) as spread
    from placed
    where is_usable
    group by hour_start, pollutant_id
),

rules as (
    {{ micro_rules('marked', [
        'step_max', 'spike_factor', 'spike_excess', 'spike_min_neighbours', 'zscore_max', 'zscore_min_devices', 'regional_reference'
    ]) }}
),

beside as (
    select
        placed.*,
        rules.* exclude (business_date, pollutant_id),
        neighbourhood.sorted_values,
        -- The device itself is none of its neighbours.
        coalesce(len(neighbourhood.sorted_values), 0) - placed.is_usable::integer as neighbour_count,
        if(placed.is_usable, placed.place, coalesce(len(neighbourhood.sorted_values), 0) + 1) as own_place,
        network.device_count,
        network.spread,
        (network.device_count * placed.value - network.sum_x)::decimal(12, 2) as above_mean,
        (network.device_count * placed.reference - network.sum_x)::decimal(12, 2) as reference_above_mean
    from placed
    inner join rules on placed.business_date = rules.business_date and placed.pollutant_id = rules.pollutant_id
    left join neighbourhood
        on
            placed.hour_start = neighbourhood.hour_start
            and placed.pollutant_id = neighbourhood.pollutant_id
            and placed.neighbour_group = neighbourhood.neighbour_group
    left join network on placed.hour_start = network.hour_start and placed.pollutant_id = network.pollutant_id
    where {{ in_micro_days(1) | replace('business_date', 'placed.business_date') }}
),

compared as (
    select
        * exclude (sorted_values),
        case
            when neighbour_count >= spike_min_neighbours
                then
                    (
                        0.5 * (
                            sorted_values[low_place + (low_place >= own_place)::integer]
                            + sorted_values[high_place + (high_place >= own_place)::integer]
                        )
                    )::decimal(12, 3)
        end as neighbour_median
    from (
        select
            *,
            (neighbour_count + 1) // 2 as low_place,
            neighbour_count // 2 + 1 as high_place
        from beside
    ) as ranked
),

tested as (
    select
        *,
        coalesce(is_usable and value > spike_factor * neighbour_median and value - neighbour_median > spike_excess, false)
            as is_far_above,
        coalesce(reference > spike_factor * neighbour_median and reference - neighbour_median > spike_excess, false)
            as reference_is_far_above,
        coalesce(is_usable and {{ exceeds_zscore('above_mean') }}, false) as is_outlier,
        coalesce({{ exceeds_zscore('reference_above_mean') }}, false) as reference_is_outlier,
        coalesce(follows_at_once and abs(value - previous_value) > step_max, false) as is_step
    from compared
),

-- What the reference station exceeds by the same rule is an episode of the region.
signal as (
    select
        *,
        is_far_above and (regional_reference = 0 or not reference_is_far_above) as is_spike_by_factor,
        is_outlier and (regional_reference = 0 or not reference_is_outlier) as is_spike_by_zscore
    from tested
    where is_far_above or is_outlier or is_step or qc in ('flat', 'negative', 'range')
),

told as (
    select
        *,
        unnest([
            case when is_spike_by_factor or is_spike_by_zscore then 'spike' when is_far_above or is_outlier then 'regional' end,
            case when is_step then 'step' end,
            case when qc in ('flat', 'negative', 'range') then qc end
        ]) as event_kind
    from signal
)

select
    device_code,
    pollutant_id,
    business_date,
    hour_start,
    event_kind,
    county_code,
    reference_station_code,
    value,
    neighbour_count,
    neighbour_median,
    (above_mean * sqrt((device_count - 1) / nullif(device_count * spread, 0)))::decimal(12, 3) as zscore,
    reference as reference_value,
    -- NULL: the reference station sent nothing, so nobody can tell.
    case when reference is not null then reference_is_far_above or reference_is_outlier end as reference_was_high,
    case event_kind
        when 'spike'
            then concat_ws(
                ',',
                if(is_spike_by_factor, 'spike_factor,spike_excess', null),
                if(is_spike_by_zscore, 'zscore_max', null)
            )
        when 'regional'
            then concat_ws(
                ',',
                if(is_far_above, 'spike_factor,spike_excess', null),
                if(is_outlier, 'zscore_max', null),
                'regional_reference'
            )
        when 'step' then 'step_max'
        when 'flat' then 'flat_hours'
        when 'negative' then 'negative_below'
        when 'range' then 'range_max'
    end as rule_ids,
    data_basis
from told
where event_kind is not null
