with outlet as (
    select
        permit_no,
        count(*)::integer as outlet_count
    from {{ ref('stg_permits__permit_outlet') }}
    group by permit_no
)

-- A number that is no longer in use leads to its site: its row shows the permit that the site holds now.
select
    number.permit_no,
    number.site_permit_no,
    number.superseded_date,
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
    number.permit_no = number.site_permit_no
    and permit.status = '有效'
    and night.as_of between permit.valid_from_date and permit.valid_to_date as is_valid,
    permit.version_no,
    permit.change_type,
    permit.changed_date,
    right(number.permit_no, 1) as class_letter,
    left(number.permit_no, 18) = permit.uscc as is_number_of_holder,
    coalesce(outlet.outlet_count, 0) as outlet_count,
    permit.data_basis,
    night.as_of as as_of_date
from {{ ref('stg_permits__permit_number') }} as number
inner join {{ ref('stg_permits__permit') }} as permit on number.site_permit_no = permit.permit_no
cross join {{ source('raw', 'night') }} as night
left join outlet on number.permit_no = outlet.permit_no
