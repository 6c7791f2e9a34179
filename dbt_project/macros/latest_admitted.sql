{#
  The latest admitted row per natural key of a feed table. A restated row replaces the earlier one here;
  the lake keeps both.

  Window tables (`by_day`): `business_date` is part of the partition, so that a filter on days reaches the scan.
  Snapshot tables: what the newest snapshot no longer lists is gone; a row that it lists but the gate refused keeps
  its last good version.
#}
{% macro latest_admitted(table_name, key, by_day=false) %}
    select *
    from {{ source('raw', table_name) }}
    {% if not by_day %}
    where
        _load_id = (select max(_load_id) from {{ source('raw', table_name) }})
        or ({{ key | join('::varchar, ') }}::varchar) in (
            select ({% for name in key %}row_json ->> '{{ name }}'{{ ', ' if not loop.last }}{% endfor %})
            from {{ source('ops', 'ops_quarantine') }}
            where load_id = (select max(_load_id) from {{ source('raw', table_name) }})
        )
    {% endif %}
    qualify
        row_number() over (
            partition by {% if by_day %}business_date, {% endif %}{{ key | join(', ') }}
            order by _load_id desc, _source_row desc
        ) = 1
{% endmacro %}
