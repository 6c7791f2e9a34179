{# Whether the dated rule `rule` (a row of a seed) holds on `day`: the date of the data, never the date of the run. #}
{% macro in_force(rule, day) -%}
    {{ rule }}.valid_from <= {{ day }} and ({{ rule }}.valid_to is null or {{ rule }}.valid_to >= {{ day }})
{%- endmacro %}
