-- One row per source, key, region, year and metric that can state a figure of a plan; who asks for it is in plan_indicator.
with air as (
    select *
    from {{ ref("mart_air_period") }}
    where period_kind = 'year' and series = 'all'
),

-- Metric A in tonnes; metric B, the rate of the whole emission by the account, is empty while new growth is not known.
reduction as (
    select
        region_year.*,
        metric.metric
    from {{ ref("int_reduction__region_year") }} as region_year
    cross join (values ('tonnes'), ('percent')) as metric (metric)
),

waste as (
    select
        year,
        cast(sum(utilised_t + disposed_t) as decimal(18, 4)) as numerator,
        cast(sum(generated_t + opening_stock_t) as decimal(18, 4)) as denominator,
        cast(sum(closing_stock_t - opening_stock_t) as decimal(18, 4)) as stock_growth_t,
        count(distinct uscc) as holders,
        {{ basis_of_group("data_basis") }} as data_basis,
        string_agg(distinct doc_no, ' ' order by doc_no) as doc_nos
    from {{ ref("stg_returns__hazardous_waste_balance") }}
    group by year
),

air_value as (
    select
        'air_good_ratio' as value_source,
        basis as value_key,
        region_code,
        year,
        'any' as metric,
        cast(null as decimal(18, 4)) as numerator,
        cast(null as decimal(18, 4)) as denominator,
        cast(good_ratio_pct as decimal(18, 6)) as value,
        '%' as unit,
        judged_days as coverage_n,
        required_days as coverage_required,
        judged_full_months as full_months,
        judged_is_sufficient as is_sufficient,
        standard_code,
        data_basis,
        inputs_hash as inputs,
        cast(null as decimal(18, 4)) as stock_growth_t
    from air
    union all
    select
        'air_pm25_mean' as value_source,
        basis as value_key,
        region_code,
        year,
        'any' as metric,
        null as numerator,
        null as denominator,
        cast(pm25_mean_ug_m3 as decimal(18, 6)) as value,
        'μg/m3' as unit,
        pm25_valid_days as coverage_n,
        required_days as coverage_required,
        pm25_full_months as full_months,
        pm25_is_sufficient as is_sufficient,
        standard_code,
        data_basis,
        inputs_hash as inputs,
        null as stock_growth_t
    from air
)

select * from air_value
union all
select
    'reduction' as value_source,
    pollutant_id as value_key,
    region_code,
    year,
    metric,
    null as numerator,
    null as denominator,
    -- No project on file is no figure, and not a reduction of 0 t.
    cast(case when metric = 'percent' then rate_b_pct when project_count > 0 then verified_cum_t end as decimal(18, 6)) as value,
    case when metric = 'tonnes' then 't' else '%' end as unit,
    case when metric = 'tonnes' then project_count else source_count end as coverage_n,
    null as coverage_required,
    null as full_months,
    metric = 'tonnes' or rate_b_pct is not null as is_sufficient,
    null as standard_code,
    data_basis,
    cast(struct_pack(verified_cum_t, rate_b_pct, base_t, project_count, evidence_gap_count) as varchar) as inputs,
    null as stock_growth_t
from reduction
where region_level != 'zone' and (base_t is not null or project_count > 0)
union all
select
    'water' as value_source,
    measure as value_key,
    region_code,
    year,
    'any' as metric,
    numerator,
    denominator,
    value_pct as value,
    '%' as unit,
    coverage_n,
    coverage_required,
    null as full_months,
    is_sufficient,
    standard_code,
    data_basis,
    inputs,
    null as stock_growth_t
from {{ ref("int_water__indicator_year") }}
union all
select
    'hazardous_waste' as value_source,
    'all' as value_key,
    city.region_code,
    waste.year,
    'any' as metric,
    waste.numerator,
    waste.denominator,
    cast(100 * waste.numerator / nullif(waste.denominator, 0) as decimal(18, 6)) as value,
    '%' as unit,
    waste.holders as coverage_n,
    null as coverage_required,
    null as full_months,
    true as is_sufficient,
    null as standard_code,
    waste.data_basis,
    cast(struct_pack(waste.numerator, waste.denominator, waste.stock_growth_t, waste.doc_nos) as varchar) as inputs,
    waste.stock_growth_t
from waste
inner join {{ ref("region") }} as city on city.level = 'city'
