with quantity as (
    select * from {{ ref('int_accounting__quantity') }}
),

part as (
    select distinct
        item_kind,
        item_code,
        formula_id,
        pollutant_id,
        year,
        part
    from quantity
),

required as (
    select
        part.*,
        term.quantity,
        term.name_zh,
        term.name_en,
        count(*) over (partition by part.item_kind, part.item_code, part.formula_id, part.pollutant_id, part.year, term.quantity) > 1
            as has_parts
    from part
    inner join {{ ref('accounting_term') }} as term
        on part.formula_id = term.formula_id and {{ in_force('term', 'make_date(part.year, 12, 31)') }}
),

lacking as (
    select
        required.*,
        -- What was reported but could not be used is in a unit other than the formula's.
        case when coalesce(quantity.is_reported, false) then '（单位不符）' else '' end
        || case when required.has_parts then '（' || required.part || '）' else '' end as note_zh,
        case when coalesce(quantity.is_reported, false) then ' (another unit)' else '' end
        || case when required.has_parts then ' (' || required.part || ')' else '' end as note_en
    from required
    left join quantity using (item_kind, item_code, formula_id, pollutant_id, year, part, quantity)
    left join {{ ref('int_accounting__base') }} as base using (item_kind, item_code, pollutant_id, year)
    -- The base is no quantity that anybody reports here: it comes with the source.
    where case when required.quantity = 'base_t' then base.base_t else quantity.value end is null
)

select
    item_kind,
    item_code,
    formula_id,
    pollutant_id,
    year,
    string_agg(name_zh || note_zh, '、' order by part, quantity) as missing_zh,
    string_agg(name_en || note_en, ', ' order by part, quantity) as missing_en
from lacking
group by item_kind, item_code, formula_id, pollutant_id, year
