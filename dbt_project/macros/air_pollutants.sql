{# The six basic items of HJ 663-2013 4.2.2 and the unit suffix of their columns; loops over columns start here. #}
{% macro air_pollutants() %}
    {{- return([
        {"id": "pm25", "unit": "ug_m3"},
        {"id": "pm10", "unit": "ug_m3"},
        {"id": "so2", "unit": "ug_m3"},
        {"id": "no2", "unit": "ug_m3"},
        {"id": "o3", "unit": "ug_m3"},
        {"id": "co", "unit": "mg_m3"},
    ]) -}}
{% endmacro %}
