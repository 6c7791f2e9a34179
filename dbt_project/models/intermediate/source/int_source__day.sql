{{ config(materialized='table') }}

-- A day of an outlet and pollutant in scope as it was measured, before anything is filled.
with hour as (
    select * from {{ ref('int_source__state_hour') }}
    where is_in_scope
),

scope as (
    select distinct
        permit_no,
        outlet_code,
        pollutant_id,
        data_basis
    from {{ ref('int_source__scope') }}
),

day as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        business_date,
        min(medium) as medium,
        count(*)::integer as due_hours,
        count(*) filter (where hour_state = 'valid')::integer as valid_hours,
        count(*) filter (where hour_state = 'stopped')::integer as stopped_hours,
        count(*) filter (where hour_state = 'invalid' and is_received)::integer as invalid_hours,
        count(*) filter (where hour_state = 'invalid' and not is_received)::integer as missing_hours,
        count(*) filter (where hour_state = 'invalid' and flow_m3 is not null)::integer as flow_only_hours,
        sum(flow_m3) filter (where hour_state = 'valid')::decimal(18, 4) as flow_m3,
        sum(flow_m3) filter (where hour_state <> 'stopped')::decimal(18, 4) as discharge_m3,
        sum(mass_kg) filter (where hour_state = 'valid')::decimal(18, 6) as measured_kg,
        min(mass_kg) filter (where hour_state = 'valid') as min_hour_kg,
        max(mass_kg) filter (where hour_state = 'valid') as max_hour_kg,
        sum(concentration * flow_m3) filter (where hour_state = 'valid') as flow_weighted_sum,
        sum(concentration) filter (where hour_state = 'valid') as concentration_sum,
        max(corrected_mg_m3) filter (where hour_state = 'valid' and medium = 'air') as max_corrected_mg_m3,
        min(concentration_unit) as concentration_unit,
        {{ basis_of_group('data_basis') }} as data_basis
    from hour
    group by permit_no, outlet_code, pollutant_id, business_date
)

select
    day.* exclude (flow_weighted_sum, concentration_sum, data_basis),
    -- The mean of a day of waste water is weighted by flow (HJ 356-2019), that of a gas is the plain mean of its hours.
    case
        when day.medium = 'water' then day.flow_weighted_sum / nullif(day.flow_m3, 0)
        else day.concentration_sum / nullif(day.valid_hours, 0)
    end as mean_concentration,
    case
        when day.stopped_hours = day.due_hours or rule.medium is null then null
        else
            day.valid_hours >= coalesce(rule.min_valid_hours, 0)
            and day.valid_hours * 100 >= coalesce(rule.min_valid_pct, 0) * (day.due_hours - day.stopped_hours)
    end as is_valid_day,
    coalesce(day.data_basis, scope.data_basis) as data_basis
from day
inner join scope
    on
        day.permit_no = scope.permit_no
        and day.outlet_code = scope.outlet_code
        and day.pollutant_id = scope.pollutant_id
left join {{ ref('source_validity') }} as rule
    on
        day.medium = rule.medium
        and rule.period = 'day'
        and rule.operation = case when day.stopped_hours = 0 then 'continuous' else 'intermittent' end
        and {{ in_force('rule', 'day.business_date') }}
