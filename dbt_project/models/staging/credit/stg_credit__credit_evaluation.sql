with latest as (
    {{ latest_admitted('credit_evaluation', ['uscc', 'eval_year', 'regime']) }}
)

select
    uscc,
    enterprise_name,
    eval_year,
    regime,
    -- Lists print a grade with or without the word for "unit" behind it: 蓝牌 and 蓝牌单位 are one grade.
    regexp_replace(grade, '单位$', '') as grade,
    published_date,
    data_basis
from latest
