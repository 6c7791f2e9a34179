with quantity as (
    select * from {{ ref('stg_returns__accounting_quantity') }}
),

province as (
    select region_code from {{ ref('region') }}
    where level = 'province'
),

-- The province's own coefficient goes before the one for the whole country; that of another province is none.
coefficient as (
    select
        coefficient.coefficient_id,
        quantity_year.year,
        coefficient.value,
        coefficient.unit
    from (select distinct year from quantity) as quantity_year
    inner join {{ ref('accounting_coefficient') }} as coefficient
        on {{ in_force('coefficient', 'make_date(quantity_year.year, 12, 31)') }}
    left join province on coefficient.province_code = province.region_code
    where coefficient.province_code is null or province.region_code is not null
    qualify
        row_number() over (
            partition by coefficient.coefficient_id, quantity_year.year
            order by coefficient.province_code asc nulls last, coefficient.valid_from desc
        ) = 1
),

resolved as (
    select
        quantity.item_kind,
        quantity.item_code,
        quantity.formula_id,
        quantity.pollutant_id,
        quantity.year,
        quantity.part,
        quantity.quantity,
        coalesce(quantity.value, coefficient.value) as value,
        case when quantity.value is null then coefficient.unit else quantity.unit end as unit,
        quantity.doc_no,
        quantity.data_basis
    from quantity
    left join coefficient on quantity.choice = coefficient.coefficient_id and quantity.year = coefficient.year
)

select
    resolved.* replace (
        -- A value in another unit is not the value: 万m³/a is not m³/a.
        case when term.unit is null or {{ plain_unit('resolved.unit') }} = {{ plain_unit('term.unit') }} then resolved.value end as value
    ),
    resolved.value is not null as is_reported
from resolved
left join {{ ref('accounting_term') }} as term
    on
        resolved.formula_id = term.formula_id
        and resolved.quantity = term.quantity
        and {{ in_force('term', 'make_date(resolved.year, 12, 31)') }}
