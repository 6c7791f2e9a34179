-- The formulas of the seed and those of the macro are the same, and every quantity of the seed has its column.
with known as (
    select unnest([{% for formula_id in accounting_formula_ids().split() %}'{{ formula_id }}'{{ ', ' if not loop.last }}{% endfor %}]) as name
    union all
    select unnest([{% for term in accounting_term_names().split() %}'{{ term }}'{{ ', ' if not loop.last }}{% endfor %}]) as name
),

seeded as (
    select formula_id as name from {{ ref('accounting_formula') }}
    union
    select quantity as name from {{ ref('accounting_term') }}
    where quantity <> 'base_t'
)

select
    known.name as name_in_macro,
    seeded.name as name_in_seed
from known
full outer join seeded on known.name = seeded.name
where known.name is null or seeded.name is null
