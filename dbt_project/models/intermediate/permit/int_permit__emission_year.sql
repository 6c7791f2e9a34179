-- The outlets of a site together, whatever number they were registered under.
with outlet as (
    select
        coalesce(number.site_permit_no, emission.permit_no) as site_permit_no,
        emission.*
    from {{ ref('mart_source_emission_year') }} as emission
    left join {{ ref('stg_permits__permit_number') }} as number on emission.permit_no = number.permit_no
),

-- The same outlet under an old and a new number has one permitted amount.
permitted as (
    select
        *,
        max(permitted_t) over same_outlet as outlet_permitted_t,
        row_number() over (same_outlet order by permit_no asc) as number_of_outlet
    from outlet
    window same_outlet as (partition by site_permit_no, outlet_code, pollutant_id, year)
)

select
    site_permit_no as permit_no,
    pollutant_id,
    year,
    arg_max(uscc, permit_no) as uscc,
    arg_max(enterprise_name, permit_no) as enterprise_name,
    arg_max(county_code, permit_no) as county_code,
    arg_max(zone_code, permit_no) as zone_code,
    (count(*) filter (where number_of_outlet = 1))::integer as outlet_count,
    (count(distinct outlet_code) filter (where status = 'over_permit'))::integer as over_permit_outlet_count,
    (count(*) filter (where status in ('data_insufficient', 'data_missing')))::integer as insufficient_count,
    {%- for figure in ['mass', 'measured', 'substituted', 'manual', 'balance', 'factor'] %}
        sum({{ figure }}_t)::decimal(18, 9) as {{ figure }}_t,
    {%- endfor %}
    -- An outlet with a mass and without a band leaves the whole without one.
    {%- for end in ['low', 'high'] %}
        case when bool_and(mass_t is null or emission_{{ end }}_t is not null) then sum(emission_{{ end }}_t)::decimal(18, 9) end
            as emission_{{ end }}_t,
    {%- endfor %}
    (sum(outlet_permitted_t) filter (where number_of_outlet = 1))::decimal(18, 4) as permitted_t,
    (sum(mass_t) filter (where outlet_permitted_t is not null))::decimal(18, 9) as limited_mass_t,
    bool_and(has_full_coverage) as has_full_coverage,
    {{ basis_of_group('data_basis') }} as data_basis
from permitted
group by site_permit_no, pollutant_id, year
