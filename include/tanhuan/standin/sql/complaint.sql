-- Complaints received on the days whose midnight is in [first_h, last_h), two a day on average; their status is that of
-- now_day (days since 1970, local).
with
matters (matter, medium, subject) as (
    values
    (0, 'air', '示例：夜间有异味'),
    (1, 'air', '示例：工地扬尘'),
    (2, 'noise', '示例：夜间施工噪声'),
    (3, 'noise', '示例：餐饮店风机噪声'),
    (4, 'water', '示例：沟渠水体发黑'),
    (5, 'waste', '示例：路边堆放垃圾'),
    (6, 'ecology', '示例：山体开挖未复绿'),
    (7, 'other', '示例：其他')
),

days as (
    select unnest(range((getvariable('first_h') + 31) // 24, (getvariable('last_h') + 31) // 24)) as day
),

received as (
    select
        day,
        unnest(range(1, 2 + (md5_number_lower(concat_ws('|', getvariable('seed'), 'complaints', day)) % 3)::bigint)) as number
    from days
),

drawn as (
    select
        *,
        date '1970-01-01' + day::integer as received_date,
        md5_number_lower(concat_ws('|', getvariable('seed'), 'complaint', day, number)) as bits
    from received
),

cases as (
    select
        *,
        -- Most are closed within the month, one in 32 runs over the 60 days.
        case when (bits >> 40) & 31 = 0 then 61 + ((bits >> 45) & 31) else 3 + ((bits >> 45) & 31) end::bigint as days_open
    from drawn
    inner join matters on bits & 7 = matter
)

select
    strftime(received_date, '示例举%Y%m%d-') || number as complaint_no,
    received_date,
    (['430302', '430304', '430304', '430321', '430381', '430382'])[1 + ((bits >> 8) % 6)::integer] as county_code,
    (['12345', '12345', '12369', '微信', '网络', '来信', '来访'])[1 + ((bits >> 16) % 7)::integer] as channel,
    medium,
    subject,
    case
        when day + days_open <= getvariable('now_day') then '已办结'
        when day + 2 <= getvariable('now_day') then '办理中'
        else '待办'
    end as status,
    case when day + days_open <= getvariable('now_day') then received_date + days_open::integer end as closed_date,
    'synthetic' as data_basis
from cases
