-- The year's reductions of every region, pollutant by pollutant, the city first.
select mart.*, region.name_zh as region_zh
from (
    from out.mart_reduction_cod
    union all by name
    from out.mart_reduction_nh3n
    union all by name
    from out.mart_reduction_vocs
    union all by name
    from out.mart_reduction_nox
) as mart
inner join out.dim_region as region on mart.region_code = region.region_code
where mart.year = $year
order by mart.pollutant_id, mart.region_level <> 'city', region.sort_no
