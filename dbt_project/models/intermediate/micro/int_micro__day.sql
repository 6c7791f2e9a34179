{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='business_date',
    on_schema_change='fail'
) }}

-- A month is fitted from the sums of its days; x is the device as received, y the reference in the same hour.
with item_hour as (
    select
        device_code,
        business_date,
        county_code,
        reference_station_code,
        hour_state,
        data_basis,
        reference_basis,
        {{ unpivot_micro_items({
            'raw': '<id>_raw_<unit>', 'qc': '<id>_qc', 'reference': 'reference_<id>_<unit>'
        }) }} as item
    from {{ ref('int_micro__hour') }}
    where {{ in_micro_days(1) }}
),

paired as (
    select
        *,
        item.pollutant_id as pollutant_id,
        case when item.qc = 'ok' and item.reference is not null then item.raw end as x,
        case when item.qc = 'ok' and item.raw is not null then item.reference end as y
    from item_hour
)

select
    device_code,
    pollutant_id,
    business_date,
    county_code,
    reference_station_code,
    count(*) filter (where hour_state = 'online') as online_hours,
    count(*) filter (where hour_state = 'maintenance') as maintenance_hours,
    count(*) filter (where item.qc = 'ok') as valid_hours,
    count(x) as pair_count,
    sum(x) as sum_x,
    sum(y) as sum_y,
    sum(x * x) as sum_xx,
    sum(y * y) as sum_yy,
    sum(x * y) as sum_xy,
    {{ basis_of_group('data_basis') }} as data_basis,
    {{ basis_of_group('reference_basis') }} as reference_basis
from paired
group by device_code, pollutant_id, business_date, county_code, reference_station_code
