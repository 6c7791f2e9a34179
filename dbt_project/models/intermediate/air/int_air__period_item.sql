-- Item `judged` stands for the day as a whole; it has days and coverage, but no concentration.
with days as (
    select
        region_code,
        basis,
        business_date,
        {{ unpivot_air_items({"concentration": "<id>_<unit>"}) }} as item
    from {{ ref("fct_air_city_day") }}
),

items as (
    select
        days.region_code,
        days.basis,
        days.business_date,
        days.item.pollutant_id as item_id,
        days.item.concentration
    from days
    union all
    select
        region_code,
        basis,
        business_date,
        'judged' as item_id,
        case when is_judged then 1 end as concentration
    from {{ ref("fct_air_city_day") }}
),

dated as (
    select
        items.*,
        period.period_kind,
        cast(date_trunc(period.period_kind, items.business_date) as date) as period_start_date,
        case
            when period.period_kind = 'month' then last_day(items.business_date)
            else make_date(year(items.business_date), 12, 31)
        end as period_end_date
    from items
    cross join (values ('month'), ('year')) as period (period_kind)
),

rules as (
    {{ air_rules(["year_min_days", "month_min_days", "february_min_days"]) }}
),

months as (
    select
        dated.region_code,
        dated.basis,
        dated.item_id,
        dated.period_start_date,
        count(dated.concentration) as valid_days,
        any_value(case when month(dated.business_date) = 2 then rules.february_min_days else rules.month_min_days end) as required_days
    from dated
    inner join rules on {{ in_force("rules", "dated.period_end_date") }}
    where dated.period_kind = 'month'
    group by dated.region_code, dated.basis, dated.item_id, dated.period_start_date
),

-- GB 3095-2012 table 4: a year needs its days and each of its twelve months; a month that never came misses too.
full_months as (
    select
        region_code,
        basis,
        item_id,
        year(period_start_date) as year,
        count(*) filter (where valid_days >= required_days) as full_months
    from months
    group by region_code, basis, item_id, year(period_start_date)
),

-- HJ 663-2013 A.6, written out because its percentage is a rule and quantile_cont wants a constant.
summed as (
    select
        dated.region_code,
        dated.basis,
        dated.item_id,
        dated.period_kind,
        dated.period_start_date,
        dated.period_end_date,
        count(dated.concentration) as valid_days,
        {{ exact_mean("dated.concentration") }} as mean,
        list(dated.concentration order by dated.concentration) filter (where dated.concentration is not null) as ordered,
        cast(1 + (count(dated.concentration) - 1) * any_value(percentile.value) / 100 as decimal(18, 6)) as k
    from dated
    left join {{ ref("air_validity") }} as percentile
        on
            percentile.rule_id = 'percentile'
            and dated.item_id = percentile.pollutant_id
            and {{ in_force("percentile", "dated.period_end_date") }}
    group by all
)

select
    summed.region_code,
    summed.basis,
    summed.item_id,
    summed.period_kind,
    summed.period_start_date,
    summed.period_end_date,
    rules.standard_code,
    summed.valid_days,
    coalesce(months.required_days, rules.year_min_days) as required_days,
    case when summed.period_kind = 'year' then full_months.full_months end as full_months,
    summed.valid_days >= coalesce(months.required_days, rules.year_min_days)
    and (summed.period_kind = 'month' or full_months.full_months = 12) as is_sufficient,
    cast(summed.mean as decimal(12, 4)) as mean,
    cast(
        summed.ordered[cast(floor(summed.k) as integer)]
        + coalesce(
            (summed.ordered[cast(floor(summed.k) as integer) + 1] - summed.ordered[cast(floor(summed.k) as integer)])
            * (summed.k - floor(summed.k)), 0
        ) as decimal(12, 4)
    ) as percentile
from summed
inner join rules on {{ in_force("rules", "summed.period_end_date") }}
left join months
    on
        summed.period_kind = 'month'
        and summed.region_code = months.region_code
        and summed.basis = months.basis
        and summed.item_id = months.item_id
        and summed.period_start_date = months.period_start_date
left join full_months
    on
        summed.region_code = full_months.region_code
        and summed.basis = full_months.basis
        and summed.item_id = full_months.item_id
        and year(summed.period_start_date) = full_months.year
