{{ config(materialized='table') }}

with account as (
    select * from {{ ref('int_reduction__region_account') }}
),

-- A county's own order goes before its share of the city's.
target as (
    select * from {{ ref('int_reduction__target_order') }}
    union all by name
    select * from {{ ref('int_reduction__target_split') }}
),

aimed as (
    select
        account.* exclude (expected_pct, data_basis),
        target.* exclude (region_code, pollutant_id, year, expected_pct, data_basis),
        coalesce(target.expected_pct, account.expected_pct) as expected_pct,
        {{ basis_of_row(['account.data_basis', 'target.data_basis']) }} as data_basis
    from account
    left join target
        on
            account.region_code = target.region_code
            and account.pollutant_id = target.pollutant_id
            and account.year = target.year
),

-- A target in tonnes is judged by metric A; one in percent means the total emission: metric B by the account.
completed as (
    select
        *,
        case
            when target_metric = 'tonnes' then {{ percent_of('verified_t', 'target_t') }}
            else {{ percent_of('rate_b_pct', 'target_pct') }}
        end as completion_pct,
        case when target_metric = 'tonnes' then verified_t >= target_t else rate_b_pct >= target_pct end as is_reached
    from aimed
)

select
    region_code,
    region_level,
    pollutant_id,
    year,
    base_t,
    planned_t,
    claimed_t,
    verified_t,
    verified_t as verified_cum_t,
    verified_new_t,
    by_engineering_t,
    by_structure_t,
    by_management_t,
    new_growth_t,
    growth_cum_t,
    growth_missing_zh,
    growth_missing_en,
    net_t,
    account_emission_t,
    emission_t,
    emission_gap_count,
    emission_low_t,
    emission_high_t,
    substituted_share_pct,
    estimated_share_pct,
    capture_rate_pct,
    rate_a_pct,
    rate_b_pct,
    rate_b_reason_zh,
    rate_b_reason_en,
    measured_rate_b_pct,
    measured_rate_b_base_share_pct,
    comparable_source_count as measured_rate_b_source_count,
    measured_rate_b_reason_zh,
    measured_rate_b_reason_en,
    target_t,
    target_pct,
    target_metric,
    target_year,
    target_doc_no,
    target_origin,
    completion_pct,
    expected_pct,
    case
        when not has_begun then 'not_due'
        when year > final_year and target_metric is null then 'not_assessed'
        when base_t is null then 'data_missing'
        when target_metric is null then 'target_missing'
        when completion_pct is null then 'data_insufficient'
        when year = final_year and has_ended then case when is_reached then 'attained' else 'not_attained' end
        when completion_pct >= expected_pct then 'on_track'
        else 'at_risk'
    end as status,
    source_count,
    project_count,
    evidence_gap_count,
    data_basis,
    as_of_date
from completed
-- A zone is a memo: without a source or project in it there is nothing to note.
where region_level is distinct from 'zone' or coalesce(source_count, 0) + coalesce(project_count, 0) > 0
