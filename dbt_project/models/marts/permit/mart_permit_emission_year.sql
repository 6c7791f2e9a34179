with night as (
    select * from {{ source('raw', 'night') }}
),

first_year as (
    select min(year) as year from {{ ref('mart_source_emission_year') }}
),

-- What is reported of a pollutant that no outlet is known for is shown as well.
report as (
    select report_year.* from {{ ref('int_permit__report_year') }} as report_year
    inner join first_year on report_year.year >= first_year.year
    inner join night on report_year.year <= year(night.as_of)
),

permit_year as (
    select
        permit_no,
        pollutant_id,
        year,
        emission.* exclude (permit_no, pollutant_id, year, data_basis, uscc, enterprise_name, county_code, zone_code),
        report.* exclude (data_basis, permit_no, pollutant_id, year),
        coalesce(permit.uscc, emission.uscc) as uscc,
        coalesce(permit.enterprise_name, emission.enterprise_name) as enterprise_name,
        coalesce(permit.county_code, emission.county_code) as county_code,
        coalesce(permit.zone_code, emission.zone_code) as zone_code,
        due.due_date as report_due_date,
        permit_rule.* exclude (year),
        factor.covers_whole_source,
        coalesce(emission.has_full_coverage, false) as is_whole_year,
        night.as_of,
        date_diff('day', make_date(year, 1, 1), least(night.as_of, make_date(year, 12, 31))) + 1 as elapsed_days,
        date_diff('day', make_date(year, 1, 1), make_date(year, 12, 31)) + 1 as days_of_year,
        {{ basis_of_row(['emission.data_basis', 'report.data_basis']) }} as data_basis
    from {{ ref('int_permit__emission_year') }} as emission
    full outer join report using (permit_no, pollutant_id, year)
    cross join night
    left join {{ ref('int_permit__report_due') }} as due using (permit_no, year)
    left join {{ ref('int_permit__rule') }} as permit_rule using (year)
    left join {{ ref('dim_permit') }} as permit using (permit_no)
    left join {{ ref('pollutant_factor') }} as factor
        on pollutant_id = factor.pollutant_id and {{ in_force('factor', 'make_date(year, 12, 31)') }}
),

compared as (
    select
        *,
        -- Products instead of quotients: the bounds themselves are decided exactly.
        round_even((mass_t * days_of_year / elapsed_days)::decimal(38, 12), 6)::decimal(18, 6) as run_rate_t,
        limited_mass_t::decimal(38, 9) * days_of_year > permitted_t::decimal(38, 4) * elapsed_days * run_rate_alert_ratio as is_run_rate_alert,
        greatest(report_tolerance_t, mass_t::decimal(38, 9) * report_tolerance_pct * 0.01) as tolerance_t,
        is_whole_year and reported_t > 0 and mass_t > 0
        and (
            reported_t between mass_t::double * unit_slip_min_ratio and mass_t::double * unit_slip_max_ratio
            or mass_t between reported_t::double * unit_slip_min_ratio and reported_t::double * unit_slip_max_ratio
        ) as is_unit_slip,
        is_whole_year and covers_whole_source as is_comparable
    from permit_year
),

judged as (
    select
        *,
        case
            when reported_t is null and report_due_date is null then 'not_submitted'
            when reported_t is null and as_of <= report_due_date then 'not_due'
            when reported_t is null then 'overdue'
            when is_unit_slip then 'thousandfold'
            when not is_comparable then 'cannot_compare'
            when abs(reported_t - mass_t) <= tolerance_t then 'agrees'
            else 'differs'
        end as report_state,
        -- As with an outlet: what is known is the least that was emitted.
        case
            when mass_t is null then 'data_missing'
            when limited_mass_t > permitted_t then 'over_permit'
            when over_permit_outlet_count > 0 then 'outlet_over_permit'
            when insufficient_count > 0 then 'data_insufficient'
            when permitted_t is null then 'no_amount_limit'
            else 'within_permit'
        end as status
    from compared
)

select
    permit_no,
    pollutant_id,
    year,
    uscc,
    enterprise_name,
    county_code,
    zone_code,
    coalesce(outlet_count, 0) as outlet_count,
    mass_t,
    measured_t,
    substituted_t,
    manual_t,
    balance_t,
    factor_t,
    emission_low_t,
    emission_high_t,
    permitted_t,
    limited_mass_t,
    {{ percent_of('limited_mass_t', 'permitted_t') }} as used_share_pct,
    coalesce(over_permit_outlet_count, 0) as over_permit_outlet_count,
    {{ percent_of('elapsed_days', 'days_of_year') }} as elapsed_share_pct,
    run_rate_t,
    is_run_rate_alert,
    is_whole_year as has_full_coverage,
    reported_t,
    reported_version,
    reported_date,
    report_due_date,
    reported_date > report_due_date as is_report_late,
    reported_quarters_t,
    coalesce(reported_quarter_count, 0) as reported_quarter_count,
    case when is_comparable or is_unit_slip then {{ percent_of('(reported_t - mass_t)', 'mass_t') }} end as report_difference_pct,
    report_state,
    status,
    {%- set permitted, over = plain_number('permitted_t'), 'over_permit_outlet_count' %}
    {#- To the gram: plain_number shows four decimals. #}
    {%- set mass = "regexp_replace(round_even(mass_t, 6)::decimal(18, 6)::varchar, '\.?0+$', '')" %}
    {%- set limited = mass | replace('mass_t', 'limited_mass_t') %}
    case status
        when 'data_missing' then '无自动监测数据，也无其他方法的核算量'
        when 'over_permit' then '有总量限值的排放口排放' || {{ limited }} || '吨，超过许可量' || {{ permitted }} || '吨'
        when 'outlet_over_permit' then '合计未超，' || {{ over }} || '个排放口超过其许可量'
        when 'data_insufficient' then insufficient_count || '个排放口的数据不足以核算，已知' || {{ mass }} || '吨为下限'
        when 'no_amount_limit' then '无许可年排放量'
        else '有总量限值的排放口排放' || {{ limited }} || '吨，未超过许可量' || {{ permitted }} || '吨'
    end as status_reason_zh,
    case status
        when 'data_missing' then 'no automatic monitoring and no amount by another method'
        when 'over_permit' then 'outlets with an amount limit emitted ' || {{ limited }} || ' t, more than the ' || {{ permitted }} || ' t permitted'
        when 'outlet_over_permit' then 'within the sum, but ' || {{ over }} || ' outlet(s) above their own amount'
        when 'data_insufficient' then insufficient_count || ' outlet(s) cannot be accounted for, the known ' || {{ mass }} || ' t are a lower bound'
        when 'no_amount_limit' then 'no annual amount is permitted or limited'
        else 'outlets with an amount limit emitted ' || {{ limited }} || ' t of ' || {{ permitted }} || ' t permitted'
    end as status_reason_en,
    data_basis,
    as_of as as_of_date
from judged
