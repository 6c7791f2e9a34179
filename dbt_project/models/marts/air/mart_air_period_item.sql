select
    items.scope_code as region_code,
    items.region_level,
    items.period_kind,
    items.period_start_date,
    items.period_end_date,
    year(items.period_start_date) as year,
    case when items.period_kind = 'month' then month(items.period_start_date) end as month,
    items.basis,
    items.series,
    items.item_id as pollutant_id,
    items.valid_days,
    items.required_days,
    items.full_months,
    items.is_sufficient,
    items.left_out_days,
    items.mean,
    items.mean_evaluated,
    items.mean_limit,
    items.mean_multiple,
    items.percentile,
    items.percentile_evaluated,
    items.percentile_limit,
    items.percentile_multiple,
    items.compliant_days,
    cast(items.compliant_ratio_pct as decimal(5, 1)) as compliant_ratio_pct,
    items.single_index,
    items.is_compliant,
    items.standard_code,
    items.limit_standard_code,
    items.other_limit_standard_code,
    items.other_mean_limit,
    items.other_percentile_limit,
    items.is_compliant_by_other_limits,
    days.data_basis
from {{ ref("int_air__period_item") }} as items
inner join {{ ref("mart_air_period") }} as days
    on
        items.scope_code = days.region_code
        and items.basis = days.basis
        and items.series = days.series
        and items.period_kind = days.period_kind
        and items.period_start_date = days.period_start_date
where items.scope = 'region' and items.item_id != 'judged'
order by region_code, items.period_kind, items.period_start_date, items.basis, items.series, pollutant_id
