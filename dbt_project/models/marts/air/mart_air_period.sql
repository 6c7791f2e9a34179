with items as (
    select *
    from {{ ref("int_air__period_item") }}
),

-- HJ 663-2013 annex C: a pollutant's index is the worse of mean and percentile against the grade II limits.
single_index as (
    select
        items.region_code,
        items.basis,
        items.period_kind,
        items.period_start_date,
        daily.standard_code as limit_standard_code,
        greatest(
            {{ round_half_even("items.mean", "places.value") }} / annual.limit_value,
            {{ round_half_even("items.percentile", "places.value") }} / daily.limit_value
        ) as item_index
    from items
    inner join {{ ref("air_limit") }} as daily
        on
            items.item_id = daily.pollutant_id
            and daily.averaging in ('24h', '8h')
            and {{ in_force("daily", "items.period_end_date") }}
    left join {{ ref("air_limit") }} as annual
        on
            items.item_id = annual.pollutant_id
            and annual.averaging = 'year'
            and {{ in_force("annual", "items.period_end_date") }}
    left join {{ ref("air_validity") }} as places
        on
            items.item_id = places.pollutant_id
            and places.rule_id = 'decimals'
            and {{ in_force("places", "items.period_end_date") }}
),

composite as (
    select
        region_code,
        basis,
        period_kind,
        period_start_date,
        any_value(limit_standard_code) as limit_standard_code,
        case
            when count(item_index) = {{ air_pollutants() | length }} then sum(cast(item_index as decimal(18, 6)))
        end as composite_index
    from single_index
    group by region_code, basis, period_kind, period_start_date
),

wide as (
    select
        region_code,
        basis,
        period_kind,
        period_start_date,
        period_end_date,
        standard_code,
        {%- for pollutant in air_pollutants() %}
            max(valid_days) filter (where item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_valid_days,
            max(mean) filter (where item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_mean_{{ pollutant.unit }},
            max(percentile) filter (where item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_percentile_{{ pollutant.unit }},
            max(full_months) filter (where item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_full_months,
            bool_or(is_sufficient) filter (where item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_is_sufficient,
        {%- endfor %}
        max(required_days) as required_days,
        max(valid_days) filter (where item_id = 'judged') as judged_days,
        max(full_months) filter (where item_id = 'judged') as judged_full_months,
        bool_and(is_sufficient) as is_sufficient,
        bool_or(is_sufficient) filter (where item_id = 'judged') as judged_is_sufficient,
        string_agg(item_id, '、' order by item_id) filter (where not is_sufficient) as insufficient_items
    from items
    group by region_code, basis, period_kind, period_start_date, period_end_date, standard_code
),

days as (
    select
        days.region_code,
        days.basis,
        period.period_kind,
        cast(date_trunc(period.period_kind, days.business_date) as date) as period_start_date,
        count(*) as observed_days,
        count(*) filter (where days.is_good) as good_days,
        count(*) filter (where category.is_heavy) as heavy_days,
        {{ basis_of_group("days.data_basis") }} as data_basis,
        md5(string_agg(cast(days as varchar), ';' order by days.business_date)) as inputs_hash
    from {{ ref("fct_air_city_day") }} as days
    cross join (values ('month'), ('year')) as period (period_kind)
    left join {{ ref("aqi_category") }} as category
        on days.standard_code = category.standard_code and days.category_level = category.level
    group by all
)

select
    wide.region_code,
    wide.period_kind,
    wide.period_start_date,
    wide.period_end_date,
    year(wide.period_start_date) as year,
    case when wide.period_kind = 'month' then month(wide.period_start_date) end as month,
    wide.basis,
    date_diff('day', wide.period_start_date, wide.period_end_date) + 1 as calendar_days,
    days.observed_days,
    wide.judged_days,
    days.good_days,
    cast(round_even(cast(100 * days.good_days / nullif(wide.judged_days, 0) as decimal(18, 6)), 1) as decimal(5, 1)) as good_ratio_pct,
    days.heavy_days,
    wide.judged_full_months,
    {%- for pollutant in air_pollutants() %}
        wide.{{ pollutant.id }}_valid_days,
        wide.{{ pollutant.id }}_mean_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_percentile_{{ pollutant.unit }},
        wide.{{ pollutant.id }}_full_months,
        wide.{{ pollutant.id }}_is_sufficient,
    {%- endfor %}
    cast(round_even(composite.composite_index, 3) as decimal(9, 3)) as composite_index,
    wide.required_days,
    wide.judged_is_sufficient,
    wide.is_sufficient,
    case
        when not wide.is_sufficient
            then
                '判定 ' || wide.judged_days || ' 天，最低 ' || cast(wide.required_days as integer) || ' 天'
                || coalesce('；12 个月中 ' || wide.judged_full_months || ' 个月达到每月最低天数', '')
                || '；不足项目：' || replace(wide.insufficient_items, 'judged', '判定日')
    end as insufficient_reason_zh,
    case
        when not wide.is_sufficient
            then
                wide.judged_days || ' judged days of at least ' || cast(wide.required_days as integer)
                || coalesce('; ' || wide.judged_full_months || ' of 12 months have their minimum of days', '')
                || '; short: ' || replace(replace(wide.insufficient_items, 'judged', 'judged days'), '、', ', ')
    end as insufficient_reason_en,
    wide.standard_code,
    composite.limit_standard_code,
    days.data_basis,
    days.inputs_hash
from wide
inner join days
    on
        wide.region_code = days.region_code
        and wide.basis = days.basis
        and wide.period_kind = days.period_kind
        and wide.period_start_date = days.period_start_date
left join composite
    on
        wide.region_code = composite.region_code
        and wide.basis = composite.basis
        and wide.period_kind = composite.period_kind
        and wide.period_start_date = composite.period_start_date
order by wide.region_code, wide.period_kind, wide.period_start_date, wide.basis
