{# Fill the {names} of a sentence kept in a seed: `parts` maps each name to a VARCHAR expression. #}
{% macro fill_sentence(sentence, parts) -%}
    {%- set ns = namespace(sql=sentence) -%}
    {%- for name, part in parts.items() -%}
        {%- set ns.sql = "replace(" ~ ns.sql ~ ", '{" ~ name ~ "}', coalesce(" ~ part ~ ", ''))" -%}
    {%- endfor -%}
    {{ ns.sql }}
{%- endmacro %}
