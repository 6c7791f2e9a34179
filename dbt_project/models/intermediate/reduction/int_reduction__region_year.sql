with tonnes as (
    select * from {{ ref('int_reduction__region_tonnes') }}
),

-- The target of the very year if the province set one, else the target of the plan's final year. None after the plan.
target as (
    select
        tonnes.region_code,
        tonnes.pollutant_id,
        tonnes.year,
        assigned.year as target_year,
        assigned.metric as target_metric,
        case when assigned.metric = 'tonnes' and assigned.unit in ('t', '吨') then assigned.target_value end as target_t,
        case when assigned.metric = 'percent' then assigned.target_value end as target_pct,
        assigned.doc_no as target_doc_no,
        case when assigned.year = tonnes.year then 100 else tonnes.expected_pct end as expected_pct,
        assigned.data_basis
    from tonnes
    inner join {{ ref('stg_returns__provincial_target') }} as assigned
        on
            tonnes.region_code = assigned.region_code
            and tonnes.indicator_no = assigned.indicator_no
            and assigned.year in (tonnes.year, greatest(tonnes.year, tonnes.final_year))
            and assigned.metric in ('tonnes', 'percent')
            and tonnes.as_of_date >= assigned.issued_date
            and (assigned.superseded_date is null or tonnes.as_of_date < assigned.superseded_date)
    qualify
        row_number() over (
            partition by tonnes.region_code, tonnes.pollutant_id, tonnes.year
            order by assigned.year = tonnes.year desc, assigned.issued_date desc
        ) = 1
),

rated as (
    select
        tonnes.* exclude (expected_pct, data_basis),
        {{ percent_of('tonnes.verified_t', 'tonnes.base_t') }} as rate_a_pct,
        {{ percent_of('(tonnes.comparable_base_t - tonnes.comparable_emission_t)', 'tonnes.comparable_base_t') }} as rate_b_pct,
        {{ percent_of('coalesce(tonnes.comparable_base_t, 0)', 'tonnes.base_t') }} as rate_b_base_share_pct,
        target.* exclude (region_code, pollutant_id, year, expected_pct, data_basis),
        coalesce(target.expected_pct, tonnes.expected_pct) as expected_pct,
        {{ basis_of_row(['tonnes.data_basis', 'target.data_basis']) }} as data_basis
    from tonnes
    left join target
        on
            tonnes.region_code = target.region_code
            and tonnes.pollutant_id = target.pollutant_id
            and tonnes.year = target.year
),

-- A target in tonnes is judged by metric A. One in percent means the total emission, metric B, and that only where every
-- source of the base is measured.
completed as (
    select
        *,
        case
            when target_metric = 'tonnes' then {{ percent_of('verified_t', 'target_t') }}
            when comparable_base_t = base_t then {{ percent_of('rate_b_pct', 'target_pct') }}
        end as completion_pct,
        case
            when target_metric = 'tonnes' then verified_t >= target_t
            when comparable_base_t = base_t then rate_b_pct >= target_pct
        end as is_reached
    from rated
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
    (verified_t - lag(verified_t, 1, 0) over (partition by region_code, pollutant_id order by year))::decimal(18, 4) as verified_new_t,
    by_engineering_t,
    by_structure_t,
    by_management_t,
    -- Nobody reports new growth yet: not known, and therefore no net figure.
    null::decimal(18, 4) as new_growth_t,
    (verified_t - new_growth_t)::decimal(18, 4) as net_t,
    emission_t,
    emission_gap_count,
    rate_a_pct,
    rate_b_pct,
    rate_b_base_share_pct,
    comparable_source_count as rate_b_source_count,
    case
        when rate_b_pct is not null then null
        when not has_ended then '该年度未结束'
        else '无可比排放源：须有基准年排放量、全年监测完整且监测覆盖全部排放'
    end as rate_b_reason_zh,
    case
        when rate_b_pct is not null then null
        when not has_ended then 'The year has not ended'
        else 'No source to compare: one with a base, measured all year, and measured as a whole'
    end as rate_b_reason_en,
    target_t,
    target_pct,
    target_metric,
    target_year,
    target_doc_no,
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
