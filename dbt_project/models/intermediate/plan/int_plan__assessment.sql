-- Every point at which an indicator is looked at, with its value, its target and what the value is compared with.
with night as (
    select *
    from {{ source("raw", "night") }}
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
        plan.plan_id,
        'ANNUAL_' || years.year as assessment_point,
        'annual' as point_kind,
        cast(years.year as integer) as year,
        make_date(years.year, 12, 31) as due_date
    from {{ ref("plan") }} as plan
    cross join night
    cross join lateral (select unnest(range(plan.start_year, year(night.as_of) + 1)) as year) as years
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
        arg_min(value, year) filter (where baseline_kind != 'start_of_change') as other_baseline_value,
        min(year) filter (where baseline_kind != 'start_of_change') as other_baseline_year
    from {{ ref("plan_baseline") }}
    group by plan_id, indicator_no
),

with_target as (
    select
        looked_at.*,
        baselines.baseline_value,
        baselines.baseline_year,
        case when baselines.other_baseline_year < baselines.baseline_year then baselines.other_baseline_value end as other_baseline_value,
        nullif(baselines.other_baseline_year, baselines.baseline_year) as other_baseline_year,
        baselines.path_start,
        baselines.path_start + (final.target_value - baselines.path_start) * path.share_pct / 100 as path_value,
        interim.target_value as interim_value,
        coalesce(interim.target_value, final.target_value, guard.target_num) as target_value,
        coalesce(interim.unit, final.unit) as target_unit,
        coalesce(interim.metric, final.metric) as target_metric,
        coalesce(interim.doc_no, final.doc_no) as target_doc_no,
        coalesce(interim.issued_date, final.issued_date) as target_issued_date,
        coalesce(interim.data_basis, final.data_basis) as target_basis
    from looked_at
    left join baselines using (plan_id, indicator_no)
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
    left join {{ ref("plan_path") }} as path
        on looked_at.plan_id = path.plan_id and looked_at.path = path.path and looked_at.year = path.year
    left join {{ ref("plan_indicator") }} as guard
        on looked_at.plan_id = guard.plan_id and looked_at.indicator_no = guard.indicator_no and guard.kind = 'Q'
)
select 1
