-- By when a site owes the annual execution report of a year; a site that owes none has no row (HJ 944-2018).
with permit as (
    select * from {{ ref('dim_permit') }}
    where permit_no = site_permit_no and status = '有效'
),

-- Of the years before the first that the platform keeps reports of, nothing is known of anybody: none is missing there.
kept as (
    select min(left(period, 4))::integer as first_year
    from {{ ref('stg_permits__execution_report') }}
),

emission as (
    select distinct emission.year
    from {{ ref('mart_source_emission_year') }} as emission
    inner join kept on emission.year >= kept.first_year
)

select
    permit.permit_no,
    emission.year,
    make_date(emission.year, 12, 31) + deadline.due_days as due_date
from permit
cross join emission
inner join {{ ref('execution_report_deadline') }} as deadline
    on
        deadline.period_type = '年报'
        and permit.management_level = deadline.management_level
        and starts_with(coalesce(permit.industry_code, ''), coalesce(deadline.industry_code, ''))
        and {{ in_force('deadline', 'make_date(emission.year, 12, 31)') }}
-- A first permit that was held for a few months only is reported with the next year; a later version was held before.
where
    coalesce(permit.version_no, 1) > 1
    or permit.valid_from_date is null
    or permit.valid_from_date <= make_date(emission.year, 12, 31) - to_months(deadline.min_held_months)
qualify
    row_number() over (
        partition by permit.permit_no, emission.year order by length(coalesce(deadline.industry_code, '')) desc
    ) = 1
