{{ config(materialized='table') }}

-- depends_on: {{ ref('int_source__scope') }}
{#- Days of other quarters stand as they were computed before. -#}
{%- set computed = computed_source_day() -%}
-- What stands in for the mass of a day of waste water that was not measured well enough, and for hours of a valid day.
with day as (
    select * from {{ ref('int_source__day') }}
    where medium = 'water'
),

rule as (
    select * from {{ ref('water_fill_rule') }}
),

-- A valid day: flow-weighted mean times the volume of all hours with a valid flow (HJ 356-2019, HJ 942-2018).
valid_day as (
    select
        day.permit_no,
        day.outlet_code,
        day.pollutant_id,
        day.business_date,
        day.measured_kg,
        case when rule.mean_fills_valid_day then day.flow_only_hours else 0 end as mean_hours,
        case
            when rule.mean_fills_valid_day
                then round_even(
                    (day.measured_kg::double * (day.discharge_m3 - day.flow_m3)::double / nullif(day.flow_m3, 0)::double)::decimal(38, 10),
                    6
                )
            else 0
        end::decimal(18, 6) as mean_kg
    from day
    inner join rule on day.pollutant_id = rule.pollutant_id and {{ in_force('rule', 'day.business_date') }}
    where day.is_valid_day
),

known_day as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        business_date,
        (measured_kg + mean_kg)::decimal(18, 6) as mass_kg
    from valid_day
    {%- if computed is not none %}
        union all
        select
            computed.permit_no,
            computed.outlet_code,
            computed.pollutant_id,
            computed.business_date,
            computed.mass_kg
        from {{ computed }} as computed
        where
            computed.medium = 'water'
            and computed.is_valid_day
            and date_trunc('quarter', computed.business_date) not in (
                select quarter_start_date from {{ ref('int_source__scope') }}
            )
    {%- endif %}
),

invalid_day as (
    select
        day.permit_no,
        day.outlet_code,
        day.pollutant_id,
        day.business_date,
        pollutant_factor.factor_code,
        rule.median_fills_invalid_day,
        rule.days_without_check,
        rule.min_manual_samples
    from day
    inner join rule on day.pollutant_id = rule.pollutant_id and {{ in_force('rule', 'day.business_date') }}
    inner join {{ ref('pollutant_factor') }} as pollutant_factor
        on day.pollutant_id = pollutant_factor.pollutant_id and {{ in_force('pollutant_factor', 'day.business_date') }}
    where not day.is_valid_day
),

source_check as (
    select * from {{ ref('stg_returns__source_check') }}
),

manual_day as (
    select
        invalid_day.permit_no,
        invalid_day.outlet_code,
        invalid_day.pollutant_id,
        invalid_day.business_date,
        arg_max(source_check.manual_kg, source_check.checked_at)::decimal(18, 6) as manual_kg
    from invalid_day
    inner join source_check
        on
            invalid_day.permit_no = source_check.permit_no
            and invalid_day.outlet_code = source_check.outlet_code
            and invalid_day.factor_code = source_check.factor_code
            and source_check.check_kind = 'manual'
            and invalid_day.business_date = source_check.checked_at::date
            and invalid_day.min_manual_samples <= source_check.sample_count
    group by all
),

-- The window begins with the last comparison that was passed before the day; where there is none, some days back.
window_of_day as (
    select
        invalid_day.permit_no,
        invalid_day.outlet_code,
        invalid_day.pollutant_id,
        invalid_day.business_date,
        coalesce(
            max(source_check.checked_at)::date, (invalid_day.business_date - invalid_day.days_without_check)::date
        ) as fill_from_date
    from invalid_day
    left join source_check
        on
            invalid_day.permit_no = source_check.permit_no
            and invalid_day.outlet_code = source_check.outlet_code
            and invalid_day.factor_code = source_check.factor_code
            and source_check.check_kind = 'comparison'
            and source_check.is_passed
            and invalid_day.business_date > source_check.checked_at::date
    where invalid_day.median_fills_invalid_day
    group by
        invalid_day.permit_no, invalid_day.outlet_code, invalid_day.pollutant_id, invalid_day.business_date,
        invalid_day.days_without_check
),

median_day as (
    select
        window_of_day.permit_no,
        window_of_day.outlet_code,
        window_of_day.pollutant_id,
        window_of_day.business_date,
        window_of_day.fill_from_date,
        round_even(median(known_day.mass_kg)::decimal(38, 10), 6)::decimal(18, 6) as median_kg
    from window_of_day
    left join known_day
        on
            window_of_day.permit_no = known_day.permit_no
            and window_of_day.outlet_code = known_day.outlet_code
            and window_of_day.pollutant_id = known_day.pollutant_id
            and window_of_day.fill_from_date <= known_day.business_date
            and window_of_day.business_date > known_day.business_date
    group by all
)

select
    permit_no,
    outlet_code,
    pollutant_id,
    business_date,
    valid_day.mean_hours,
    valid_day.mean_kg,
    manual_day.manual_kg,
    -- Manual data come first (HJ 356-2019).
    case when manual_day.manual_kg is null then median_day.median_kg end as median_kg,
    case when manual_day.manual_kg is null then median_day.fill_from_date end as fill_from_date
from valid_day
full outer join manual_day using (permit_no, outlet_code, pollutant_id, business_date)
full outer join median_day using (permit_no, outlet_code, pollutant_id, business_date)
