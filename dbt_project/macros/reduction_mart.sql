{# One pollutant of the reduction account. Its columns are those of the contract in _mart_reduction_pollutant.yml. #}
{% macro reduction_mart(pollutant_id) %}
    select * from {{ ref('int_reduction__region_year') }}
    where pollutant_id = '{{ pollutant_id }}'
{% endmacro %}
