{# Turn the six pollutant columns of an air table into rows: an UNNEST of structs, to be used as a lateral `item`. #}
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
