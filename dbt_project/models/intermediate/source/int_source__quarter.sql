-- Capture of a quarter, the one place of it: what may be substituted depends on it, and every day shows it (HJ 75-2017).
select
    permit_no,
    outlet_code,
    pollutant_id,
    date_trunc('quarter', business_date)::date as quarter_start_date,
    sum(valid_hours) as valid_hours,
    sum(due_hours - stopped_hours) as operating_hours,
    {{ percent_of('sum(valid_hours)', 'sum(due_hours - stopped_hours)') }} as quarter_capture_pct
from {{ ref('int_source__day') }}
group by permit_no, outlet_code, pollutant_id, quarter_start_date
