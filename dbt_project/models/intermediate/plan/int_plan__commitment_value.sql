-- Progress of the plan's promises by year: what departments return, and what the system itself measures or counts.
with promise as (
    select
        commitment.*,
        plan.region_code as plan_region
    from {{ ref("plan_commitment") }} as commitment
    inner join {{ ref("plan") }} as plan on commitment.plan_id = plan.plan_id
),

night as (
    select * from {{ source("raw", "night") }}
),

-- The latest return of a year stands; one issued after the night's date is not known yet.
returned as (
    select commitment_return.*
    from {{ ref("stg_returns__commitment_return") }} as commitment_return
    inner join night on commitment_return.issued_date <= night.as_of
    qualify
        row_number() over (
            partition by
                commitment_return.plan_id, commitment_return.commitment_id, commitment_return.region_code, commitment_return.year
            order by commitment_return.issued_date desc
        ) = 1
),

-- A limit is judged by the highest corrected hour of the sources of an industry: value_key is pollutant:industry code.
source_year as (
    select
        promise.plan_id,
        promise.commitment_id,
        promise.plan_region as region_code,
        year(day.business_date) as year,
        max(day.max_corrected_mg_m3) as value,
        count(distinct day.business_date) filter (where day.is_valid_day) as coverage_n,
        count(distinct day.permit_no || day.outlet_code) as outlets,
        max(day.business_date) as last_date,
        {{ basis_of_group("day.data_basis") }} as data_basis
    from promise
    inner join {{ ref("dim_permit") }} as permit
        on promise.value_source = 'source_limit' and permit.industry_code = split_part(promise.value_key, ':', 2)
    inner join {{ ref("fct_source_day") }} as day
        on permit.permit_no = day.permit_no and day.pollutant_id = split_part(promise.value_key, ':', 1) and day.max_corrected_mg_m3 is not null
    group by promise.plan_id, promise.commitment_id, promise.plan_region, year(day.business_date)
),

station_count as (
    select
        promise.plan_id,
        promise.commitment_id,
        promise.plan_region as region_code,
        year(night.as_of) as year,
        count(*) as stations,
        night.as_of as last_date,
        {{ basis_of_group("station.data_basis") }} as data_basis
    from promise
    inner join {{ ref("dim_station") }} as station
        on promise.value_source = 'micro_count' and promise.value_key = station.station_kind
    inner join night on station.valid_from_date <= night.as_of
    group by promise.plan_id, promise.commitment_id, promise.plan_region, night.as_of
)

select
    promise.plan_id,
    promise.commitment_id,
    returned.region_code,
    returned.year,
    cast(
        case
            when promise.unit = '%' or (promise.unit is null and returned.denominator != 1) then 100 * returned.numerator / nullif(returned.denominator, 0)
            else returned.numerator / nullif(returned.denominator, 0)
        end as decimal(18, 4)
    ) as value,
    case
        when promise.unit is not null then promise.unit
        when returned.denominator != 1 then '%'
        else returned.quantity_unit
    end as unit,
    1 as coverage_n,
    returned.issuer,
    returned.doc_no,
    returned.as_of_date as data_as_of_date,
    returned.data_basis,
    cast(struct_pack(returned.numerator, returned.denominator, returned.quantity_unit, returned.issued_date) as varchar) as inputs
from promise
inner join returned on promise.plan_id = returned.plan_id and promise.value_key = returned.commitment_id
where promise.value_source = 'commitment_return'
union all
select
    promise.plan_id,
    promise.commitment_id,
    indicator.region_code,
    indicator.year,
    indicator.value,
    indicator.unit,
    case when indicator.is_sufficient then 1 else 0 end as coverage_n,
    null as issuer,
    '表2第' || indicator.indicator_no || '项' as doc_no,
    null as data_as_of_date,
    indicator.data_basis,
    indicator.inputs
from promise
inner join {{ ref("int_plan__indicator_value") }} as indicator
    on
        promise.plan_id = indicator.plan_id
        and promise.value_key = cast(indicator.indicator_no as varchar)
        and promise.plan_region = indicator.region_code
where promise.value_source = 'indicator' and indicator.metric = 'any'
union all
select
    plan_id,
    commitment_id,
    region_code,
    cast(year as integer) as year,
    value,
    'mg/m3' as unit,
    coverage_n,
    null as issuer,
    'fct_source_day' as doc_no,
    last_date as data_as_of_date,
    data_basis,
    cast(struct_pack(value, outlets, last_date) as varchar) as inputs
from source_year
union all
select
    plan_id,
    commitment_id,
    region_code,
    cast(year as integer) as year,
    stations as value,
    '个' as unit,
    1 as coverage_n,
    null as issuer,
    'dim_station' as doc_no,
    last_date as data_as_of_date,
    data_basis,
    cast(stations as varchar) as inputs
from station_count
