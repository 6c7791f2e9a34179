{#
  The latest admitted row per natural key of a feed table. A restated row replaces the earlier one here;
  the lake keeps both.

  Window tables (`by_day`): only days that came in more than one load have anything to choose from; gate 1 lets no key
  twice into one load. `business_date` is part of the partition, so that a filter on days reaches the scans.
  Snapshot tables: what the newest snapshot no longer lists is gone, unless a dropped file brought it; a row that it
  lists but the gate refused keeps its last good version.
#}
{% macro latest_admitted(table_name, key, by_day=false) %}
    {% if by_day %}
    {% set loaded_again %}
        select business_date from {{ source('raw', table_name) }}
        group by business_date
        having min(_load_id) <> max(_load_id)
    {% endset %}
    select *
    from {{ source('raw', table_name) }}
    where business_date not in ({{ loaded_again }})
    union all by name
    {% endif %}
    select *
    from {{ source('raw', table_name) }}
    {% if by_day %}
    where business_date in ({{ loaded_again }})
    {% else %}
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
