{{ config(materialized='table') }}

with plan_year as (
    select * from {{ ref('int_reduction__plan_year') }}
),

plan_pollutant as (
    select
        plan_id,
        indicator_no,
        value_key as pollutant_id
    from {{ ref('plan_indicator') }}
    where value_source = 'reduction'
),

region as (
    select
        region.region_code,
        region.level as region_level,
        list(county.region_code) as county_codes
    from {{ ref('region') }} as region
    left join {{ ref('region') }} as county
        on county.level = 'county' and region.region_code in (county.region_code, county.parent_code)
    where region.level in ('city', 'county', 'zone')
    group by region.region_code, region.level
),

base as (
    select
        region.region_code,
        source.pollutant_id,
        source.base_year,
        sum(source.base_t)::decimal(18, 4) as base_t,
        count(*)::integer as source_count,
        {{ basis_of_group('source.data_basis') }} as data_basis
    from region
    inner join {{ ref('stg_returns__emission_base') }} as source on {{ lies_in_region('source') }}
    group by region.region_code, source.pollutant_id, source.base_year
),

project as (
    select
        region.region_code,
        project.pollutant_id,
        project.year,
        sum(project.planned_t) as planned_t,
        sum(project.claimed_t) as claimed_t,
        sum(project.verified_t) as verified_t,
        sum(project.verified_t) filter (where project.category = 'engineering') as by_engineering_t,
        sum(project.verified_t) filter (where project.category = 'structure') as by_structure_t,
        sum(project.verified_t) filter (where project.category = 'management') as by_management_t,
        count(*)::integer as project_count,
        count(*) filter (where project.verification_state = 'evidence_missing')::integer as evidence_gap_count,
        {{ basis_of_group('project.data_basis') }} as data_basis
    from region
    inner join {{ ref('int_reduction__project_year') }} as project on {{ lies_in_region('project') }}
    group by region.region_code, project.pollutant_id, project.year
),

emission as (
    select
        region.region_code,
        source.pollutant_id,
        source.year,
        case when bool_and(source.has_full_coverage) then sum(source.emission_t) end::decimal(18, 9) as emission_t,
        count(*) filter (where not source.has_full_coverage)::integer as emission_gap_count,
        case when count(source.emission_low_t) = count(*) then sum(source.emission_low_t) end::decimal(18, 9) as emission_low_t,
        case when count(source.emission_high_t) = count(*) then sum(source.emission_high_t) end::decimal(18, 9) as emission_high_t,
        {{ percent_of('sum(coalesce(source.substituted_t, 0))', 'sum(source.emission_t)') }} as substituted_share_pct,
        {{ percent_of('sum(coalesce(source.estimated_t, 0))', 'sum(source.emission_t)') }} as estimated_share_pct,
        {{ percent_of('sum(source.valid_hours)', 'sum(source.operating_hours)') }} as capture_rate_pct,
        sum(source.base_t) filter (where source.is_comparable) as comparable_base_t,
        sum(source.emission_t) filter (where source.is_comparable) as comparable_emission_t,
        count(*) filter (where source.is_comparable)::integer as comparable_source_count,
        {{ basis_of_group('source.data_basis') }} as data_basis
    from region
    inner join {{ ref('int_reduction__source_year') }} as source on {{ lies_in_region('source') }}
    group by region.region_code, source.pollutant_id, source.year
)

select
    region.region_code,
    region.region_level,
    plan_pollutant.pollutant_id,
    plan_pollutant.indicator_no,
    plan_year.*,
    base.base_t,
    coalesce(base.source_count, 0) as source_count,
    -- No project in the region is a known nothing; a year that has not begun is not known.
    coalesce(project.planned_t, 0)::decimal(18, 4) as planned_t,
    {% for tonnes in ['claimed_t', 'verified_t', 'by_engineering_t', 'by_structure_t', 'by_management_t'] -%}
        case when plan_year.has_begun then coalesce(project.{{ tonnes }}, 0) end::decimal(18, 6) as {{ tonnes }},
    {% endfor -%}
    coalesce(project.project_count, 0) as project_count,
    coalesce(project.evidence_gap_count, 0) as evidence_gap_count,
    growth.new_growth_t,
    growth.missing_zh as growth_missing_zh,
    growth.missing_en as growth_missing_en,
    emission.emission_t,
    emission.emission_gap_count,
    emission.emission_low_t,
    emission.emission_high_t,
    emission.substituted_share_pct,
    emission.estimated_share_pct,
    emission.capture_rate_pct,
    emission.comparable_base_t,
    emission.comparable_emission_t,
    coalesce(emission.comparable_source_count, 0) as comparable_source_count,
    {{ basis_of_row(['base.data_basis', 'project.data_basis', 'growth.data_basis', 'emission.data_basis']) }} as data_basis
from region
cross join plan_year
inner join plan_pollutant on plan_year.plan_id = plan_pollutant.plan_id
left join base
    on
        region.region_code = base.region_code
        and plan_pollutant.pollutant_id = base.pollutant_id
        and plan_year.base_year = base.base_year
left join project
    on
        region.region_code = project.region_code
        and plan_pollutant.pollutant_id = project.pollutant_id
        and plan_year.year = project.year
left join {{ ref('int_reduction__region_growth') }} as growth
    on
        region.region_code = growth.region_code
        and plan_pollutant.pollutant_id = growth.pollutant_id
        and plan_year.year = growth.year
left join emission
    on
        region.region_code = emission.region_code
        and plan_pollutant.pollutant_id = emission.pollutant_id
        and plan_year.year = emission.year
