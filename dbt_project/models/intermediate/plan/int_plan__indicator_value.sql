-- One row per indicator, region, year and metric that some source can state.
with known as (
    select
        indicator.plan_id,
        indicator.indicator_no,
        source.region_code,
        source.year,
        source.metric,
        source.numerator,
        source.denominator,
        source.value,
        source.unit,
        source.coverage_n,
        coalesce(source.coverage_required, indicator.coverage_min) as coverage_required,
        source.full_months,
        source.is_sufficient,
        cast(null as varchar) as missing_cause,
        source.standard_code,
        source.data_basis,
        source.inputs,
        source.stock_growth_t
    from {{ ref("int_plan__source_value") }} as source
    inner join {{ ref("plan_indicator") }} as indicator
        on source.value_source = indicator.value_source and source.value_key = indicator.value_key
    union all
    select
        indicator.plan_id,
        indicator.indicator_no,
        returned.region_code,
        returned.year,
        'any' as metric,
        returned.numerator,
        returned.denominator,
        returned.value,
        coalesce(indicator.unit, '') as unit,
        returned.coverage_n,
        coalesce(returned.coverage_required, indicator.coverage_min) as coverage_required,
        null as full_months,
        true as is_sufficient,
        returned.missing_cause,
        null as standard_code,
        returned.data_basis,
        returned.inputs,
        null as stock_growth_t
    from {{ ref("int_plan__return_value") }} as returned
    inner join {{ ref("plan_indicator") }} as indicator
        on returned.plan_id = indicator.plan_id and returned.indicator_no = indicator.indicator_no
    union all
    select
        indicator.plan_id,
        indicator.indicator_no,
        plan.region_code,
        indicator.target_year as year,
        'any' as metric,
        null as numerator,
        null as denominator,
        indicator.actual_num as value,
        coalesce(indicator.unit, '') as unit,
        1 as coverage_n,
        indicator.coverage_min as coverage_required,
        null as full_months,
        true as is_sufficient,
        null as missing_cause,
        null as standard_code,
        'stated' as data_basis,
        indicator.actual_raw || ' ' || indicator.source_doc as inputs,
        null as stock_growth_t
    from {{ ref("plan_indicator") }} as indicator
    inner join {{ ref("plan") }} as plan on indicator.plan_id = plan.plan_id
    where indicator.value_source = 'stated'
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    metric,
    numerator,
    denominator,
    cast(value as decimal(18, 4)) as value,
    unit,
    coverage_n,
    cast(coverage_required as decimal(18, 4)) as coverage_required,
    full_months,
    coalesce(is_sufficient and coverage_n >= coverage_required, false) as is_sufficient,
    missing_cause,
    standard_code,
    data_basis,
    inputs,
    stock_growth_t
from known
