{#
  What a figure rests on. Rows of one kind keep their word (measured, synthetic, stated); rows of two kinds make
  `mixed`, so that a figure with anything synthetic in it can never call itself measured. NULL is ignored.
#}
{% macro basis_of_group(column) -%}
    case when min({{ column }}) = max({{ column }}) then min({{ column }}) when min({{ column }}) is not null then 'mixed' end
{%- endmacro %}

{# The same for several columns of one row. #}
{% macro basis_of_row(columns) -%}
    case
        when least({{ columns | join(', ') }}) = greatest({{ columns | join(', ') }}) then least({{ columns | join(', ') }})
        when least({{ columns | join(', ') }}) is not null then 'mixed'
    end
{%- endmacro %}
