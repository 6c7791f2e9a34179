{{ config(materialized='table') }}

-- Every hour that is due or was received in the days to read, with its state; an hour without a row is invalid, too.
with scope as (
    select * from {{ ref('int_source__scope') }}
),

read_day as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        min(series_no) as series_no,
        min(medium) as medium,
        business_date,
        bool_or(business_date >= quarter_start_date) as is_in_scope,
        bool_or(business_date between due_from_date and due_to_date) as is_due
    from (
        select
            *,
            unnest(range(read_from_date, quarter_end_date + 1, interval 1 day))::date as business_date
        from scope
    ) as day_of_scope
    group by permit_no, outlet_code, pollutant_id, business_date
),

kept_hour as (
    select * from {{ ref('int_source__hour') }}
    where business_date >= (select min(read_from_date) from scope)
),

received as (
    select * from kept_hour
    where pollutant_id <> 'flow'
),

outlet_hour as (
    select * from kept_hour
    where pollutant_id = 'flow'
),

received_day as (
    select distinct
        permit_no,
        outlet_code,
        pollutant_id,
        business_date
    from received
),

-- A day with anything received counts as due, even where the binding says otherwise: the hours are there.
due_day as (
    select read_day.*
    from read_day
    left join received_day using (permit_no, outlet_code, pollutant_id, business_date)
    where read_day.is_due or received_day.permit_no is not null
),

due_hour as (
    select
        *,
        unnest(range(business_date::timestamptz, business_date::timestamptz + interval 24 hours, interval 1 hour)) as hour_start
    from due_day
),

-- Failed checks are few: their hours are spelled out instead of comparing every hour with every failure.
spoiled_hour as (
    select
        period.permit_no,
        period.outlet_code,
        period.pollutant_id,
        period.hour_start,
        min(period.anchor_at) as anchor_at
    from (
        select
            check_period.*,
            scope.medium,
            greatest(check_period.from_at, scope.read_from_date::timestamptz) as first_at,
            least(check_period.to_at, (scope.quarter_end_date + 1)::timestamptz) as last_at,
            unnest(range(date_trunc('hour', first_at), last_at, interval 1 hour)) as hour_start
        from {{ ref('int_source__check_period') }} as check_period
        inner join scope using (permit_no, outlet_code, pollutant_id)
    ) as period
    inner join {{ ref('source_run_rule') }} as rule
        on period.medium = rule.medium and {{ in_force('rule', 'period.hour_start::date') }}
    where
        -- A valid hour has at least 45 valid minutes (HJ 75-2017): an hour touched by the failure may still have them.
        60 - date_diff(
            'second',
            greatest(period.from_at, period.hour_start),
            least(period.to_at, period.hour_start + interval 1 hour)
        ) / 60.0 < rule.min_valid_minutes
    group by all
)

select
    due_hour.permit_no,
    due_hour.outlet_code,
    due_hour.pollutant_id,
    due_hour.series_no,
    due_hour.medium,
    due_hour.business_date,
    due_hour.hour_start,
    due_hour.is_in_scope,
    received.hour_state is not null as is_received,
    case
        when outlet_hour.hour_state = 'stopped' then 'stopped'
        when received.hour_state = 'valid' and spoiled_hour.hour_start is null then 'valid'
        else 'invalid'
    end as hour_state,
    spoiled_hour.anchor_at,
    received.concentration,
    received.concentration_unit,
    received.corrected_mg_m3,
    outlet_hour.flow_m3,
    received.mass_kg,
    received.data_basis
from due_hour
left join received using (permit_no, outlet_code, pollutant_id, business_date, hour_start)
left join outlet_hour
    on
        due_hour.permit_no = outlet_hour.permit_no
        and due_hour.outlet_code = outlet_hour.outlet_code
        and due_hour.hour_start = outlet_hour.hour_start
        and due_hour.business_date = outlet_hour.business_date
left join spoiled_hour using (permit_no, outlet_code, pollutant_id, hour_start)
