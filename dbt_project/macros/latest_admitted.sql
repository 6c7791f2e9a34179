{#
  The latest admitted row per natural key of a feed table. A restated row replaces the earlier one here;
  the lake keeps both.

  Window tables (`by_day`): `business_date` is part of the partition, so that a filter on days reaches the scan.
  Snapshot tables: what the newest snapshot no longer lists is gone, unless a dropped file brought it; a row that it
  lists but the gate refused keeps its last good version.
#}
{% macro latest_admitted(table_name, key, by_day=false) %}
    select *
    from {{ source('raw', table_name) }}
    {% if not by_day %}
    {% set newest_snapshot %}
        select max(load_id) from {{ source('ops', 'ops_load') }}
        where table_name = '{{ table_name }}' and kind not in ('file', 'release') and state = 'admitted'
    {% endset %}
    where
        _load_id = ({{ newest_snapshot }})
        or _load_id in (select load_id from {{ source('ops', 'ops_load') }} where kind in ('file', 'release'))
        or ({{ key | join('::varchar, ') }}::varchar) in (
            select ({% for name in key %}row_json ->> '{{ name }}'{{ ', ' if not loop.last }}{% endfor %})
            from {{ source('ops', 'ops_quarantine') }}
            where load_id = ({{ newest_snapshot }})
        )
    {% endif %}
    qualify
        row_number() over (
            partition by {% if by_day %}business_date, {% endif %}{{ key | join(', ') }}
            order by _load_id desc, _source_file desc, _source_row desc
        ) = 1
{% endmacro %}
