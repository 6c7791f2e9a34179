{#
  The latest admitted row per natural key of a feed table. A restated row replaces the earlier one here;
  the lake keeps both. `business_date` is part of the partition, so that a filter on days reaches the scan.
#}
{% macro latest_admitted(table_name, key, by_day=false) %}
    select *
    from {{ source('raw', table_name) }}
    qualify
        row_number() over (
            partition by {% if by_day %}business_date, {% endif %}{{ key | join(', ') }}
            order by _load_id desc, _source_row desc
        ) = 1
{% endmacro %}
