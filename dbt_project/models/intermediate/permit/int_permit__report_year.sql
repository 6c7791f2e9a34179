-- What a site reported of a year: its annual report and its quarters, each in the newest version, whatever number it bore.
with report as (
    select
        coalesce(number.site_permit_no, report.permit_no) as permit_no,
        factor.pollutant_id,
        left(report.period, 4)::integer as year,
        report.period_type,
        report.period,
        report.actual_t,
        report.submitted_date,
        report.version,
        report.data_basis
    from {{ ref('stg_permits__execution_report') }} as report
    inner join {{ source('raw', 'night') }} as night on report.submitted_date <= night.as_of
    inner join {{ ref('pollutant_factor') }} as factor
        on
            report.factor_code = factor.factor_code
            and {{ in_force('factor', 'make_date(left(report.period, 4)::integer, 12, 31)') }}
    left join {{ ref('stg_permits__permit_number') }} as number on report.permit_no = number.permit_no
    -- A report under the old number and one under the new number are one report.
    qualify
        row_number() over (
            partition by coalesce(number.site_permit_no, report.permit_no), factor.pollutant_id, report.period_type, report.period
            order by report.submitted_date desc, report.version desc, report.permit_no desc
        ) = 1
)

select
    permit_no,
    pollutant_id,
    year,
    max(actual_t) filter (where period_type = '年报') as reported_t,
    max(submitted_date) filter (where period_type = '年报') as reported_date,
    max(version) filter (where period_type = '年报') as reported_version,
    sum(actual_t) filter (where period_type = '季报')::decimal(18, 4) as reported_quarters_t,
    (count(*) filter (where period_type = '季报'))::integer as reported_quarter_count,
    {{ basis_of_group('data_basis') }} as data_basis
from report
where period_type in ('年报', '季报')
group by permit_no, pollutant_id, year
