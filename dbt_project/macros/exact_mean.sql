{# Mean of a DECIMAL column with six places. DuckDB's avg() adds DOUBLEs, whose sum depends on the threads. #}
{% macro exact_mean(column) -%}
    cast(sum({{ column }}) / nullif(count({{ column }}), 0) as decimal(18, 6))
{%- endmacro %}
