-- One row per indicator, region, year and metric that some source can state. A ratio gets its percent here.
with air as (
    select *
    from {{ ref("mart_air_period") }}
    where period_kind = 'year'
),

-- The latest return of a year stands; one issued after the night's date is not known yet.
latest_return as (
    select department_return.*
    from {{ ref("stg_returns__department_return") }} as department_return
    inner join {{ source("raw", "night") }} as night on department_return.issued_date <= night.as_of
    qualify
        row_number() over (
            partition by department_return.indicator_no, department_return.region_code, department_return.year
            order by department_return.issued_date desc
        ) = 1
),

-- Metric A in tonnes; metric B, the rate of the whole emission by the account, is empty while new growth is not known.
reduction as (
    select
        region_year.*,
        metric.metric
    from {{ ref("int_reduction__region_year") }} as region_year
    cross join (values ('tonnes'), ('percent')) as metric (metric)
),

source_value as (
    select
        'air_good_ratio' as value_source,
        basis as value_key,
        region_code,
        year,
        'any' as metric,
        cast(good_ratio_pct as decimal(18, 6)) as value,
        '%' as unit,
        judged_days as coverage_n,
        required_days as coverage_required,
        judged_full_months as full_months,
        judged_is_sufficient as is_sufficient,
        standard_code,
        data_basis,
        inputs_hash as inputs
    from air
    union all
    select
        'air_pm25_mean' as value_source,
        basis as value_key,
        region_code,
        year,
        'any' as metric,
        cast(pm25_mean_ug_m3 as decimal(18, 6)) as value,
        'μg/m3' as unit,
        pm25_valid_days as coverage_n,
        required_days as coverage_required,
        pm25_full_months as full_months,
        pm25_is_sufficient as is_sufficient,
        standard_code,
        data_basis,
        inputs_hash as inputs
    from air
    union all
    select
        'reduction' as value_source,
        pollutant_id as value_key,
        region_code,
        year,
        metric,
        -- No project on file is no figure, and not a reduction of 0 t.
        cast(case when metric = 'percent' then rate_b_pct when project_count > 0 then verified_cum_t end as decimal(18, 6)) as value,
        case when metric = 'tonnes' then 't' else '%' end as unit,
        case when metric = 'tonnes' then project_count else source_count end as coverage_n,
        null as coverage_required,
        null as full_months,
        metric = 'tonnes' or rate_b_pct is not null as is_sufficient,
        null as standard_code,
        data_basis,
        cast(struct_pack(verified_cum_t, rate_b_pct, base_t, project_count, evidence_gap_count) as varchar) as inputs
    from reduction
    where base_t is not null or project_count > 0
    union all
    select
        'department_return' as value_source,
        cast(indicator_no as varchar) as value_key,
        region_code,
        year,
        'any' as metric,
        cast(numerator / nullif(denominator, 0) as decimal(18, 6)) as value,
        'ratio' as unit,
        1 as coverage_n,
        null as coverage_required,
        null as full_months,
        true as is_sufficient,
        null as standard_code,
        data_basis,
        cast(struct_pack(numerator, denominator, issuer, doc_no, issued_date) as varchar) as inputs
    from latest_return
    union all
    select
        'stated' as value_source,
        cast(indicator.indicator_no as varchar) as value_key,
        plan.region_code,
        indicator.target_year as year,
        'any' as metric,
        cast(indicator.actual_num as decimal(18, 6)) as value,
        coalesce(indicator.unit, '') as unit,
        1 as coverage_n,
        null as coverage_required,
        null as full_months,
        true as is_sufficient,
        null as standard_code,
        'stated' as data_basis,
        indicator.actual_raw || ' ' || indicator.source_doc as inputs
    from {{ ref("plan_indicator") }} as indicator
    inner join {{ ref("plan") }} as plan on indicator.plan_id = plan.plan_id
    where indicator.value_source = 'stated'
)

select
    indicator.plan_id,
    indicator.indicator_no,
    source_value.region_code,
    source_value.year,
    source_value.metric,
    case
        when source_value.unit = 'ratio' and indicator.unit = '%' then cast(100 * source_value.value as decimal(18, 4))
        else cast(source_value.value as decimal(18, 4))
    end as value,
    case when source_value.unit = 'ratio' then coalesce(indicator.unit, '') else source_value.unit end as unit,
    source_value.coverage_n,
    coalesce(source_value.coverage_required, indicator.coverage_min) as coverage_required,
    source_value.full_months,
    source_value.is_sufficient
    and source_value.coverage_n >= coalesce(source_value.coverage_required, indicator.coverage_min) as is_sufficient,
    source_value.standard_code,
    source_value.data_basis,
    source_value.inputs
from source_value
inner join {{ ref("plan_indicator") }} as indicator
    on source_value.value_source = indicator.value_source and source_value.value_key = indicator.value_key
