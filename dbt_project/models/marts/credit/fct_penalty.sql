with night as (
    select * from {{ source('raw', 'night') }}
),

stated as (
    select
        penalty.*,
        coalesce(penalty.decided_date, penalty.published_date) as penalty_date,
        -- The amount as a number and the amount as a text must agree; if they do not, neither is taken.
        case
            when said.amount_cny is null or said.amount_cny = penalty.amount_cny then penalty.amount_cny
            when penalty.amount_cny is null then said.amount_cny
        end as read_amount_cny,
        case
            when penalty.amount_cny is null and penalty.amount_text is null then 'no_amount'
            when said.amount_cny <> penalty.amount_cny then 'contradicting'
            when penalty.amount_cny is not null then 'number'
            when said.amount_cny is not null then 'text'
            else 'unreadable'
        end as amount_basis,
        -- how much a listing tells: of several on one case the fullest is kept
        (penalty.permit_no is not null)::integer
        + (penalty.decided_date is not null)::integer
        + (penalty.published_date is not null)::integer
        + (read_amount_cny is not null)::integer as fact_count,
        coalesce(level_rule.precedence, 99) as precedence
    from {{ ref('stg_credit__penalty') }} as penalty
    inner join night on coalesce(penalty.decided_date, penalty.published_date) <= night.as_of
    left join {{ ref('stg_credit__amount_text') }} as said
        on penalty.amount_text = said.amount_text and penalty.amount_unit is not distinct from said.amount_unit
    left join {{ ref('credit_level_rule') }} as level_rule
        on
            penalty.issuer_level = level_rule.issuer_level
            and {{ in_force('level_rule', 'coalesce(penalty.decided_date, penalty.published_date)') }}
),

-- One case listed by several levels of government, or with other brackets around its year, is one case. Codes join as
-- received: a zero typed as the letter O keeps two listings apart.
listed as (
    select
        *,
        count(*) over same_case as listing_count,
        min(read_amount_cny) over same_case <> max(read_amount_cny) over same_case as is_disputed
    from stated
    window same_case as (partition by case_no_normalised, uscc)
)

select
    listed.case_no_normalised,
    listed.uscc,
    listed.case_no,
    listed.permit_no,
    listed.penalty_type,
    listed.read_amount_cny::decimal(18, 2) as amount_cny,
    listed.amount_basis,
    listed.amount_text,
    listed.amount_unit,
    listed.law_basis,
    listed.penalty_date,
    case when listed.decided_date is null then 'published' else 'decided' end as date_basis,
    listed.published_date,
    listed.issuer_level,
    listed.listing_count::integer as listing_count,
    coalesce(listed.is_disputed, false) as is_disputed,
    listed.data_basis,
    night.as_of as as_of_date
from listed
cross join night
qualify
    row_number() over (
        partition by listed.case_no_normalised, listed.uscc
        order by listed.fact_count desc, listed.precedence asc, listed.published_date asc, listed.case_no asc
    ) = 1
