-- Manual samples taken on the days whose midnight is in [first_h, last_h), as far as the laboratory has reported them by
-- now_day (days since 1970, local). One visit a month to a section or source, one in half a year to a well.
with
days as (
    select unnest(range((getvariable('first_h') + 31) // 24, (getvariable('last_h') + 31) // 24)) as day
),

months as (
    select distinct date_trunc('month', date '1970-01-01' + day::integer)::date as month
    from days
),

drawn_visits as (
    select
        *,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'visit', point_code, month)) as bits
    from water_site
    cross join months
    -- Wells in March and September.
    where month(month) % every_months = 3 % every_months
),

visits as (
    select
        * exclude (bits),
        date_diff('day', date '1970-01-01', month) + first_day - 1
        + ((bits & 65535) * (last_day - first_day + 1) // 65536)::bigint as day,
        10 + (((bits >> 16) & 65535) * 26 // 65536)::bigint as days_to_report
    from drawn_visits
),

drawn_results as (
    select
        v.*,
        i.*,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'result', v.point_code, v.month, i.item_code)) as bits
    from visits as v
    inner join water_item as i on list_contains(i.kinds, v.sample_kind) and (v.body_kind = 'lake' or not i.lakes_only)
    where v.day in (select day from days) and v.day + v.days_to_report <= getvariable('now_day')
),

results as (
    select
        *,
        mean
        * case when follows_burden then burden else 1 end
        * case item_code when 'w01010' then 1 - 0.45 * cos(2 * pi() * (month(month) - 1) / 12) else 1 end
        -- Roughly log-normal: the sum of three uniform draws, scaled to a variance of one.
        * exp(spread * 2 * ((bits & 65535) + ((bits >> 16) & 65535) + ((bits >> 32) & 65535) - 98302.5) / 65536) as drawn
    from drawn_results
),

judged as (
    select
        *,
        date '1970-01-01' + day::integer as sampled_date,
        date '1970-01-01' + (day + days_to_report)::integer as reported_date,
        coalesce(drawn < detection_limit, false) as is_below_detection
    from results
)

select
    sample_kind,
    point_code,
    point_name,
    sampled_date,
    item_code,
    item_name,
    case
        -- Two laboratories, two ways to write it.
        when is_below_detection and sample_kind = 'section' then '<' || detection_limit_text
        when is_below_detection then detection_limit_text || 'L'
        else round(drawn, decimals)::decimal(18, 6)::varchar
    end as value_text,
    case when not is_below_detection then round(drawn, decimals) end as value,
    is_below_detection,
    detection_limit,
    unit,
    reported_date,
    '示例监字〔' || year(sampled_date) || '〕' || point_code || '-' || strftime(sampled_date, '%m') || '号' as doc_no,
    null as remark,
    'synthetic' as data_basis
from judged
