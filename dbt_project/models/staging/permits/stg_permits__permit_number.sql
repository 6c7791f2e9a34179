-- Every number that a listed site has borne, and the one it bears now. All admitted snapshots count, not only the newest:
-- a site that has changed its number twice names only the last one. Codes join as received.
with recursive stated as (
    select
        permit_no,
        previous_permit_no,
        changed_date
    from {{ source('raw', 'permit') }}
    -- What a later snapshot says of a number replaces what an earlier one said.
    qualify row_number() over (partition by permit_no order by _load_id desc, _source_file desc, _source_row desc) = 1
),

change as (
    select * from stated
    where previous_permit_no <> permit_no
),

number as (
    select permit_no from stated
    union
    select previous_permit_no as permit_no from change
),

-- `union` drops what is there already: numbers that name each other in a circle end it.
chain as (
    select
        permit_no,
        permit_no as later_permit_no
    from number
    union
    select
        chain.permit_no,
        change.permit_no as later_permit_no
    from chain
    inner join change on chain.later_permit_no = change.previous_permit_no
),

-- A number that two later ones claim, or that lies in a circle, leads to no single site: it stays by itself.
site as (
    select
        chain.permit_no,
        case when count(distinct chain.later_permit_no) = 1 then min(chain.later_permit_no) end as site_permit_no
    from chain
    where chain.later_permit_no not in (select change.previous_permit_no from change)
    group by chain.permit_no
),

superseded as (
    select
        previous_permit_no as permit_no,
        min(changed_date) as superseded_date
    from change
    group by previous_permit_no
)

select
    number.permit_no,
    coalesce(site.site_permit_no, number.permit_no) as site_permit_no,
    superseded.superseded_date
from number
left join site on number.permit_no = site.permit_no
left join superseded on number.permit_no = superseded.permit_no
