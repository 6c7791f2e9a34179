-- Every point at which an indicator is looked at, with its baselines and the target in force for it.
with night as (
    select *
    from {{ source("raw", "night") }}
),

plan_years as (
    select
        plan.plan_id,
        unnest(range(plan.start_year, year(night.as_of) + 1)) as year
    from {{ ref("plan") }} as plan
    cross join night
),

points as (
    select
        plan_id,
        assessment_point,
        point_kind,
        year,
        due_date
    from {{ ref("plan_assessment_point") }}
    union all
    select
        plan_id,
        'ANNUAL_' || year as assessment_point,
        'annual' as point_kind,
        cast(year as integer) as year,
        make_date(year, 12, 31) as due_date
    from plan_years
),

looked_at as (
    select
        indicator.*,
        plan.region_code,
        plan.end_year,
        points.assessment_point,
        points.point_kind,
        points.year,
        points.due_date,
        night.as_of
    from {{ ref("plan_indicator") }} as indicator
    inner join {{ ref("plan") }} as plan on indicator.plan_id = plan.plan_id
    inner join points on indicator.plan_id = points.plan_id
    cross join night
),

baselines as (
    select
        plan_id,
        indicator_no,
        max(value) filter (where is_path_start) as path_start,
        arg_max(value, year) filter (where baseline_kind != 'start_of_change') as baseline_value,
        max(year) filter (where baseline_kind != 'start_of_change') as baseline_year,
        arg_min(value, year) filter (where baseline_kind != 'start_of_change') as other_value,
        min(year) filter (where baseline_kind != 'start_of_change') as other_year
    from {{ ref("plan_baseline") }}
    group by plan_id, indicator_no
)

select
    looked_at.*,
    baselines.baseline_value,
    baselines.baseline_year,
    case when baselines.other_year < baselines.baseline_year then baselines.other_value end as other_baseline_value,
    nullif(baselines.other_year, baselines.baseline_year) as other_baseline_year,
    interim.target_value as interim_value,
    baselines.path_start + (final.target_value - baselines.path_start) * path.share_pct / 100 as path_value,
    coalesce(interim.target_value, final.target_value) as target_value,
    coalesce(interim.unit, final.unit) as target_unit,
    coalesce(interim.metric, final.metric) as target_metric,
    coalesce(interim.doc_no, final.doc_no) as target_doc_no,
    coalesce(interim.issued_date, final.issued_date) as target_issued_date,
    coalesce(interim.data_basis, final.data_basis) as target_basis
from looked_at
left join baselines on looked_at.plan_id = baselines.plan_id and looked_at.indicator_no = baselines.indicator_no
left join {{ ref("int_plan__target") }} as interim
    on
        looked_at.plan_id = interim.plan_id
        and looked_at.indicator_no = interim.indicator_no
        and looked_at.region_code = interim.region_code
        and looked_at.year = interim.year
left join {{ ref("int_plan__target") }} as final
    on
        looked_at.plan_id = final.plan_id
        and looked_at.indicator_no = final.indicator_no
        and looked_at.region_code = final.region_code
        and looked_at.target_year = final.year
        -- A baseline is not measured against a target.
        and looked_at.point_kind != 'baseline'
left join {{ ref("plan_path") }} as path
    on looked_at.plan_id = path.plan_id and looked_at.path = path.path and looked_at.year = path.year
-- A year before the plan is looked at only where the plan itself gives that year as a baseline.
where looked_at.point_kind != 'baseline' or looked_at.year in (baselines.baseline_year, baselines.other_year)
