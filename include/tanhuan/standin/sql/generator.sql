-- The tables that the generator reads, typed, made once at start from the register (city.py).
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

create table water_site as
select
    point_code,
    sample_kind,
    point_name,
    county_code,
    river,
    body_kind,
    is_automatic::boolean as is_automatic,
    burden::double as burden,
    every_months::integer as every_months,
    first_day::integer as first_day,
    last_day::integer as last_day
from register_water_site;

create table water_item as
select
    item_code,
    item_name,
    unit,
    string_split(kinds, ' ') as kinds,
    mean::double as mean,
    spread::double as spread,
    detection_limit as detection_limit_text,
    detection_limit::double as detection_limit,
    decimals::integer as decimals,
    follows_burden::boolean as follows_burden,
    lakes_only::boolean as lakes_only
from register_water_item;

create table execution_report_line as
select
    permit_no,
    period_type,
    period,
    factor_code,
    first_date::date as first_date,
    last_date::date as last_date,
    submitted_date::date as submitted_date,
    version::integer as version,
    accuracy::double as accuracy,
    slip::integer as slip,
    exceed_count::integer as exceed_count,
    remark
from register_execution_report_line;

-- Days of a binding as hours since 1970 UTC, the end excluded; local midnight is 16:00 UTC of the day before.
create table binding_hour as
select
    permit_no || '|' || outlet_code as outlet,
    mn_code,
    date_diff('day', date '1970-01-01', valid_from_date) * 24 - 8 as first_h,
    date_diff('day', date '1970-01-01', coalesce(valid_to_date, date '9999-12-30')) * 24 + 16 as last_h
from device_binding;
