with item_day as (
    select * from {{ ref('int_micro__day') }}
),

-- A day of which the platform holds no device at all is nobody's silence: it is counted beside, not against a device.
kept_day as (
    select distinct
        business_date,
        date_trunc('month', business_date)::date as month_date
    from item_day
),

device as (
    select
        device_code,
        min(business_date) as first_date,
        {{ basis_of_group('data_basis') }} as data_basis
    from item_day
    group by device_code
),

due as (
    select
        device.device_code,
        kept_day.month_date,
        count(*)::integer as kept_days,
        any_value(device.data_basis) as device_basis
    from device
    inner join kept_day on device.first_date <= kept_day.business_date
    group by device.device_code, kept_day.month_date
),

-- The hours of a device are the same for every item.
sent as (
    select
        device_code,
        date_trunc('month', business_date)::date as month_date,
        arg_max(county_code, business_date) as county_code,
        arg_max(reference_station_code, business_date) as reference_station_code,
        {%- for item in micro_items() %}
            coalesce(sum(valid_hours) filter (where pollutant_id = '{{ item.id }}'), 0)::integer as {{ item.id }}_valid_hours,
        {%- endfor %}
        sum(online_hours) filter (where pollutant_id = 'pm25')::integer as online_hours,
        sum(maintenance_hours) filter (where pollutant_id = 'pm25')::integer as maintenance_hours,
        {{ basis_of_group('data_basis') }} as data_basis
    from item_day
    group by device_code, date_trunc('month', business_date)
),

calibration as (
    select
        device_code,
        month_date,
        {%- for item in micro_items() %}
            max(calibration_status) filter (where pollutant_id = '{{ item.id }}') as {{ item.id }}_calibration_status,
        {%- endfor %}
        bool_or(is_drifting) as is_drifting,
        string_agg(pollutant_id, ',' order by pollutant_id) filter (where is_drifting) as drifting_items
    from {{ ref('mart_micro_calibration') }}
    group by device_code, month_date
),

event as (
    select
        device_code,
        date_trunc('month', start_date)::date as month_date,
        count(*) filter (where event_class = 'spike')::integer as spike_events,
        count(*) filter (where event_class = 'abnormal')::integer as abnormal_events,
        count(*) filter (where event_class = 'regional')::integer as regional_events
    from {{ ref('mart_micro_event') }}
    group by device_code, date_trunc('month', start_date)
),

item_rules as (
    {{ micro_rules('kept_day', ['online_min_pct', 'online_good_pct'], day='month_date') }}
),

rules as (
    select distinct
        month_date,
        online_min_pct,
        online_good_pct
    from item_rules
),

-- A device keeps its place until it sends another one, also in a month in which it is silent.
joined as (
    select
        due.*,
        sent.* exclude (device_code, month_date, county_code, reference_station_code),
        last_value(sent.county_code ignore nulls) over known as county_code,
        last_value(sent.reference_station_code ignore nulls) over known as reference_station_code
    from due
    left join sent on due.device_code = sent.device_code and due.month_date = sent.month_date
    window known as (partition by due.device_code order by due.month_date)
)

select
    joined.device_code,
    joined.month_date,
    joined.county_code,
    joined.reference_station_code,
    coalesce(station.is_control_point, false) as reference_is_control_point,
    day(last_day(joined.month_date))::integer as calendar_days,
    joined.kept_days,
    joined.kept_days * 24 as due_hours,
    coalesce(joined.online_hours, 0) as online_hours,
    coalesce(joined.maintenance_hours, 0) as maintenance_hours,
    joined.kept_days * 24 - coalesce(joined.online_hours, 0) - coalesce(joined.maintenance_hours, 0) as offline_hours,
    {{ percent_of('coalesce(joined.online_hours, 0)', '(joined.kept_days * 24)') }} as online_rate_pct,
    rules.online_min_pct::decimal(5, 2) as online_min_pct,
    rules.online_good_pct::decimal(5, 2) as online_good_pct,
    100 * coalesce(joined.online_hours, 0) >= rules.online_min_pct * joined.kept_days * 24 as meets_online_min,
    100 * coalesce(joined.online_hours, 0) >= rules.online_good_pct * joined.kept_days * 24 as meets_online_good,
    {%- for item in micro_items() %}
        coalesce(joined.{{ item.id }}_valid_hours, 0) as {{ item.id }}_valid_hours,
        coalesce(calibration.{{ item.id }}_calibration_status, 'insufficient') as {{ item.id }}_calibration_status,
    {%- endfor %}
    calibration.is_drifting,
    calibration.drifting_items,
    coalesce(event.spike_events, 0) as spike_events,
    coalesce(event.abnormal_events, 0) as abnormal_events,
    coalesce(event.regional_events, 0) as regional_events,
    true as is_indicative,
    '仅供参考' as usage_zh,
    coalesce(joined.data_basis, joined.device_basis) as data_basis
from joined
left join calibration on joined.device_code = calibration.device_code and joined.month_date = calibration.month_date
left join event on joined.device_code = event.device_code and joined.month_date = event.month_date
left join rules on joined.month_date = rules.month_date
left join {{ ref('station') }} as station
    on joined.reference_station_code = station.station_code and {{ in_force('station', 'joined.month_date') }}
order by joined.month_date, joined.device_code
