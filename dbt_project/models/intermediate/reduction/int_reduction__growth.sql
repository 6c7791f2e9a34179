with county as (
    select region_code as county_code
    from {{ ref('region') }}
    where level = 'county'
),

due as (
    select
        plan_year.year,
        rule.pollutant_id,
        rule.formula_id,
        formula.name_zh,
        formula.name_en
    from {{ ref('int_reduction__plan_year') }} as plan_year
    inner join {{ ref('reduction_growth_rule') }} as rule
        on rule.is_active and {{ in_force('rule', 'make_date(plan_year.year, 12, 31)') }}
    left join {{ ref('accounting_formula') }} as formula
        on rule.formula_id = formula.formula_id and {{ in_force('formula', 'make_date(plan_year.year, 12, 31)') }}
    where plan_year.has_begun
),

reported as (
    select
        county.county_code,
        due.*,
        item.amount_t,
        item.data_basis,
        coalesce(due.name_zh, due.formula_id) || coalesce('：' || item.missing_zh, '（未报送）') as missing_zh,
        coalesce(due.name_en, due.formula_id) || coalesce(': ' || item.missing_en, ' (not reported)') as missing_en
    from county
    cross join due
    left join {{ ref('int_accounting__item') }} as item
        on
            item.item_kind = 'growth'
            and county.county_code = item.item_code
            and due.pollutant_id = item.pollutant_id
            and due.year = item.year
            and due.formula_id = item.formula_id
)

-- One formula that is not known leaves the whole growth unknown: a part of it would look like all.
select
    county_code,
    pollutant_id,
    year,
    case when count(amount_t) = count(*) then sum(amount_t) end::decimal(18, 6) as new_growth_t,
    string_agg(missing_zh, '；' order by formula_id) filter (where amount_t is null) as missing_zh,
    string_agg(missing_en, '; ' order by formula_id) filter (where amount_t is null) as missing_en,
    {{ basis_of_group('data_basis') }} as data_basis
from reported
group by county_code, pollutant_id, year
