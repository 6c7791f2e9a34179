{{ config(materialized='table') }}

-- depends_on: {{ ref('int_source__check_period') }}, {{ ref('source_substitution') }}
{%- set computed = computed_source_day() -%}
-- The quarters to compute anew, by outlet and pollutant, and from which day on their hours must be read.
with series as (
    select * from {{ ref('int_source__series') }}
),

kept_quarter as (
    select distinct date_trunc('quarter', business_date)::date as quarter_start_date
    from {{ ref('int_source__hour') }}
),

{% if computed is none -%}
    due as (
        select quarter_start_date from kept_quarter
    ),

    read_from as (
        select
            permit_no,
            outlet_code,
            pollutant_id,
            null::date as quarter_start_date,
            null::date as read_from_date
        from series
        where false
    )
{%- else -%}
    changed_day as (
        select distinct business_date
        from {{ source('raw', 'changed_day') }}
        where table_name = 'source_hour'
    ),

    -- Bindings and checks say what is due and valid at any time, and change seldom: then everything is computed anew.
    changed_fact as (
        select count(*) > 0 as is_changed
        from {{ source('raw', 'changed_day') }}
        where table_name in ('device_binding', 'source_check')
    ),

    due as (
        -- A run of invalid hours is long after 24 of them: a changed hour decides on the day before and after, too.
        select date_trunc('quarter', changed_day.business_date + near.days)::date as quarter_start_date
        from changed_day
        cross join (values (-2), (0), (2)) as near (days)
        union
        -- Whatever was filled from a window in which an hour has changed.
        select date_trunc('quarter', filled.business_date)::date
        from {{ computed }} as filled
        inner join changed_day
            on
                filled.business_date > changed_day.business_date
                and (filled.fill_from_date <= changed_day.business_date or filled.is_short_window)
        union
        -- Hours fall due as nights pass, whether or not anything arrives.
        select quarter_start_date
        from kept_quarter
        where quarter_start_date >= (select date_trunc('quarter', max(business_date)) from {{ computed }})
        union
        select quarter_start_date
        from kept_quarter
        where (select is_changed from changed_fact)
    ),

    -- The longest window reaches back over so many valid hours; before a failed check it begins at the last passed one.
    reach as (
        select
            series.permit_no,
            series.outlet_code,
            series.pollutant_id,
            due.quarter_start_date,
            least(due.quarter_start_date, min(check_period.anchor_at)::date) as from_date
        from series
        cross join due
        left join {{ ref('int_source__check_period') }} as check_period
            on
                series.permit_no = check_period.permit_no
                and series.outlet_code = check_period.outlet_code
                and series.pollutant_id = check_period.pollutant_id
                and check_period.from_at < due.quarter_start_date + interval 3 months
                and due.quarter_start_date < check_period.to_at
        where series.medium = 'air'
        group by series.permit_no, series.outlet_code, series.pollutant_id, due.quarter_start_date
    ),

    counted as (
        select
            reach.permit_no,
            reach.outlet_code,
            reach.pollutant_id,
            reach.quarter_start_date,
            day.business_date,
            sum(day.valid_hours) over (
                partition by reach.permit_no, reach.outlet_code, reach.pollutant_id, reach.quarter_start_date
                order by day.business_date desc
            ) as valid_hours
        from reach
        inner join {{ computed }} as day
            on
                reach.permit_no = day.permit_no
                and reach.outlet_code = day.outlet_code
                and reach.pollutant_id = day.pollutant_id
                and reach.from_date > day.business_date
    ),

    read_from as (
        select
            permit_no,
            outlet_code,
            pollutant_id,
            quarter_start_date,
            max(business_date) as read_from_date
        from counted
        where valid_hours >= (select max(window_valid_hours) from {{ ref('source_substitution') }})
        group by permit_no, outlet_code, pollutant_id, quarter_start_date
    )
{%- endif %}

select
    series.permit_no,
    series.outlet_code,
    series.pollutant_id,
    -- Of this run alone: what follows sorts and joins by one number instead of three texts.
    dense_rank() over (order by series.permit_no, series.outlet_code, series.pollutant_id)::integer as series_no,
    series.medium,
    series.data_basis,
    series.due_from_date,
    series.due_to_date,
    due.quarter_start_date,
    (due.quarter_start_date + interval 3 months - interval 1 day)::date as quarter_end_date,
    case
        when series.medium = 'water' then due.quarter_start_date
        else coalesce(read_from.read_from_date, least(series.due_from_date, due.quarter_start_date))
    end as read_from_date
from series
cross join due
inner join kept_quarter on due.quarter_start_date = kept_quarter.quarter_start_date
left join read_from
    on
        series.permit_no = read_from.permit_no
        and series.outlet_code = read_from.outlet_code
        and series.pollutant_id = read_from.pollutant_id
        and due.quarter_start_date = read_from.quarter_start_date
