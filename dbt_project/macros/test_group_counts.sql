{#
  Generic test: the rows of each group number exactly what `expected` says, and there is no other group.

      data_tests:
        - group_counts:
            arguments:
              columns: [plan_id, attribute]
              expected: {"14 约束性": 15, "14 指导性": 13}
#}
{% test group_counts(model, columns, expected) %}
    with found as (
        select
            concat_ws(' ', {{ columns | join(", ") }}) as group_name,
            count(*) as found_rows
        from {{ model }}
        group by group_name
    ),

    expected as (
        select *
        from (
            values
            {%- for name, rows in expected.items() %}
            ('{{ name }}', {{ rows }}){{ "," if not loop.last }}
            {%- endfor %}
        ) as listed (group_name, expected_rows)
    )

    select *
    from found
    full outer join expected using (group_name)
    where found_rows is distinct from expected_rows
{% endtest %}
