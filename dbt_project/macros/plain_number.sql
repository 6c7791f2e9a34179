{# A DECIMAL as people write it: without the zeros that its type appends; an empty text for NULL. #}
{% macro plain_number(value) -%}
    coalesce(regexp_replace(cast(cast({{ value }} as decimal(18, 4)) as varchar), '\.?0+$', ''), '')
{%- endmacro %}
