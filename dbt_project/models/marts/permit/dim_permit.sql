with outlet as (
    select
        permit_no,
        count(*)::integer as outlet_count
    from {{ ref('stg_permits__permit_outlet') }}
    group by permit_no
)

select
    permit.permit_no,
    permit.uscc,
    permit.enterprise_name,
    permit.site_name,
    permit.county_code,
    permit.zone_code,
    permit.industry_code,
    permit.industry_name,
    permit.management_level,
    permit.status,
    permit.issued_date,
    permit.valid_from_date,
    permit.valid_to_date,
    permit.status = '有效' and night.as_of between permit.valid_from_date and permit.valid_to_date as is_valid,
    right(permit.permit_no, 1) as class_letter,
    left(permit.permit_no, 18) = permit.uscc as is_number_of_holder,
    coalesce(outlet.outlet_count, 0) as outlet_count,
    permit.data_basis,
    night.as_of as as_of_date
from {{ ref('stg_permits__permit') }} as permit
cross join {{ source('raw', 'night') }} as night
left join outlet on permit.permit_no = outlet.permit_no
