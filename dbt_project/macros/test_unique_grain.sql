{#
  Generic test: the named columns are the grain of the table. A key with a missing part fails too, because a row
  that nobody can point at is no row. `nullable` names the parts that may be empty by design.

      data_tests:
        - unique_grain:
            arguments:
              columns: [region_code, year]
#}
{% test unique_grain(model, columns, nullable=[]) %}
    {%- set required = columns | reject("in", nullable) | list -%}
    select
        {{ columns | join(", ") }},
        count(*) as rows_with_this_key
    from {{ model }}
    group by {{ columns | join(", ") }}
    having
        count(*) > 1
        {%- for column in required %}
        or {{ column }} is null
        {%- endfor %}
{% endtest %}
