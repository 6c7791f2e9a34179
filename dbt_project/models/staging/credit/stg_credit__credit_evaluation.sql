with latest as (
    {{ latest_admitted('credit_evaluation', ['uscc', 'eval_year', 'regime', 'published_date']) }}
)

select
    uscc,
    enterprise_name,
    eval_year,
    regime,
    -- Lists print a grade with or without the word for whom it is: 蓝牌 and 蓝牌单位 are one grade.
    regexp_replace(grade, '(单位|企业|园区)$', '') as grade,
    published_date,
    issuer_level,
    issuer,
    data_basis
from latest
