-- The evidence of every indicator of the frozen point: what it was computed from, what was left out, which documents it
-- rests on, what is missing. A city rests on its own documents and on those of its counties.
with place as (
    select region_code, region_code as part_code from out.dim_region
    union
    select parent_code, region_code from out.dim_region where parent_code is not null
),

document as (
    select
        judged.indicator_no,
        judged.region_code,
        count(*) as document_count,
        count(*) filter (evidence.document_kind = 'return') as return_count,
        count(*) filter (evidence.document_kind = 'project') as project_count,
        string_agg(
            distinct case
                when evidence.document_kind in ('return', 'target')
                    then concat_ws(' ', evidence.issuer, evidence.doc_no, '数据截至' || evidence.data_as_of_date)
            end, '；'
        ) as documents_zh
    from out.ind_plan_indicator as judged
    inner join place on judged.region_code = place.region_code
    inner join out.ind_plan_evidence as evidence
        on
            judged.indicator_no = evidence.indicator_no
            and place.part_code = evidence.region_code
            and evidence.year <= judged.year
            and evidence.is_latest
            and (judged.year = evidence.year or evidence.document_kind in ('project', 'project_evidence'))
    group by all
),

-- Projects that count for nothing, or not in full, with the sentence that says why.
gap as (
    select
        judged.indicator_no,
        judged.region_code,
        count(*) filter (project.verification_state <> 'verified') as excluded_project_count,
        count(*) filter (project.evidence_present_count < project.evidence_required_count) as evidence_gap_count,
        string_agg(
            project.project_name || '：' || project.why_not_verified_zh, '；' order by project.project_id
        ) filter (project.evidence_present_count < project.evidence_required_count) as gaps_zh
    from out.ind_plan_indicator as judged
    inner join place on judged.region_code = place.region_code
    inner join (
        select distinct indicator_no, region_code, subject, pollutant_id
        from out.ind_plan_evidence
        where document_kind = 'project'
    ) as evidence
        on judged.indicator_no = evidence.indicator_no and place.part_code = evidence.region_code
    inner join out.mart_reduction_project as project
        on
            evidence.subject = project.project_id
            and evidence.pollutant_id = project.pollutant_id
            and judged.year = project.year
    group by all
),

air as (
    select region_code, year, basis, calendar_days, judged_days, calendar_days - judged_days as excluded_days
    from out.mart_air_period
    where period_kind = 'year' and series = 'all'
)

select
    judged.plan_id,
    judged.indicator_no,
    judged.indicator,
    judged.region_code,
    judged.assessment_point,
    judged.inputs_hash,
    judged.standard_code,
    judged.coverage_n,
    judged.coverage_required,
    judged.coverage_pct,
    coalesce(air.judged_days, judged.coverage_n) as row_count,
    coalesce(document.document_count, 0) as document_count,
    coalesce(document.return_count, 0) as return_count,
    coalesce(document.project_count, 0) as project_count,
    coalesce(air.excluded_days, gap.excluded_project_count) as excluded_count,
    case
        when air.excluded_days is not null then air.calendar_days || ' 天中 ' || air.excluded_days || ' 天未评价'
        when gap.excluded_project_count > 0 then gap.excluded_project_count || ' 个项目未全额核定'
    end as exclusions_zh,
    document.documents_zh,
    gap.evidence_gap_count,
    gap.gaps_zh,
    judged.target_doc_no,
    judged.data_basis
from out.ind_plan_indicator as judged
left join document on judged.indicator_no = document.indicator_no and judged.region_code = document.region_code
left join gap on judged.indicator_no = gap.indicator_no and judged.region_code = gap.region_code
left join air
    on judged.basis = air.basis and judged.region_code = air.region_code and judged.year = air.year
order by judged.indicator_no, judged.region_code
