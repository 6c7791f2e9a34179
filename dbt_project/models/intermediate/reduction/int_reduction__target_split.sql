with tonnes as (
    select * from {{ ref('int_reduction__region_tonnes') }}
),

target_order as (
    select * from {{ ref('int_reduction__target_order') }}
),

city as (
    select target_order.*
    from target_order
    inner join tonnes using (region_code, pollutant_id, year)
    where tonnes.region_level = 'city' and target_order.target_t is not null
),

-- What is planned by the plan's final year is the potential of a county.
potential as (
    select
        region_code,
        pollutant_id,
        planned_t
    from tonnes
    where year = final_year
),

-- Counties without an order of their own share what the others' orders leave of the city's target.
county as (
    select
        tonnes.region_code,
        city.* exclude (region_code, target_t, target_origin),
        coalesce(tonnes.base_t, 0)::decimal(18, 4) as base_t,
        coalesce(potential.planned_t, 0)::decimal(18, 4) as potential_t,
        split.base_weight,
        split.potential_weight,
        split.decimals,
        own.target_year is null as is_split,
        (
            city.target_t - coalesce(
                sum(own.target_t) filter (where own.target_year = city.target_year) over (
                    partition by tonnes.pollutant_id, tonnes.year
                ), 0
            )
        )::decimal(18, 4) as left_t
    from city
    inner join tonnes on city.pollutant_id = tonnes.pollutant_id and city.year = tonnes.year and tonnes.region_level = 'county'
    inner join {{ ref('reduction_split') }} as split
        on
            city.pollutant_id = split.pollutant_id
            and split.is_active
            and {{ in_force('split', 'make_date(city.year, 12, 31)') }}
    left join potential on tonnes.region_code = potential.region_code and tonnes.pollutant_id = potential.pollutant_id
    left join target_order as own
        on tonnes.region_code = own.region_code and tonnes.pollutant_id = own.pollutant_id and tonnes.year = own.year
),

-- Whole numbers from here on (units of 0.0001): shares that tie must tie, and none of the target may be lost.
weighed as (
    select
        *,
        (base_t * 10000)::hugeint as base_n,
        (potential_t * 10000)::hugeint as potential_n,
        sum(base_n) over county_group as base_all,
        sum(potential_n) over county_group as potential_all,
        -- A target finer than the seed's decimals is split to its own last place.
        (10 ** decimals)::hugeint as seed_units,
        case when (left_t * 10000)::hugeint % (10000 // seed_units) = 0 then seed_units else 10000 end as units,
        (left_t * units)::hugeint as left_n,
        case when base_all > 0 then (base_weight * 10000)::hugeint else 0 end as base_share,
        case when potential_all > 0 then (potential_weight * 10000)::hugeint else 0 end as potential_share,
        left_n * (
            base_share * base_n * greatest(potential_all, 1) + potential_share * potential_n * greatest(base_all, 1)
        ) as dividend,
        (base_share + potential_share) * greatest(base_all, 1) * greatest(potential_all, 1) as divisor
    from county
    where is_split and left_t >= 0
    window county_group as (partition by pollutant_id, year)
),

-- Largest remainder; of equal remainders the lower code goes first.
ranked as (
    select
        *,
        row_number() over (partition by pollutant_id, year order by dividend % divisor desc, region_code asc) as place,
        left_n - sum(dividend // divisor) over (partition by pollutant_id, year) as units_left
    from weighed
    where divisor > 0
)

select
    region_code,
    pollutant_id,
    year,
    target_year,
    target_metric,
    ((dividend // divisor + case when place <= units_left then 1 else 0 end)::decimal(38, 0) / units)::decimal(18, 4) as target_t,
    null::decimal(18, 4) as target_pct,
    target_doc_no,
    'split' as target_origin,
    expected_pct,
    data_basis
from ranked
