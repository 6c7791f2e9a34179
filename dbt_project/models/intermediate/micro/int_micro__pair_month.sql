{{ config(materialized='table') }}

-- Sums over the paired hours of a month, and n times the sums of squares about the mean: exact, so that a limit met exactly
-- is met.
with month_sum as (
    select
        device_code,
        pollutant_id,
        date_trunc('month', business_date)::date as month_date,
        reference_station_code,
        arg_max(county_code, business_date) as county_code,
        sum(pair_count)::bigint as pair_count,
        sum(sum_x)::decimal(18, 2) as sum_x,
        sum(sum_y)::decimal(18, 2) as sum_y,
        sum(sum_xx)::decimal(18, 4) as sum_xx,
        sum(sum_yy)::decimal(18, 4) as sum_yy,
        sum(sum_xy)::decimal(18, 4) as sum_xy,
        {{ basis_of_group('data_basis') }} as device_basis,
        {{ basis_of_group('reference_basis') }} as reference_basis
    from {{ ref('int_micro__day') }}
    group by device_code, pollutant_id, date_trunc('month', business_date), reference_station_code
),

-- A device that was moved within the month is compared where it stood longest.
main_station as (
    select *
    from month_sum
    qualify
        row_number() over (
            partition by device_code, pollutant_id, month_date order by pair_count desc, reference_station_code asc
        ) = 1
)

select
    *,
    (pair_count * sum_xx - sum_x * sum_x)::decimal(19, 4) as spread_xx,
    (pair_count * sum_yy - sum_y * sum_y)::decimal(19, 4) as spread_yy,
    (pair_count * sum_xy - sum_x * sum_y)::decimal(19, 4) as spread_xy
from main_station
