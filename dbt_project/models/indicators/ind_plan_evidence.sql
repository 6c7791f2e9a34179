-- An assessment names its documents: who reported or ordered what, under which number, as of when.
with night as (
    select as_of
    from {{ source("raw", "night") }}
),

department_return as (
    select *
    from {{ ref("stg_returns__department_return") }}
),

provincial_target as (
    select *
    from {{ ref("stg_returns__provincial_target") }}
),

-- A project serves every plan that counts the reduction of its pollutant.
project as (
    select
        indicator.plan_id,
        indicator.indicator_no,
        project.*
    from {{ ref("stg_returns__reduction_project") }} as project
    inner join {{ ref("plan_indicator") }} as indicator
        on indicator.value_source = 'reduction' and project.pollutant_id = indicator.value_key
),

evidence as (
    select *
    from {{ ref("stg_returns__reduction_evidence") }}
),

document as (
    select
        plan_id,
        indicator_no,
        region_code,
        year,
        'return' as document_kind,
        part as subject,
        'return' as detail,
        cast(null as varchar) as pollutant_id,
        issuer,
        doc_no,
        issued_date,
        as_of_date as data_as_of_date,
        data_basis
    from department_return
    union all
    select
        plan_id,
        indicator_no,
        region_code,
        year,
        'target' as document_kind,
        metric as subject,
        'target' as detail,
        null as pollutant_id,
        issued_by as issuer,
        doc_no,
        issued_date,
        null as data_as_of_date,
        data_basis
    from provincial_target
    union all
    select
        plan_id,
        indicator_no,
        county_code as region_code,
        plan_year as year,
        'project' as document_kind,
        project_id as subject,
        'project' as detail,
        pollutant_id,
        null as issuer,
        doc_no,
        null as issued_date,
        null as data_as_of_date,
        data_basis
    from project
    union all
    select
        project.plan_id,
        project.indicator_no,
        project.county_code as region_code,
        cast(year(evidence.issued_date) as integer) as year,
        'project_evidence' as document_kind,
        project.project_id as subject,
        evidence.evidence_kind as detail,
        project.pollutant_id,
        null as issuer,
        evidence.doc_no,
        evidence.issued_date,
        null as data_as_of_date,
        evidence.data_basis
    from evidence
    inner join project on evidence.project_id = project.project_id
),

-- What is issued later than the night is not known on it.
known as (
    select
        document.*,
        night.as_of as as_of_date
    from document
    cross join night
    where coalesce(document.issued_date <= night.as_of, true)
)

select
    plan_id,
    indicator_no,
    region_code,
    year,
    document_kind,
    subject,
    detail,
    pollutant_id,
    issuer,
    doc_no,
    issued_date,
    data_as_of_date,
    -- A project's papers stand beside each other; of a return or a target the newest holds.
    document_kind in ('project', 'project_evidence') or row_number() over (
        partition by plan_id, indicator_no, region_code, year, document_kind, subject
        order by issued_date desc, doc_no desc
    ) = 1 as is_latest,
    data_basis,
    as_of_date
from known
order by plan_id, indicator_no, region_code, year, document_kind, subject, detail, doc_no, issued_date
