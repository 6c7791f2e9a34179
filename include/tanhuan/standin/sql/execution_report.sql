-- Execution reports handed in by now_day (days since 1970, local), each in its newest version. [first_h, last_h) reaches
-- from the first report's period to now. A report says within 10 % what the outlets emit; a slip of unit is a slip.
with
newest as (
    select *
    from execution_report_line
    where submitted_date <= date '1970-01-01' + getvariable('now_day')::integer
    qualify row_number() over (partition by permit_no, period_type, period, factor_code order by version desc) = 1
),

rates as (
    select
        o.outlet,
        o.permit_no,
        c.factor_code,
        -- Tonnes an hour of operation, and the share of the hours that its schedule has.
        f.mean * case o.kind when 'water' then 3.6e-6 else 3600e-9 end * c.mean as tonnes_an_hour,
        (o.last_hour - o.first_hour + 1) / 24 * if(o.works_sunday, 1, 6 / 7) as scheduled,
        -- Ammonia is high in winter, solvents evaporate in summer (source_hour.sql).
        case c.factor_code when 'w21003' then 0.2 when 'a24088' then -0.1 else 0 end as swing
    from habit as o
    inner join channel as f on o.outlet = f.outlet and f.role = 'flow'
    inner join channel as c on o.outlet = c.outlet and c.role in ('gas', 'water')
),

spans as (
    select
        n.*,
        r.* exclude (permit_no, factor_code),
        date_diff('day', date '1970-01-01', n.first_date) * 24 - 8 as from_h,
        date_diff('day', date '1970-01-01', n.last_date) * 24 + 16 as to_h,
        2 * pi() * from_h / 24 / 365.2425 - 0.3 as season_from,
        2 * pi() * to_h / 24 / 365.2425 - 0.3 as season_to
    from newest as n
    inner join rates as r on n.permit_no = r.permit_no and n.factor_code = r.factor_code
),

stopped as (
    select
        s.outlet,
        s.period_type,
        s.period,
        s.factor_code,
        sum(least(e.first_h + e.length, s.to_h) - greatest(e.first_h, s.from_h)) as hours
    from spans as s
    inner join outlet_event as e
        on s.outlet = e.outlet and e.what = 'stop' and s.to_h > e.first_h and s.from_h < e.first_h + e.length
    group by all
)

select
    s.permit_no,
    s.period_type,
    s.period,
    s.factor_code,
    round(
        sum(
            s.tonnes_an_hour * s.scheduled * (s.to_h - s.from_h - coalesce(x.hours, 0))
            -- The mean of the yearly wave over the period.
            * (1 + s.swing * (sin(s.season_to) - sin(s.season_from)) / (s.season_to - s.season_from))
        ) * any_value(s.accuracy) * any_value(s.slip),
        4
    ) as actual_t,
    any_value(s.exceed_count) as exceed_count,
    any_value(s.submitted_date) as submitted_date,
    any_value(s.version) as version,
    any_value(s.remark) as remark,
    'synthetic' as data_basis
from spans as s
left join stopped as x using (outlet, period_type, period, factor_code)
group by s.permit_no, s.period_type, s.period, s.factor_code
