{{ config(materialized='table') }}

with quantity as (
    select * from {{ ref('int_accounting__quantity') }}
),

base as (
    select * from {{ ref('int_accounting__base') }}
),

formula as (
    select
        item.*,
        formula.method,
        formula.takes_base
    from (
        select
            item_kind,
            item_code,
            formula_id,
            pollutant_id,
            year,
            count(distinct part)::integer as part_count,
            string_agg(distinct doc_no, '；' order by doc_no) as doc_no,
            {{ basis_of_group('data_basis') }} as data_basis
        from quantity
        group by item_kind, item_code, formula_id, pollutant_id, year
    ) as item
    left join {{ ref('accounting_formula') }} as formula
        on
            item.formula_id = formula.formula_id
            and formula.use = case item.item_kind when 'project' then 'reduction' when 'growth' then 'growth' when 'estimate' then 'emission' end
            and {{ in_force('formula', 'make_date(item.year, 12, 31)') }}
),

-- One row per part, with every quantity that a formula may ask for beside it.
part as (
    select
        item_kind,
        item_code,
        formula_id,
        pollutant_id,
        year,
        part,
        any_value(base.base_t)::decimal(38, 4) as base_t,
        {{ accounting_terms() }}
    from quantity
    left join base using (item_kind, item_code, pollutant_id, year)
    group by item_kind, item_code, formula_id, pollutant_id, year, part
),

computed as (
    select
        item_kind,
        item_code,
        formula_id,
        pollutant_id,
        year,
        {{ accounting_dividend('formula_id') }} as dividend,
        {{ accounting_divisor('formula_id') }} as divisor
    from part
),

-- A sum that lacks one part is not known.
summed as (
    select
        item_kind,
        item_code,
        formula_id,
        pollutant_id,
        year,
        case when count(dividend) = count(*) then sum(dividend) end as dividend,
        max(divisor) as divisor
    from computed
    group by item_kind, item_code, formula_id, pollutant_id, year
)

select
    formula.item_kind,
    formula.item_code,
    formula.formula_id,
    formula.pollutant_id,
    formula.year,
    formula.method,
    try_cast(case
        when formula.takes_base is null or formula.takes_base and formula.part_count > 1 or missing.missing_zh is not null then null
        when summed.divisor is null then round_even(summed.dividend, 6)
        else {{ divide_half_even('summed.dividend', 'summed.divisor') }}
    end as decimal(18, 6)) as amount_t,
    case
        when formula.takes_base is null then '公式未列入或未生效：' || formula.formula_id
        when formula.takes_base and formula.part_count > 1 then '该公式只能有一个分项'
        when missing.missing_zh is not null then missing.missing_zh
        when amount_t is null and formula.formula_id <> 'closure' then '数值超出范围或除数为零'
    end as missing_zh,
    case
        when formula.takes_base is null then 'formula not listed or not in force: ' || formula.formula_id
        when formula.takes_base and formula.part_count > 1 then 'the formula takes one part only'
        when missing.missing_zh is not null then missing.missing_en
        when amount_t is null and formula.formula_id <> 'closure' then 'value out of range or divisor zero'
    end as missing_en,
    formula.doc_no,
    formula.data_basis
from formula
inner join summed using (item_kind, item_code, formula_id, pollutant_id, year)
left join {{ ref('int_accounting__missing') }} as missing using (item_kind, item_code, formula_id, pollutant_id, year)
