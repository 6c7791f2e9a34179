{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail'
) }}

with hour as (
    select * from {{ ref('int_source__hour') }}
    where {{ in_changed_days('source_hour') }}
),

day as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        business_date,
        min(medium) as medium,
        count(*) filter (where hour_state = 'valid')::integer as valid_hours,
        count(*) filter (where hour_state = 'stopped')::integer as stopped_hours,
        count(*) filter (where hour_state = 'invalid')::integer as invalid_hours,
        (24 - count(*))::integer as missing_hours,
        sum(flow_m3) filter (where hour_state = 'valid')::decimal(18, 4) as flow_m3,
        sum(mass_kg) as measured_kg,
        sum(concentration * flow_m3) filter (where hour_state = 'valid') as flow_weighted_sum,
        sum(concentration) filter (where hour_state = 'valid') as concentration_sum,
        max(corrected_mg_m3) filter (where hour_state = 'valid' and medium = 'air') as max_corrected_mg_m3,
        min(concentration_unit) as concentration_unit,
        {{ basis_of_group('data_basis') }} as data_basis
    from hour
    group by permit_no, outlet_code, pollutant_id, business_date
),

-- A source that stood still all day emitted nothing; a day without a valid hour is unknown, which is not nothing.
weighed as (
    select
        *,
        case when stopped_hours = 24 then 0 else measured_kg end::decimal(18, 6) as mass_kg,
        case
            when medium = 'water' then flow_weighted_sum / nullif(flow_m3, 0)
            else concentration_sum / nullif(valid_hours, 0)
        end as mean_concentration
    from day
)

select
    day.permit_no,
    day.outlet_code,
    day.pollutant_id,
    day.business_date,
    day.medium,
    day.valid_hours as measured_hours,
    0 as substituted_hours,
    day.valid_hours,
    day.stopped_hours,
    day.invalid_hours,
    day.missing_hours,
    day.flow_m3,
    day.mass_kg,
    round_even(day.mean_concentration::decimal(38, 10), 4)::decimal(18, 4) as mean_concentration,
    day.concentration_unit,
    day.max_corrected_mg_m3,
    case
        when day.stopped_hours = 24 or rule.medium is null then null
        else
            day.valid_hours >= coalesce(rule.min_valid_hours, 0)
            and day.valid_hours * 100 >= coalesce(rule.min_valid_pct, 0) * (24 - day.stopped_hours)
    end as is_valid_day,
    case when day.mass_kg is not null then 'measured' end as method,
    day.data_basis
from weighed as day
left join {{ ref('source_validity') }} as rule
    on
        day.medium = rule.medium
        and rule.period = 'day'
        and rule.operation = case when day.stopped_hours = 0 then 'continuous' else 'intermittent' end
        and {{ in_force('rule', 'day.business_date') }}
