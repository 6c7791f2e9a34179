{{ config(materialized="table") }}

with rules as (
    {{ air_rules([
        "year_min_days", "month_min_days", "february_min_days", "multiple_decimals", "rate_decimals", "limits_at_period_end"
    ]) }}
),

dated as (
    select
        days.*,
        days.concentration is not null or days.is_left_out and coalesce(coverage.value = 'count', false) as is_covered,
        period.period_kind,
        cast(date_trunc(period.period_kind, days.business_date) as date) as period_start_date,
        case
            when period.period_kind = 'month' then last_day(days.business_date)
            else make_date(year(days.business_date), 12, 31)
        end as period_end_date
    from {{ ref("int_air__period_day") }} as days
    cross join (values ('month'), ('year')) as period (period_kind)
    left join {{ ref("air_exception_rule") }} as coverage
        on coverage.rule_id = 'coverage' and {{ in_force("coverage", "days.business_date") }}
),

-- HJ 663-2013 A.6, written out because its percentage is a rule and quantile_cont wants a constant.
summed as (
    select
        dated.scope,
        dated.scope_code,
        dated.region_level,
        dated.basis,
        dated.series,
        dated.item_id,
        dated.period_kind,
        dated.period_start_date,
        dated.period_end_date,
        count(dated.concentration) as valid_days,
        sum(cast(dated.is_covered as integer)) as covered_days,
        count(*) filter (where dated.is_left_out) as left_out_days,
        count(*) filter (where dated.is_compliant and dated.concentration is not null) as compliant_days,
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
),

required as (
    select
        summed.*,
        rules.standard_code,
        rules.multiple_decimals,
        rules.rate_decimals,
        -- The limits of 2026 begin within the year: which of them judge it is a rule, and the others stand beside.
        case when rules.limits_at_period_end = 1 then summed.period_end_date else summed.period_start_date end as limit_date,
        case when rules.limits_at_period_end = 1 then summed.period_start_date else summed.period_end_date end as other_limit_date,
        case
            when summed.period_kind = 'year' then rules.year_min_days
            when month(summed.period_start_date) = 2 then rules.february_min_days
            else rules.month_min_days
        end as required_days
    from summed
    inner join rules on {{ in_force("rules", "summed.period_end_date") }}
),

-- GB 3095-2012 table 4: a year needs its days and each of its twelve months; a month that never came misses too.
full_months as (
    select
        scope,
        scope_code,
        basis,
        series,
        item_id,
        year(period_start_date) as year,
        count(*) filter (where covered_days >= required_days) as full_months
    from required
    where period_kind = 'month'
    group by scope, scope_code, basis, series, item_id, year(period_start_date)
),

-- HJ 663-2013 6.3: results are rounded before they are held against a limit.
evaluated as (
    select
        required.*,
        case when required.period_kind = 'year' then full_months.full_months end as full_months,
        required.covered_days >= required.required_days
        and (required.period_kind = 'month' or full_months.full_months = 12) as is_sufficient,
        cast(
            required.ordered[cast(floor(required.k) as integer)]
            + coalesce(
                (required.ordered[cast(floor(required.k) as integer) + 1] - required.ordered[cast(floor(required.k) as integer)])
                * (required.k - floor(required.k)), 0
            ) as decimal(12, 4)
        ) as percentile,
        places.value as decimals,
        annual.limit_value as mean_limit,
        daily.limit_value as percentile_limit,
        daily.standard_code as limit_standard_code,
        case when other_daily.standard_code != daily.standard_code then other_daily.standard_code end as other_limit_standard_code,
        case when other_daily.standard_code != daily.standard_code then other_annual.limit_value end as other_mean_limit,
        case when other_daily.standard_code != daily.standard_code then other_daily.limit_value end as other_percentile_limit
    from required
    left join full_months
        on
            required.scope = full_months.scope
            and required.scope_code = full_months.scope_code
            and required.basis = full_months.basis
            and required.series = full_months.series
            and required.item_id = full_months.item_id
            and year(required.period_start_date) = full_months.year
    left join {{ ref("air_validity") }} as places
        on
            places.rule_id = 'decimals'
            and required.item_id = places.pollutant_id
            and {{ in_force("places", "required.period_end_date") }}
    left join {{ ref("air_limit") }} as daily
        on
            required.item_id = daily.pollutant_id
            and daily.averaging in ('24h', '8h')
            and {{ in_force("daily", "required.limit_date") }}
    left join {{ ref("air_limit") }} as annual
        on
            required.item_id = annual.pollutant_id
            and annual.averaging = 'year'
            and {{ in_force("annual", "required.limit_date") }}
    left join {{ ref("air_limit") }} as other_daily
        on
            required.item_id = other_daily.pollutant_id
            and other_daily.averaging in ('24h', '8h')
            and {{ in_force("other_daily", "required.other_limit_date") }}
    left join {{ ref("air_limit") }} as other_annual
        on
            required.item_id = other_annual.pollutant_id
            and other_annual.averaging = 'year'
            and {{ in_force("other_annual", "required.other_limit_date") }}
),

compared as (
    select
        evaluated.* exclude (ordered, k, mean),
        cast(evaluated.mean as decimal(12, 4)) as mean,
        {{ round_half_even("evaluated.mean", "evaluated.decimals") }} as mean_evaluated,
        {{ round_half_even("evaluated.percentile", "evaluated.decimals") }} as percentile_evaluated,
        evaluated.period_end_date <= night.as_of as is_over
    from evaluated
    cross join {{ source("raw", "night") }} as night
),

ratios as (
    select
        *,
        cast(mean_evaluated / mean_limit as decimal(18, 6)) as mean_ratio,
        cast(percentile_evaluated / percentile_limit as decimal(18, 6)) as percentile_ratio
    from compared
)

select
    * exclude (multiple_decimals, rate_decimals, covered_days, decimals, limit_date, other_limit_date),
    -- Annex C.1: the worse of mean and percentile; CO and ozone have no annual limit.
    greatest(mean_ratio, percentile_ratio) as single_index,
    {{ round_half_even("100.0 * compliant_days / nullif(valid_days, 0)", "rate_decimals") }} as compliant_ratio_pct,
    case when period_kind = 'year' and mean_ratio > 1 then {{ round_half_even("mean_ratio - 1", "multiple_decimals") }} end as mean_multiple,
    case when period_kind = 'year' and percentile_ratio > 1 then {{ round_half_even("percentile_ratio - 1", "multiple_decimals") }} end
        as percentile_multiple,
    greatest(mean_ratio, percentile_ratio) - 1 as highest_multiple,
    -- 5.1.1.2: a year complies by its mean (but for CO and ozone) and by its percentile; 6.1.5: not without its days.
    case when period_kind = 'year' and is_sufficient and is_over then coalesce(mean_ratio <= 1, true) and percentile_ratio <= 1 end
        as is_compliant,
    case
        when period_kind = 'year' and is_sufficient and is_over and other_limit_standard_code is not null
            then coalesce(mean_evaluated <= other_mean_limit, true) and percentile_evaluated <= other_percentile_limit
    end as is_compliant_by_other_limits
from ratios
