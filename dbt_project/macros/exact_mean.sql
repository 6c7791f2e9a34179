{# Mean of a DECIMAL column, with six places unless more are asked for. DuckDB's avg() adds DOUBLEs, whose sum depends on the threads. #}
{% macro exact_mean(column, type="decimal(18, 6)") -%}
    cast(sum({{ column }}) / nullif(count({{ column }}), 0) as {{ type }})
{%- endmacro %}
