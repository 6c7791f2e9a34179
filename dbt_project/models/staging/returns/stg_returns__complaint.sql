with latest as (
    {{ latest_admitted('complaint', ['complaint_no'], by_day=true) }}
)

select
    complaint_no,
    business_date,
    received_date,
    county_code,
    channel,
    medium,
    subject,
    status,
    closed_date,
    data_basis
from latest
