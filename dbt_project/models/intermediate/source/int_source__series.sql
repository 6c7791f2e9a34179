-- What is due: outlet and pollutant, and the days from and to which its logger owes hours to the platform.
with night as (
    select * from {{ source('raw', 'night') }}
),

series as (
    select
        permit_no,
        outlet_code,
        pollutant_id,
        min(medium) as medium,
        min(business_date) as first_date,
        max(business_date) as last_date,
        {{ basis_of_group('data_basis') }} as data_basis
    from {{ ref('int_source__hour') }}
    where pollutant_id <> 'flow'
    group by permit_no, outlet_code, pollutant_id
)

select
    series.permit_no,
    series.outlet_code,
    series.pollutant_id,
    series.medium,
    series.data_basis,
    case
        when outlet.bound_from_date is null then series.first_date
        -- Before its first day the platform kept nothing of anybody: nothing is missing there.
        else greatest(outlet.bound_from_date, min(series.first_date) over ())
    end as due_from_date,
    case
        when outlet.bound_from_date is null then series.last_date
        else least(coalesce(outlet.bound_to_date, night.as_of), night.as_of)
    end as due_to_date
from series
cross join night
left join {{ ref('dim_outlet') }} as outlet
    on series.permit_no = outlet.permit_no and series.outlet_code = outlet.outlet_code
