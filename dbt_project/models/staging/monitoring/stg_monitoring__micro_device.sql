-- A plain aggregate and not `latest_admitted`: it stays cheap however long the history grows.
select
    device_code,
    arg_max(county_code, (hour_end, _load_id)) as county_code,
    arg_max(nearest_station_code, (hour_end, _load_id)) as nearest_station_code,
    arg_max(data_basis, (hour_end, _load_id)) as data_basis,
    min(business_date) as first_seen_date,
    max(business_date) as last_seen_date
from {{ source("raw", "micro_air_hour") }}
group by device_code
