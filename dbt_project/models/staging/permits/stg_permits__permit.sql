with latest as (
    {{ latest_admitted('permit', ['permit_no']) }}
)

select
    permit_no,
    uscc,
    enterprise_name,
    site_name,
    county_code,
    zone_code,
    industry_code,
    industry_name,
    management_level,
    status,
    issued_date,
    valid_from_date,
    valid_to_date,
    version_no,
    change_type,
    changed_date,
    previous_permit_no,
    data_basis
from latest
