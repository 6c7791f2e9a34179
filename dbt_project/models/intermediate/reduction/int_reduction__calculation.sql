with item as (
    select
        item.*,
        formula.name_zh,
        formula.name_en
    from {{ ref('int_accounting__item') }} as item
    left join {{ ref('accounting_formula') }} as formula
        on item.formula_id = formula.formula_id and {{ in_force('formula', 'make_date(item.year, 12, 31)') }}
    where item.item_kind = 'project'
),

-- The newest facts of each formula by the year; those of a later year are not the year's.
by_year as (
    select
        plan_year.year as account_year,
        item.*
    from {{ ref('int_reduction__plan_year') }} as plan_year
    inner join item on plan_year.year >= item.year
    where plan_year.has_begun
    qualify
        row_number() over (
            partition by plan_year.year, item.item_code, item.pollutant_id, item.formula_id
            order by item.year desc
        ) = 1
)

select
    item_code as project_id,
    pollutant_id,
    account_year as year,
    string_agg(formula_id, '+' order by formula_id) as formula_ids,
    bool_or(formula_id = 'closure' and missing_zh is null) as is_closure,
    bool_and(missing_zh is null) as is_computed,
    -- What a closure takes is known only beside the other projects of the source.
    case when is_computed then coalesce(sum(amount_t), 0) end::decimal(18, 6) as computed_t,
    string_agg(coalesce(name_zh, formula_id) || '：' || missing_zh, '；' order by formula_id) as missing_zh,
    string_agg(coalesce(name_en, formula_id) || ': ' || missing_en, '; ' order by formula_id) as missing_en,
    {{ basis_of_group('data_basis') }} as data_basis
from by_year
group by item_code, pollutant_id, account_year
