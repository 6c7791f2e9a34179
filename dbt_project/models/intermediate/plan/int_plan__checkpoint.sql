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
        defined.region_code,
        defined.shown,
        defined.region_code = plan.region_code as is_plan_region,
        plan.start_year,
        plan.end_year,
        plan.base_year,
        points.assessment_point,
        points.point_kind,
        points.year,
        points.due_date,
        night.as_of
    from {{ ref("plan_indicator") }} as indicator
    inner join {{ ref("plan") }} as plan on indicator.plan_id = plan.plan_id
    inner join {{ ref("plan_indicator_region") }} as defined
        on indicator.plan_id = defined.plan_id and indicator.indicator_no = defined.indicator_no
    inner join points on indicator.plan_id = points.plan_id
    cross join night
),

baselines as (
    select
        plan_id,
        indicator_no,
        max(value) filter (where is_path_start) as path_start,
        -- A change starts from nothing everywhere; a level of the city is no level of its counties.
        max(value) filter (where is_path_start and baseline_kind = 'start_of_change') as change_start,
        arg_max(value, year) filter (where baseline_kind != 'start_of_change') as baseline_value,
        max(year) filter (where baseline_kind != 'start_of_change') as baseline_year,
        arg_min(value, year) filter (where baseline_kind != 'start_of_change') as other_value,
        min(year) filter (where baseline_kind != 'start_of_change') as other_year
    from {{ ref("plan_baseline") }}
    group by plan_id, indicator_no
),

-- A county is listed where it has a value or a target of its own, unless the seed lists it always.
listed as (
    select
        plan_id,
        indicator_no,
        region_code
    from {{ ref("int_plan__indicator_value") }}
    where value is not null
    union
    select
        plan_id,
        indicator_no,
        region_code
    from {{ ref("int_plan__target") }}
),

based as (
    select
        looked_at.*,
        case when looked_at.is_plan_region then baselines.baseline_value end as baseline_value,
        case when looked_at.is_plan_region then baselines.baseline_year end as baseline_year,
        case when looked_at.is_plan_region then baselines.other_value end as other_value,
        case when looked_at.is_plan_region then baselines.other_year end as other_year,
        case when looked_at.is_plan_region then baselines.path_start else baselines.change_start end as path_start
    from looked_at
    left join baselines on looked_at.plan_id = baselines.plan_id and looked_at.indicator_no = baselines.indicator_no
    left join listed
        on
            looked_at.plan_id = listed.plan_id
            and looked_at.indicator_no = listed.indicator_no
            and looked_at.region_code = listed.region_code
    where looked_at.shown = 'always' or listed.region_code is not null
)

select
    based.* exclude (other_value, other_year, path_start),
    case when based.other_year < based.baseline_year then based.other_value end as other_baseline_value,
    nullif(based.other_year, based.baseline_year) as other_baseline_year,
    interim.target_value as interim_value,
    based.path_start + (final.target_value - based.path_start) * path.share_pct / 100 as path_value,
    coalesce(interim.target_value, final.target_value) as target_value,
    coalesce(interim.unit, final.unit) as target_unit,
    coalesce(interim.metric, final.metric) as target_metric,
    coalesce(interim.doc_no, final.doc_no) as target_doc_no,
    coalesce(interim.issued_date, final.issued_date) as target_issued_date,
    coalesce(interim.data_basis, final.data_basis) as target_basis,
    coalesce(interim.target_origin, final.target_origin) as target_origin
from based
left join {{ ref("int_plan__target") }} as interim
    on
        based.plan_id = interim.plan_id
        and based.indicator_no = interim.indicator_no
        and based.region_code = interim.region_code
        and based.year = interim.year
left join {{ ref("int_plan__target") }} as final
    on
        based.plan_id = final.plan_id
        and based.indicator_no = final.indicator_no
        and based.region_code = final.region_code
        and based.target_year = final.year
        -- A baseline is not measured against a target.
        and based.point_kind != 'baseline'
left join {{ ref("plan_path") }} as path
    on based.plan_id = path.plan_id and based.path = path.path and based.year = path.year
-- A year before the plan is looked at only where the plan itself gives that year as a baseline.
where based.point_kind != 'baseline' or based.year in (based.baseline_year, based.other_year)
