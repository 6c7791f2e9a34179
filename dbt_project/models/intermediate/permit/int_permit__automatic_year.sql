-- What automatic monitoring gave in a year, and whether that is enough to account for it (HJ 942-2018, over 25 % missing).
with night as (
    select * from {{ source('raw', 'night') }}
),

automatic as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        year(business_date)::integer as year,
        min(medium) as day_medium,
        sum(mass_kg)::decimal(18, 6) as automatic_kg,
        sum(measured_kg)::decimal(18, 6) as measured_kg,
        sum(substituted_kg)::decimal(18, 6) as substituted_kg,
        sum(manual_kg)::decimal(18, 6) as manual_kg,
        min(min_hour_kg) as min_hour_kg,
        max(max_hour_kg) as max_hour_kg,
        count(*) filter (where valid_hours + stopped_hours + invalid_hours > 0)::integer as covered_days,
        count(*) filter (where is_valid_day)::integer as valid_days,
        count(*) filter (where is_short_window)::integer as short_window_days,
        sum(measured_hours)::integer as measured_hours,
        sum(valid_hours)::integer as valid_hours,
        sum(stopped_hours)::integer as stopped_hours,
        sum(invalid_hours)::integer as invalid_hours,
        coalesce(sum(missing_hours), 0)::integer as listed_missing_hours,
        sum(unfilled_hours)::integer as listed_unfilled_hours,
        {{ basis_of_group('data_basis') }} as data_basis
    from {{ ref('fct_source_day') }}
    where business_date <= (select as_of from night)
    group by permit_no, outlet_code, pollutant_id, year(business_date)
),

-- The hours of the year that are past and in which a logger was bound to the outlet.
outlet_year as (
    select
        * exclude (data_basis, medium),
        -- An outlet that is in no register is judged by what it sends.
        coalesce(outlet.medium, day_medium) as medium,
        {{ basis_of_row(['automatic.data_basis', 'expected.data_basis']) }} as data_basis,
        greatest(make_date(year, 1, 1), outlet.bound_from_date) as period_from,
        least(make_date(year, 12, 31), outlet.bound_to_date, night.as_of) as period_to,
        coalesce(valid_hours + stopped_hours + invalid_hours, 0) as received_hours,
        year(night.as_of) > year or night.as_of = make_date(year, 12, 31) as is_complete_year
    from automatic
    full outer join {{ ref('int_source__expected_year') }} as expected using (permit_no, outlet_code, pollutant_id, year)
    left join {{ ref('dim_outlet') }} as outlet using (permit_no, outlet_code)
    cross join night
),

hours as (
    select
        *,
        -- Without a logger no hour is due. More hours than the binding allows for: the binding is wrong, the hours are there.
        case
            when bound_from_date is null and received_hours = 0 then 0
            else greatest((date_diff('day', period_from, period_to) + 1) * 24, received_hours + coalesce(listed_missing_hours, 0))
        end::integer as expected_hours,
        expected_hours - coalesce(stopped_hours, 0) as operating_hours
    from outlet_year
)

select
    hours.permit_no,
    hours.outlet_code,
    hours.pollutant_id,
    hours.year,
    hours.uscc,
    hours.enterprise_name,
    hours.county_code,
    hours.zone_code,
    hours.medium,
    hours.discharge_mode,
    hours.automatic_kg,
    case when hours.automatic_kg is not null then coalesce(hours.measured_kg, 0) end as measured_kg,
    case when hours.automatic_kg is not null then coalesce(hours.substituted_kg, 0) end as substituted_kg,
    case when hours.automatic_kg is not null then coalesce(hours.manual_kg, 0) end as manual_kg,
    hours.min_hour_kg,
    hours.max_hour_kg,
    coalesce(hours.covered_days, 0) as covered_days,
    coalesce(hours.valid_days, 0) as valid_days,
    coalesce(hours.short_window_days, 0) as short_window_days,
    hours.expected_hours,
    hours.operating_hours,
    coalesce(hours.valid_hours, 0) as valid_hours,
    coalesce(hours.stopped_hours, 0) as stopped_hours,
    coalesce(hours.invalid_hours, 0) as invalid_hours,
    hours.expected_hours - hours.received_hours as missing_hours,
    -- Days before the first that the platform keeps are in no row: their hours are unknown as well.
    coalesce(hours.listed_unfilled_hours, 0)
    + hours.expected_hours - hours.received_hours - coalesce(hours.listed_missing_hours, 0) as unfilled_hours,
    hours.operating_hours - coalesce(hours.measured_hours, 0) as unmeasured_hours,
    {{ percent_of('coalesce(hours.valid_hours, 0)', 'hours.operating_hours') }} as capture_rate_pct,
    rule.min_valid_pct,
    -- By the hours, not by the rounded rate: exactly the share asked for suffices.
    case
        when hours.expected_hours = 0 then 'automatic_absent'
        when coalesce(coalesce(hours.valid_hours, 0) * 100 >= rule.min_valid_pct * hours.operating_hours, true)
            then 'automatic_sufficient'
        else 'automatic_insufficient'
    end as situation,
    hours.period_from = make_date(hours.year, 1, 1) as is_from_january,
    hours.is_complete_year,
    hours.permitted_t,
    hours.data_basis,
    hours.as_of as as_of_date
from hours
left join {{ ref('source_validity') }} as rule
    on
        hours.medium = rule.medium
        and rule.period = 'year'
        and {{ in_force('rule', 'make_date(hours.year, 12, 31)') }}
