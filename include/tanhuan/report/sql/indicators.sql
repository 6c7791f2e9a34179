-- Every judged row of the point, the leading region first.
select judged.*, named.category, named.direction, named.decimals, named.target_year, region.name_zh as region_zh,
    region.level as region_level
from out.ind_plan_indicator as judged
inner join out.dim_indicator as named on judged.plan_id = named.plan_id and judged.indicator_no = named.indicator_no
left join out.dim_region as region on judged.region_code = region.region_code
order by judged.indicator_no, judged.region_code <> $lead, region.sort_no, judged.region_code
