with night as (
    select * from {{ source('raw', 'night') }}
),

kept_year as (
    select
        unnest(range(coalesce(year(min(business_date)), year((select as_of from night))), year((select as_of from night)) + 1))::integer
            as year
    from {{ ref('fct_source_day') }}
),

concentration_limit as (
    select
        permit_limit.permit_no,
        permit_limit.outlet_code,
        permit_limit.factor_code,
        kept_year.year,
        null::decimal(18, 4) as permitted_t,
        permit_limit.data_basis
    from {{ ref('stg_permits__permit_limit') }} as permit_limit
    inner join kept_year
        on
            kept_year.year >= year(permit_limit.valid_from_date)
            and (permit_limit.valid_to_date is null or kept_year.year <= year(permit_limit.valid_to_date))
),

any_limit as (
    select * from concentration_limit
    union all
    select
        annual_limit.permit_no,
        annual_limit.outlet_code,
        annual_limit.factor_code,
        annual_limit.year,
        annual_limit.permitted_t,
        annual_limit.data_basis
    from {{ ref('stg_permits__permit_annual_limit') }} as annual_limit
    inner join kept_year on annual_limit.year = kept_year.year
),

expected as (
    select
        any_limit.permit_no,
        any_limit.outlet_code,
        factor.pollutant_id,
        any_limit.year,
        any_limit.permitted_t,
        any_limit.data_basis
    from any_limit
    inner join {{ ref('pollutant_factor') }} as factor
        on any_limit.factor_code = factor.factor_code and {{ in_force('factor', 'make_date(any_limit.year, 12, 31)') }}
    left join {{ ref('dim_outlet') }} as outlet
        on any_limit.permit_no = outlet.permit_no and any_limit.outlet_code = outlet.outlet_code
    -- An outlet whose last logger was taken away before the year began is closed: nothing is expected of it.
    where outlet.bound_to_date is null or year(outlet.bound_to_date) >= any_limit.year
    union all
    -- Whoever hands in an estimate says that the outlet emits, with or without limit and logger.
    select
        estimate.permit_no,
        estimate.outlet_code,
        estimate.pollutant_id,
        estimate.year,
        null as permitted_t,
        estimate.data_basis
    from {{ ref('int_accounting__estimate') }} as estimate
    inner join kept_year on estimate.year = kept_year.year
)

select
    permit_no,
    outlet_code,
    pollutant_id,
    year,
    max(permitted_t) as permitted_t,
    {{ basis_of_group('data_basis') }} as data_basis
from expected
group by permit_no, outlet_code, pollutant_id, year
