with night as (
    select * from {{ source('raw', 'night') }}
),

measured as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        year(business_date)::integer as year,
        sum(mass_kg) as mass_kg,
        sum(mass_kg) filter (where method = 'measured') as measured_kg,
        sum(mass_kg) filter (where method = 'substituted') as substituted_kg,
        count(*)::integer as covered_days,
        count(*) filter (where is_valid_day)::integer as valid_days,
        sum(valid_hours)::integer as valid_hours,
        sum(stopped_hours)::integer as stopped_hours,
        sum(invalid_hours)::integer as invalid_hours,
        {{ basis_of_group('data_basis') }} as data_basis
    from {{ ref('fct_source_day') }}
    where business_date <= (select as_of from night)
    group by permit_no, outlet_code, pollutant_id, year(business_date)
),

-- The hours of the year that are past and in which a logger was bound to the outlet.
outlet_year as (
    select
        * exclude (data_basis),
        {{ basis_of_row(['measured.data_basis', 'expected.data_basis']) }} as data_basis,
        greatest(make_date(year, 1, 1), outlet.bound_from_date) as period_from,
        least(make_date(year, 12, 31), outlet.bound_to_date, night.as_of) as period_to,
        coalesce(valid_hours + stopped_hours + invalid_hours, 0) as received_hours,
        year(night.as_of) > year or night.as_of = make_date(year, 12, 31) as is_complete_year
    from measured
    full outer join {{ ref('int_source__expected_year') }} as expected using (permit_no, outlet_code, pollutant_id, year)
    left join {{ ref('dim_outlet') }} as outlet using (permit_no, outlet_code)
    cross join night
),

hours as (
    select
        *,
        -- More hours than the binding allows for: the binding is wrong, the hours are there.
        greatest((date_diff('day', period_from, period_to) + 1) * 24, received_hours)::integer as expected_hours
    from outlet_year
),

captured as (
    select
        *,
        (mass_kg * 0.001)::decimal(18, 6) as mass_t,
        {{ percent_of('coalesce(valid_hours, 0)', '(expected_hours - coalesce(stopped_hours, 0))') }} as capture_rate_pct
    from hours
),

judged as (
    select
        captured.*,
        coalesce(captured.capture_rate_pct >= rule.min_valid_pct, true) as is_captured
    from captured
    left join {{ ref('source_validity') }} as rule
        on
            captured.medium = rule.medium
            and rule.period = 'year'
            and {{ in_force('rule', 'make_date(captured.year, 12, 31)') }}
)

select
    permit_no,
    outlet_code,
    pollutant_id,
    year,
    uscc,
    enterprise_name,
    county_code,
    zone_code,
    medium,
    discharge_mode,
    mass_t,
    {{ percent_of('measured_kg', 'mass_kg') }} as measured_share_pct,
    {{ percent_of('coalesce(substituted_kg, 0)', 'mass_kg') }} as substituted_share_pct,
    coalesce(covered_days, 0) as covered_days,
    coalesce(valid_days, 0) as valid_days,
    expected_hours,
    coalesce(valid_hours, 0) as valid_hours,
    coalesce(stopped_hours, 0) as stopped_hours,
    coalesce(invalid_hours, 0) as invalid_hours,
    expected_hours - received_hours as missing_hours,
    capture_rate_pct,
    permitted_t,
    {{ percent_of('mass_t', 'permitted_t') }} as used_share_pct,
    is_complete_year,
    is_complete_year and mass_t is not null and is_captured and period_from = make_date(year, 1, 1) as has_full_coverage,
    -- What was measured is the least that was emitted: above the permitted amount it is over, however much is missing.
    case
        when received_hours = 0 then 'data_missing'
        when mass_t > permitted_t then 'over_permit'
        when mass_t is null or not is_captured then 'data_insufficient'
        when permitted_t is null then 'no_amount_limit'
        else 'within_permit'
    end as status,
    data_basis,
    as_of as as_of_date
from judged
