{#
  Round by GB/T 8170 (half to even) to a number of places that is itself a column, since DuckDB's round_even wants a
  constant. The value becomes a DECIMAL first: 0.85 as a DOUBLE lies below the half. `most`: the most places of the column.
#}
{% macro round_half_even(value, decimals, most=4, exact="decimal(18, 6)", rounded="decimal(18, 4)") -%}
    case {{ decimals }}
        {%- for places in range(most + 1) %}
        when {{ places }} then cast(round_even(cast({{ value }} as {{ exact }}), {{ places }}) as {{ rounded }})
        {%- endfor %}
    end
{%- endmacro %}
