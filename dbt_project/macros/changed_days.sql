{#
  In an incremental run: a filter for the business days that a feed table gained or had restated since the last
  finished build. A list of literals and not a join, because only literals are pushed below the window of
  `latest_admitted`. Days of several tables: pass a list. A day that also depends on the hours of the day before it
  is computed anew with `after` = 1, and reads `before` = 1.
#}
{% macro in_changed_days(table_names, column='business_date', before=0, after=0) %}
    {%- if is_incremental() -%}
        {%- set names = [table_names] if table_names is string else table_names -%}
        {%- set found = run_query(
            "select distinct cast(business_date + step as date) as day from raw.changed_day"
            ~ " cross join (select unnest(range(" ~ (-before) ~ ", " ~ (after + 1) ~ "))::integer as step)"
            ~ " where table_name in ('" ~ names | join("', '") ~ "') order by 1"
        ) -%}
        {%- if found and found.rows | length > 0 -%}
            {{ column }} in ({% for row in found.rows %}date '{{ row[0] }}'{{ ", " if not loop.last }}{% endfor %})
        {%- else -%}
            false
        {%- endif -%}
    {%- else -%}
        true
    {%- endif -%}
{% endmacro %}
