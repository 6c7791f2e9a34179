with automatic as (
    select * from {{ ref('int_permit__automatic_year') }}
),

choice as (
    select * from {{ ref('int_permit__accounting_choice') }}
),

{%- set in_t = '0.001' %}

-- Kilograms have six decimals and tonnes nine: nothing is rounded, so that the parts make the whole.
accounted as (
    select
        automatic.*,
        choice.situation as situation_of_choice,
        choice.accounting_method,
        choice.formula_id,
        choice.accounting_reason_zh,
        choice.accounting_reason_en,
        choice.uncertainty_pct,
        choice.estimate_t is not null as is_estimated,
        (automatic.automatic_kg * {{ in_t }})::decimal(18, 9) as automatic_t,
        coalesce(choice.estimate_t::decimal(18, 9), automatic_t) as mass_t,
        {%- for method in ['measured', 'substituted'] %}
            case when is_estimated then 0 else (automatic.{{ method }}_kg * {{ in_t }}) end::decimal(18, 9) as {{ method }}_t,
        {%- endfor %}
        {%- for method in ['manual', 'balance', 'factor'] %}
            case
                when is_estimated and choice.rule_method = '{{ method }}' then choice.estimate_t
                {%- if method == 'manual' %}
                    when not is_estimated then automatic.manual_kg * {{ in_t }}
                {%- else %}
                    when not is_estimated and automatic_t is null then null
                {%- endif %}
                else 0
            end::decimal(18, 9) as {{ method }}_t,
        {%- endfor %}
        {{ basis_of_row(['automatic.data_basis', 'choice.data_basis']) }} as basis
    from automatic
    inner join choice
        on
            automatic.permit_no = choice.permit_no
            and automatic.outlet_code = choice.outlet_code
            and automatic.pollutant_id = choice.pollutant_id
            and automatic.year = choice.year
),

-- The band: every operating hour without a measured mass emitted no less than the least and no more than the most of a
-- valid hour of the year. Windows of the substitution reach into the year before: the mass itself lies in the band always.
banded as (
    select
        *,
        {%- for end, hour_kg, sign, widest in [('low', 'min_hour_kg', '-', 'least'), ('high', 'max_hour_kg', '+', 'greatest')] %}
            case
                when mass_t is null then null
                when is_estimated
                    then {{ widest }}(mass_t, round_even(mass_t * (100 {{ sign }} uncertainty_pct) * 0.01, 9)::decimal(18, 9))
                when unmeasured_hours = 0 or {{ hour_kg }} is not null
                    then {{ widest }}(
                        mass_t,
                        ((measured_kg + unmeasured_hours * coalesce({{ hour_kg }}, 0)) * {{ in_t }})::decimal(18, 9)
                    )
            end as emission_{{ end }}_t,
        {%- endfor %}
        is_estimated or situation = 'automatic_sufficient' as is_accounted
    from accounted
)

select
    permit_no,
    outlet_code,
    pollutant_id,
    year,
    uscc,
    enterprise_name,
    county_code,
    zone_code,
    medium,
    discharge_mode,
    mass_t,
    measured_t,
    substituted_t,
    manual_t,
    balance_t,
    factor_t,
    {%- for method in ['measured', 'substituted', 'manual', 'balance', 'factor'] %}
        {{ percent_of(method ~ '_t', 'mass_t') }} as {{ method }}_share_pct,
    {%- endfor %}
    automatic_t,
    emission_low_t,
    emission_high_t,
    situation_of_choice as situation,
    accounting_method,
    formula_id,
    accounting_reason_zh,
    accounting_reason_en,
    covered_days,
    valid_days,
    short_window_days,
    expected_hours,
    valid_hours,
    stopped_hours,
    invalid_hours,
    missing_hours,
    unfilled_hours,
    capture_rate_pct,
    permitted_t,
    {{ percent_of('mass_t', 'permitted_t') }} as used_share_pct,
    is_complete_year,
    is_complete_year and mass_t is not null and (is_estimated or (is_accounted and is_from_january)) as has_full_coverage,
    -- What was measured is the least that was emitted: above the permitted amount it is over, however much is missing.
    case
        when mass_t is null and covered_days = 0 then 'data_missing'
        when mass_t > permitted_t then 'over_permit'
        when mass_t is null or not is_accounted then 'data_insufficient'
        when permitted_t is null then 'no_amount_limit'
        else 'within_permit'
    end as status,
    basis as data_basis,
    as_of_date
from banded
