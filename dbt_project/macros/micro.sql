{# The items of a micro-station and the unit suffix of their columns. No SO2: no micro-station measures it. #}
{% macro micro_items() %}
    {{- return(air_pollutants() | rejectattr("id", "equalto", "so2") | list) -}}
{% endmacro %}

{#
  Turn the item columns of a wide table of micro-stations into rows of a struct, for the select list;
  `fields` maps a field's name to a column pattern with <id> and <unit>.
#}
{% macro unpivot_micro_items(fields) -%}
    unnest([
        {%- for item in micro_items() %}
        {
            'pollutant_id': '{{ item.id }}'
            {%- for field, pattern in fields.items() %},
            '{{ field }}': {{ pattern | replace("<id>", item.id) | replace("<unit>", item.unit) }}
            {%- endfor %}
        }{{ "," if not loop.last }}
        {%- endfor %}
    ])
{%- endmacro %}

{# The rules of `micro_rule` in force on each day of a relation: one row per day and item, one column per rule. #}
{% macro micro_rules(relation, rule_ids, day='business_date') %}
    select
        days.{{ day }},
        items.pollutant_id
        {%- for rule_id in rule_ids %},
            max(rule.value) filter (where rule.rule_id = '{{ rule_id }}') as {{ rule_id }}
        {%- endfor %}
    from (select distinct {{ day }} from {{ relation }}) as days
    cross join (
        values {% for item in micro_items() %}('{{ item.id }}'){{ ", " if not loop.last }}{% endfor %}
    ) as items (pollutant_id)
    left join {{ ref("micro_rule") }} as rule
        on
            coalesce(rule.pollutant_id, items.pollutant_id) = items.pollutant_id
            and rule.rule_id in ({% for rule_id in rule_ids %}'{{ rule_id }}'{{ ", " if not loop.last }}{% endfor %})
            and {{ in_force("rule", "days." ~ day) }}
    group by days.{{ day }}, items.pollutant_id
{% endmacro %}

{#
  In an incremental run: a filter for the days that changed hours of devices or of reference stations can move.
  `near` days beside them: flat lines and steps cross midnight. With `and_next_month` also the month after, whose
  values are calibrated by the month that changed. Literals, as in `in_changed_days`.
#}
{% macro in_micro_days(near, and_next_month=false) %}
    {%- if is_incremental() -%}
        {%- set found = run_query(micro_day_query(near, and_next_month)) -%}
        {%- if found and found.rows | length > 0 -%}
            (
            {%- for row in found.rows %}business_date between date '{{ row[0] }}' and date '{{ row[1] }}'{{ " or " if not loop.last }}{% endfor -%}
            )
        {%- else -%}
            false
        {%- endif -%}
    {%- else -%}
        true
    {%- endif -%}
{% endmacro %}

{% macro micro_day_query(near, and_next_month) %}
    with changed as (
        select distinct business_date
        from raw.changed_day
        where table_name in ('micro_air_hour', 'air_hour')
    ),

    -- A changed day moves the flags of its neighbours, the sums of their months, the calibration of the months after.
    reached as (
        select (changed.business_date + step.days)::date as business_date
        from changed
        cross join (select unnest(range(-{{ near }}, {{ near }} + 1))::integer as days) as step
        {%- if and_next_month %}
        union
        select unnest(
            generate_series(
                date_trunc('month', (changed.business_date + step.days)) + interval 1 month,
                date_trunc('month', (changed.business_date + step.days)) + interval 2 months - interval 1 day,
                interval 1 day
            )
        )::date
        from changed
        cross join (select unnest(range(-{{ near }}, {{ near }} + 1))::integer as days) as step
        {%- endif %}
    ),

    numbered as (
        select
            business_date,
            business_date - row_number() over (order by business_date)::integer as span
        from (select distinct business_date from reached)
    )

    select min(business_date), max(business_date) from numbered group by span order by 1
{% endmacro %}

{# Whether n times a value's distance from the network's mean lies beyond the z-score allowed, squared: exact in decimals. #}
{% macro exceeds_zscore(above_mean) -%}
    (
        device_count >= zscore_min_devices and {{ above_mean }} > 0
        and ({{ above_mean }} * {{ above_mean }}) * (device_count - 1) > zscore_max * zscore_max * device_count * spread
    )
{%- endmacro %}

{# A number as people write it, or words where there is none. #}
{% macro number_or_words(value, words) -%}
    coalesce(nullif({{ plain_number(value) }}, ''), '{{ words }}')
{%- endmacro %}
