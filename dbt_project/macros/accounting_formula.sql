{#
  The formulas of the account, one small expression each (环办综合函〔2022〕350号; HJ 942), over the columns that
  `accounting_terms` pivots. Names, units and dates stand in the seeds accounting_formula and accounting_term.
  Units: 万m³/a × mg/L × 0.01 = t/a; g/(人·d) × 万人 × 365 × 0.01 = t/a; mg × 10⁻⁹ = t; g × 10⁻⁶ = t; kg × 0.001 = t.
  What divides is kept apart (`accounting_divisor`), so that the quotient can be rounded exactly. A closure has no
  expression: what is left of the base depends on the projects before it.
#}
{% macro accounting_dividend(formula_id, list_ids=false) -%}
{%- set formulas = {
    'wwtp_volume': '(q_y - q_0) * (c_in - c_out) * 0.01',
    'wwtp_upgrade': 'q_0 * (c_out_0 - c_out_y) * 0.01',
    'network': 'q * (c_in_y - c_in_0) * 0.01 - added_out',
    'reclaimed_water': 'q_reuse * c_out * 0.01',
    'rural_sewage': 'p * g * 365 * coverage * eta * 0.01',
    'water_upgrade': 'q_0 * (c_0 - c_y) * 0.01',
    'water_product': 'g_y * (ef_0 - ef_y)',
    'closure': 'null',
    'livestock': 'n * pig_factor * e * (eta_y - eta_0) * 0.001',
    'nox_ratio': 'base_t * (c_0 * v_0 - c_y * v_y)',
    'nox_cems': 'base_t * g_y - e_y * g_0',
    'product_concentration': 'g * v * (c_0 - c_y) * 0.000000001',
    'boiler_gas': 'f_coal * ef_coal * (1 - eta) - f_gas * ef_gas',
    'boiler_low_nox': 'f_gas * (ef_old - ef_new)',
    'power': 'w * (ef_coal - ef_gas)',
    'vehicle': 'n * (ef_old - ef_new) * vkt * 0.000001',
    'vocs_substitution': 'm * (w_before - w_after) * (1 - c * eta)',
    'vocs_treatment': 'p * (c_y * eta_y - c_0 * eta_0)',
    'living_growth': 'd_pop * g * 365 * 0.01',
    'industry_growth': 'd_output * intensity',
    'coal_growth': 'd_coal * ef',
    'vehicle_growth': 'd_n * ef * vkt * 0.000001',
    'manual': 'load_kg_h * hours * 0.001',
    'solvent_balance': 'used - recovered - in_waste - destroyed',
    'sulphur_balance': 'fuel * s * 2 * (1 - eta)',
    'factor': 'm * g * (1 - eta * k)',
    'untreated': 'm * g',
    'half_year_mean': 'e_half * 2',
} -%}
{{ formulas | join(' ') if list_ids else accounting_case(formula_id, formulas) }}
{%- endmacro %}

{# What the dividend is divided by; NULL where nothing divides. #}
{% macro accounting_divisor(formula_id) -%}
{{ accounting_case(formula_id, {'nox_ratio': 'c_0 * v_0', 'nox_cems': 'g_y'}) }}
{%- endmacro %}

{# A value that is too large to be one becomes NULL, and is named as such: one slip must not stop a night. #}
{% macro accounting_case(formula_id, formulas) -%}
    try(case {{ formula_id }}
        {%- for id, expression in formulas.items() %}
        when '{{ id }}' then ({{ expression }})::decimal(36, 18)
        {%- endfor %}
    end)
{%- endmacro %}

{# The ids of all formulas, and the names of all quantities they use. #}
{% macro accounting_formula_ids() -%}
{{ accounting_dividend('formula_id', list_ids=true) }}
{%- endmacro %}

{% macro accounting_term_names() -%}
    added_out c c_0 c_in c_in_0 c_in_y c_out c_out_0 c_out_y c_y coverage d_coal d_n d_output d_pop destroyed e
    e_half e_y ef ef_0 ef_coal ef_gas ef_new ef_old ef_y eta eta_0 eta_y f_coal f_gas fuel g g_0 g_y hours in_waste
    intensity k load_kg_h m n p pig_factor q q_0 q_reuse q_y recovered s used v v_0 v_y vkt w w_after w_before
{%- endmacro %}

{# The quantities of all formulas as columns, one row per part; 38 digits, since a product of narrower ones may overflow. #}
{% macro accounting_terms() -%}
{%- for term in accounting_term_names().split() %}
(max(value) filter (where quantity = '{{ term }}'))::decimal(38, 6) as {{ term }}{{ ',' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{#
  dividend ÷ divisor with six places, half to even. DuckDB divides DECIMALs as DOUBLEs; here their digits are divided as
  whole numbers: 16 places above, 12 below, two more digits above leave a quotient of six.
#}
{% macro divide_half_even(dividend, divisor) -%}
{%- set above = "abs(replace((" ~ dividend ~ ")::decimal(38, 16)::varchar, '.', '')::hugeint) * 100" -%}
{%- set below = "nullif(abs(replace((" ~ divisor ~ ")::decimal(38, 12)::varchar, '.', '')::hugeint), 0)" -%}
try((
    sign(({{ dividend }})::double)::integer * sign(({{ divisor }})::double)::integer
    * (
        ({{ above }}) // ({{ below }})
        + case
            when 2 * (({{ above }}) % ({{ below }})) > {{ below }} then 1
            when 2 * (({{ above }}) % ({{ below }})) = {{ below }} then (({{ above }}) // ({{ below }})) % 2
            else 0
        end
    )
)::decimal(38, 0) * 0.000001)
{%- endmacro %}

{# One spelling of a unit: m³ and m3, 吨 and t, per year or not said. #}
{% macro plain_unit(unit) -%}
regexp_replace(replace(replace({{ unit }}, '³', '3'), '吨', 't'), '/a$', '')
{%- endmacro %}
