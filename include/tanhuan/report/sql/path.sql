-- The leading region year by year. A year that has a point of its own name (MID_2023) is told once, under that name.
select indicator_no, assessment_point, year, value, compared_with, compared_value, status, data_basis, unit
from out.ind_plan_indicator_path
where region_code = $lead
qualify row_number() over (
    partition by indicator_no, year order by assessment_point = $point desc, assessment_point like 'ANNUAL%'
) = 1
order by indicator_no, year
