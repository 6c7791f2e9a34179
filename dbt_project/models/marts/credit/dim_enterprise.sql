with night as (
    select * from {{ source('raw', 'night') }}
),

holder as (
    select
        uscc,
        arg_max(enterprise_name, permit_no) as enterprise_name,
        count(*)::integer as permit_count,
        count(*) filter (where is_valid)::integer as valid_permit_count,
        -- Sites may lie in several counties; then the county is a matter of the permit, not of the enterprise.
        case when count(distinct county_code) = 1 then min(county_code) end as county_code,
        {{ basis_of_group('data_basis') }} as data_basis
    from {{ ref('dim_permit') }}
    where permit_no = site_permit_no
    group by uscc
),

graded as (
    select * from {{ ref('mart_enterprise_credit') }}
    where is_current
),

listed as (
    select
        listing.uscc,
        {{ basis_of_group('listing.data_basis') }} as data_basis
    from {{ ref('stg_credit__blacklist') }} as listing
    inner join night
        on listing.listed_date <= night.as_of and (listing.removed_date is null or listing.removed_date > night.as_of)
    group by listing.uscc
)

select
    uscc,
    coalesce(holder.enterprise_name, graded.enterprise_name) as enterprise_name,
    holder.county_code,
    coalesce(holder.permit_count, 0) as permit_count,
    coalesce(holder.valid_permit_count, 0) as valid_permit_count,
    graded.regime as credit_regime,
    graded.eval_year as credit_eval_year,
    graded.grade as credit_grade,
    graded.rank as credit_rank,
    graded.colour as credit_colour,
    graded.effective_from_date as credit_from_date,
    listed.uscc is not null as is_blacklisted,
    {{ basis_of_row(['holder.data_basis', 'graded.data_basis', 'listed.data_basis']) }} as data_basis,
    night.as_of as as_of_date
from holder
full outer join graded using (uscc)
left join listed using (uscc)
cross join night
