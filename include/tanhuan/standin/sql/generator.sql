-- The tables that the hourly generator reads, typed, made once at start from the register (city.py).
create table habit as
select
    outlet,
    permit_no,
    outlet_code,
    kind,
    schedule,
    first_hour::integer as first_hour,
    last_hour::integer as last_hour,
    works_sunday::boolean as works_sunday,
    stop_probability::double as stop_probability,
    daily_amplitude::double as daily_amplitude,
    weekend_factor::double as weekend_factor,
    o2_reference_pct::double as o2_reference_pct,
    neglect::double as neglect
from register_habit;

create table channel as
select
    outlet,
    ordinal::integer as ordinal,
    factor_code,
    role,
    mean::double as mean,
    full_scale::double as full_scale
from register_channel;

create table micro_device as
select
    device_code,
    county_code,
    nearest_station_code,
    slope::double as slope
from register_micro_device;

create table network_iaqi_hour as
select
    valid_from::date as valid_from,
    valid_to::date as valid_to,
    item,
    value_low::double as value_low,
    value_high::double as value_high,
    iaqi_low::double as iaqi_low,
    iaqi_high::double as iaqi_high
from register_network_iaqi_hour;

-- Days of a binding as hours since 1970 UTC, the end excluded; local midnight is 16:00 UTC of the day before.
create table binding_hour as
select
    permit_no || '|' || outlet_code as outlet,
    mn_code,
    date_diff('day', date '1970-01-01', valid_from_date) * 24 - 8 as first_h,
    date_diff('day', date '1970-01-01', coalesce(valid_to_date, date '9999-12-30')) * 24 + 16 as last_h
from device_binding;
