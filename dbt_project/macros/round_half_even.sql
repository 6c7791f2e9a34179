{#
  Round by GB/T 8170 (half to even) to a number of places that is itself a column, since DuckDB's round_even wants a
  constant. The value becomes a DECIMAL first: 0.85 as a DOUBLE lies below the half.
#}
{% macro round_half_even(value, decimals) -%}
    case {{ decimals }}
        {%- for places in range(5) %}
        when {{ places }} then cast(round_even(cast({{ value }} as decimal(18, 6)), {{ places }}) as decimal(18, 4))
        {%- endfor %}
    end
{%- endmacro %}
