with signal as (
    select
        *,
        epoch(hour_start)::bigint // 3600
        - row_number() over (partition by device_code, pollutant_id, event_kind order by hour_start) as episode_no
    from {{ ref('int_micro__signal') }}
),

-- Hours in a row are one episode, over midnight too. What the neighbours had is told of its highest hour.
episode as (
    select
        device_code,
        pollutant_id,
        event_kind,
        min(hour_start) as start_at,
        max(hour_start) + interval 1 hour as end_at,
        min(business_date) as start_date,
        count(*)::integer as hours,
        arg_max(county_code, hour_start) as county_code,
        arg_max(reference_station_code, hour_start) as reference_station_code,
        max(value) as max_value,
        min(value) as min_value,
        arg_max({ 'at': hour_start, 'n': neighbour_count, 'median': neighbour_median, 'reference': reference_value }, (value, -episode_no))
            as peak,
        max(zscore) as max_zscore,
        bool_or(reference_was_high) as reference_was_high,
        string_agg(distinct rule_ids, ',' order by rule_ids) as rule_ids,
        {{ basis_of_group('data_basis') }} as data_basis
    from signal
    group by device_code, pollutant_id, event_kind, episode_no
),

described as (
    select
        episode.*,
        kind.event_class,
        kind.kind_zh,
        kind.kind_en,
        pollutant.symbol,
        pollutant.ambient_unit,
        kind.sentence_zh,
        kind.sentence_en
    from episode
    left join {{ ref('micro_event_kind') }} as kind
        on episode.event_kind = kind.event_kind and {{ in_force('kind', 'episode.start_date') }}
    left join {{ ref('pollutant') }} as pollutant on episode.pollutant_id = pollutant.pollutant_id
)

{%- set parts = {
    'device': 'device_code',
    'item': 'symbol',
    'start': "strftime(start_at, '%Y-%m-%d %H:%M')",
    'hours': 'hours::varchar',
    'max': plain_number('max_value'),
    'min': plain_number('min_value'),
    'unit': 'ambient_unit',
    'station': 'reference_station_code',
    'neighbours': 'peak.n::varchar'
} %}

select
    concat_ws('-', device_code, pollutant_id, event_kind, strftime(start_at, '%Y%m%d%H')) as event_id,
    device_code,
    pollutant_id,
    event_class,
    event_kind,
    kind_zh,
    kind_en,
    county_code,
    reference_station_code,
    start_at,
    end_at,
    start_date,
    hours,
    max_value,
    min_value,
    peak.at as peak_at,
    peak.n::integer as neighbour_count,
    peak.median as neighbour_median,
    peak.reference as reference_value,
    max_zscore,
    reference_was_high,
    ambient_unit as concentration_unit,
    array_to_string(list_sort(list_distinct(string_split(rule_ids, ','))), ',') as rule_ids,
    {{ fill_sentence('sentence_zh', dict(
        parts, median=number_or_words('peak.median', '不详'), reference=number_or_words('peak.reference', '无数据')
    )) }} as sentence_zh,
    {{ fill_sentence('sentence_en', dict(
        parts, median=number_or_words('peak.median', 'not known'), reference=number_or_words('peak.reference', 'sent nothing')
    )) }} as sentence_en,
    true as is_indicative,
    '仅供参考' as usage_zh,
    data_basis
from described
order by start_at, device_code, pollutant_id, event_kind
