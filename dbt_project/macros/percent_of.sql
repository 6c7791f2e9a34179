{# part / whole × 100 with two decimals, half to even (GB/T 8170); NULL where there is no whole to compare with. #}
{% macro percent_of(part, whole) -%}
    round_even(({{ part }} * 100.0 / nullif({{ whole }}, 0))::decimal(38, 8), 2)::decimal(12, 2)
{%- endmacro %}
