-- The region that the plan is for: the city, or where a plan is for counties only, the one with most indicators.
select judged.region_code
from out.ind_plan_indicator as judged
left join out.dim_region as region on judged.region_code = region.region_code
group by judged.region_code
order by bool_or(region.level = 'city') desc nulls last, count(*) desc, judged.region_code
limit 1
