with night as (
    select * from {{ source('raw', 'night') }}
),

bound as (
    select
        binding.permit_no,
        binding.outlet_code,
        -- Which logger serves the outlet changes; today's is the last one that began (HJ 212-2025 gives new numbers).
        arg_max(binding.mn_code, (binding.valid_from_date, binding.mn_code)) filter (
            where binding.valid_to_date is null or binding.valid_to_date >= night.as_of
        ) as mn_code,
        min(binding.valid_from_date) as bound_from_date,
        nullif(max(coalesce(binding.valid_to_date, date '9999-12-31')), date '9999-12-31') as bound_to_date
    from {{ ref('stg_permits__device_binding') }} as binding
    inner join night on binding.valid_from_date <= night.as_of
    group by binding.permit_no, binding.outlet_code
),

concentration_limit as (
    select
        permit_limit.permit_no,
        permit_limit.outlet_code,
        factor.pollutant_id,
        permit_limit.limit_value
    from {{ ref('stg_permits__permit_limit') }} as permit_limit
    inner join night
        on
            permit_limit.valid_from_date <= night.as_of
            and (permit_limit.valid_to_date is null or permit_limit.valid_to_date >= night.as_of)
    inner join {{ ref('pollutant_factor') }} as factor
        on
            permit_limit.factor_code = factor.factor_code
            and permit_limit.unit = factor.concentration_unit
            and {{ in_force('factor', 'night.as_of') }}
),

limit_of_outlet as (
    select
        permit_no,
        outlet_code,
        max(limit_value) filter (where pollutant_id = 'cod') as limit_cod_mg_l,
        max(limit_value) filter (where pollutant_id = 'nh3n') as limit_nh3n_mg_l,
        max(limit_value) filter (where pollutant_id = 'vocs') as limit_vocs_mg_m3,
        max(limit_value) filter (where pollutant_id = 'nox') as limit_nox_mg_m3,
        max(limit_value) filter (where pollutant_id = 'so2') as limit_so2_mg_m3
    from concentration_limit
    group by permit_no, outlet_code
)

select
    outlet.permit_no,
    outlet.outlet_code,
    outlet.outlet_name,
    outlet.medium,
    outlet.outlet_type,
    permit.uscc,
    permit.enterprise_name,
    permit.county_code,
    permit.zone_code,
    outlet.o2_reference_pct,
    outlet.discharge_mode,
    outlet.receiving_water,
    outlet.longitude,
    outlet.latitude,
    bound.mn_code,
    bound.bound_from_date,
    bound.bound_to_date,
    limit_of_outlet.limit_cod_mg_l,
    limit_of_outlet.limit_nh3n_mg_l,
    limit_of_outlet.limit_vocs_mg_m3,
    limit_of_outlet.limit_nox_mg_m3,
    limit_of_outlet.limit_so2_mg_m3,
    outlet.data_basis
from {{ ref('stg_permits__permit_outlet') }} as outlet
left join {{ ref('stg_permits__permit') }} as permit on outlet.permit_no = permit.permit_no
left join bound on outlet.permit_no = bound.permit_no and outlet.outlet_code = bound.outlet_code
left join limit_of_outlet
    on outlet.permit_no = limit_of_outlet.permit_no and outlet.outlet_code = limit_of_outlet.outlet_code
