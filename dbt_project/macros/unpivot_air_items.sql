{#
  Turn the six pollutant columns of an air table into rows of a struct. For the select list: a lateral UNNEST would join the
  rows to themselves, and would hide the filter on days from the scan.
#}
{% macro unpivot_air_items(fields) -%}
    unnest([
        {%- for pollutant in air_pollutants() %}
        {
            'pollutant_id': '{{ pollutant.id }}'
            {%- for field, pattern in fields.items() %},
            '{{ field }}': {{ pattern | replace("<id>", pollutant.id) | replace("<unit>", pollutant.unit) }}
            {%- endfor %}
        }{{ "," if not loop.last }}
        {%- endfor %}
    ])
{%- endmacro %}
