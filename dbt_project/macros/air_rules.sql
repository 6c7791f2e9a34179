{# The rules of `air_validity` that hold for all pollutants: one row per edition, one column per rule. #}
{% macro air_rules(rule_ids) %}
    select
        standard_code,
        valid_from,
        valid_to
        {%- for rule_id in rule_ids %},
            max(value) filter (where rule_id = '{{ rule_id }}') as {{ rule_id }}
        {%- endfor %}
    from {{ ref("air_validity") }}
    where pollutant_id is null
    group by standard_code, valid_from, valid_to
{% endmacro %}
