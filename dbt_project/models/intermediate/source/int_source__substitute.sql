{{ config(materialized='table') }}

-- One row for every invalid hour of an air outlet in scope: the run it belongs to and the kilograms that stand in for it
-- (HJ 75-2017 tables 6 and 7).
with hour as (
    select
        series_no,
        pollutant_id,
        hour_start,
        business_date,
        is_in_scope,
        hour_state,
        anchor_at,
        mass_kg,
        case
            when hour_state <> 'invalid' then hour_state
            when anchor_at is not null then 'out_of_control'
            else 'other'
        end as cause,
        -- Where hours are not due, or not read because nothing in reach has changed, no run goes on.
        coalesce(hour_start - lag(hour_start) over outlet > interval 1 hour, true) as is_after_hole,
        (sum((hour_state = 'valid')::integer) over outlet)::bigint as valid_no
    from {{ ref('int_source__state_hour') }}
    where medium = 'air'
    window outlet as (partition by series_no order by hour_start)
),

-- A stopped hour ends a run of invalid hours, or is passed over: as the rule says.
run_hour as (
    select
        hour.*,
        sum(hour.is_after_hole::integer) over outlet as segment_no,
        coalesce(hour.cause <> lag(hour.cause) over outlet, true) as is_other_cause
    from hour
    inner join {{ ref('source_run_rule') }} as rule
        on rule.medium = 'air' and {{ in_force('rule', 'hour.business_date') }}
    where hour.hour_state <> 'stopped' or rule.stop_ends_run
    window outlet as (partition by hour.series_no order by hour.hour_start)
),

invalid_hour as (
    select
        *,
        sum((is_other_cause or is_after_hole)::integer) over (partition by series_no order by hour_start) as run_no
    from run_hour
    qualify hour_state = 'invalid'
),

valid_hour as (
    select
        series_no,
        hour_start,
        business_date,
        mass_kg,
        valid_no
    from hour
    where hour_state = 'valid'
),

run as (
    select
        series_no,
        run_no,
        cause,
        count(*)::integer as run_hours,
        min(hour_start) as run_from_at,
        -- Before the failure; out of control: before the last check that was passed.
        coalesce(min(anchor_at), min(hour_start)) as anchor_at
    from invalid_hour
    group by series_no, run_no, segment_no, cause
),

anchored as (
    select
        run.*,
        coalesce(valid_hour.valid_no, 0) as valid_before
    from run
    asof left join valid_hour
        on run.series_no = valid_hour.series_no and run.anchor_at > valid_hour.hour_start
),

series as (
    select distinct
        series_no,
        permit_no,
        outlet_code,
        pollutant_id
    from {{ ref('int_source__scope') }}
),

capture as (
    select
        series.series_no,
        quarter.quarter_start_date,
        quarter.valid_hours,
        quarter.operating_hours
    from {{ ref('int_source__quarter') }} as quarter
    inner join series
        on
            quarter.permit_no = series.permit_no
            and quarter.outlet_code = series.outlet_code
            and quarter.pollutant_id = series.pollutant_id
),

-- All hours of a run on one day are filled by the same rule: it is looked up by day, and not hour by hour.
run_day as (
    select
        series_no,
        run_no,
        pollutant_id,
        business_date,
        date_trunc('quarter', business_date) as quarter_start_date,
        list(hour_start) as hours
    from invalid_hour
    where is_in_scope
    group by series_no, run_no, pollutant_id, business_date
),

ruled as (
    select
        run_day.series_no,
        run_day.business_date,
        run_day.hours,
        anchored.* exclude (series_no, run_no, anchor_at),
        rule.substitution,
        rule.window_valid_hours
    from run_day
    inner join anchored on run_day.series_no = anchored.series_no and run_day.run_no = anchored.run_no
    inner join capture on run_day.series_no = capture.series_no and run_day.quarter_start_date = capture.quarter_start_date
    left join {{ ref('source_substitution') }} as rule
        on
            run_day.pollutant_id = rule.pollutant_id
            and anchored.cause = rule.cause
            and rule.is_active
            and {{ in_force('rule', 'run_day.business_date') }}
            and capture.valid_hours * 100 >= rule.min_capture_pct * capture.operating_hours
            and (rule.below_capture_pct is null or capture.valid_hours * 100 < rule.below_capture_pct * capture.operating_hours)
            and anchored.run_hours >= rule.min_run_hours
            and (rule.max_run_hours is null or anchored.run_hours <= rule.max_run_hours)
),

asked as (
    select distinct
        series_no,
        valid_before,
        window_valid_hours
    from ruled
    where window_valid_hours is not null
),

-- Spelled out by number, since a range join would compare every window with every hour of the outlet.
asked_hour as (
    select
        series_no,
        valid_before,
        window_valid_hours,
        unnest(range(greatest(valid_before - window_valid_hours, 0) + 1, valid_before + 1)) as valid_no
    from asked
),

filled as (
    select
        asked_hour.series_no,
        asked_hour.valid_before,
        asked_hour.window_valid_hours,
        max(valid_hour.mass_kg) as substitute_kg,
        min(valid_hour.business_date) as fill_from_date
    from asked_hour
    inner join valid_hour on asked_hour.series_no = valid_hour.series_no and asked_hour.valid_no = valid_hour.valid_no
    group by asked_hour.series_no, asked_hour.valid_before, asked_hour.window_valid_hours
)

select
    series.permit_no,
    series.outlet_code,
    series.pollutant_id,
    ruled.business_date,
    unnest(ruled.hours) as hour_start,
    ruled.cause,
    ruled.run_from_at,
    ruled.run_hours,
    ruled.substitution,
    filled.substitute_kg,
    filled.fill_from_date,
    -- Fewer valid hours than the rule asks for: what there is was used.
    ruled.valid_before < ruled.window_valid_hours as is_short_window
from ruled
inner join series on ruled.series_no = series.series_no
left join filled
    on
        ruled.series_no = filled.series_no
        and ruled.valid_before = filled.valid_before
        and ruled.window_valid_hours = filled.window_valid_hours
