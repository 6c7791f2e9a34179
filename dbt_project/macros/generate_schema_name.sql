{# A model's schema is the one its folder names (staging, intermediate, rules), else `main`: what people read. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
