{#
  Sub-indices, AQI and judgement of air days (HJ 633, HJ 663). `relation` is long: its `keys`, business_date,
  pollutant_id and concentration (rounded as HJ 663-2013 table 3 asks, or NULL). Gives one row per key and day.
  The edition follows from the day of the data; `_2026` repeats the work with the breakpoints of HJ 633-2026.
#}
{% macro iaqi(concentration, breakpoint) -%}
    cast(
        {{ breakpoint }}.iaqi_lo + coalesce(
            ceil(
                cast(
                    ({{ breakpoint }}.iaqi_hi - {{ breakpoint }}.iaqi_lo) * ({{ concentration }} - {{ breakpoint }}.bp_lo)
                    / ({{ breakpoint }}.bp_hi - {{ breakpoint }}.bp_lo) as decimal(18, 6)
                )
            ),
            0
        ) as integer
    )
{%- endmacro %}

{% macro within_breakpoint(concentration, pollutant_id, breakpoint) -%}
    {{ breakpoint }}.is_day_item
    and {{ breakpoint }}.pollutant_id = {{ pollutant_id }}
    and {{ concentration }} >= {{ breakpoint }}.bp_lo
    and ({{ concentration }} > {{ breakpoint }}.bp_lo or {{ breakpoint }}.bp_lo = 0)
    and ({{ breakpoint }}.bp_hi is null or {{ concentration }} <= {{ breakpoint }}.bp_hi)
{%- endmacro %}

{% macro judge_air_day(relation, keys) %}
    with scale as (
        select
            standard_code,
            min(aqi_lo) as aqi_min,
            min(aqi_hi) as primary_above,
            max(aqi_hi) filter (where is_good) as good_up_to
        from {{ ref("aqi_category") }}
        group by standard_code
    ),

    item as (
        select
            day.*,
            pollutant.symbol,
            pollutant.sort_no,
            edition.standard_code,
            {{ iaqi("day.concentration", "own") }} as iaqi,
            {{ iaqi("day.concentration", "next_edition") }} as iaqi_2026
        from {{ relation }} as day
        inner join {{ ref("pollutant") }} as pollutant on day.pollutant_id = pollutant.pollutant_id
        left join {{ ref("standard_version") }} as edition
            on edition.domain = 'aqi' and {{ in_force("edition", "day.business_date") }}
        left join {{ ref("aqi_breakpoint") }} as own
            on edition.standard_code = own.standard_code and {{ within_breakpoint("day.concentration", "day.pollutant_id", "own") }}
        left join {{ ref("aqi_breakpoint") }} as next_edition
            on
                next_edition.standard_code = 'HJ 633-2026'
                and {{ within_breakpoint("day.concentration", "day.pollutant_id", "next_edition") }}
    ),

    ranked as (
        select
            *,
            max(iaqi) over (partition by {{ keys | join(", ") }}, business_date) as highest_iaqi
        from item
    ),

    summed as (
        select
            {{ keys | join(", ") }},
            ranked.business_date,
            {%- for pollutant in air_pollutants() %}
                max(ranked.iaqi) filter (where ranked.pollutant_id = '{{ pollutant.id }}') as iaqi_{{ pollutant.id }},
            {%- endfor %}
            max(ranked.standard_code) as standard_code,
            max(ranked.iaqi) as highest_iaqi,
            max(ranked.iaqi_2026) as highest_iaqi_2026,
            string_agg(ranked.symbol, '、' order by ranked.sort_no) filter (where ranked.iaqi is null) as missing_items,
            string_agg(ranked.symbol, '、' order by ranked.sort_no) filter (
                where ranked.iaqi = ranked.highest_iaqi and ranked.iaqi > scale.primary_above
            ) as highest_items
        from ranked
        left join scale on ranked.standard_code = scale.standard_code
        group by {{ keys | join(", ") }}, ranked.business_date
    ),

    judged as (
        select
            summed.*,
            -- HJ 663-2013 6.2: an exceedance counts even if another item is missing; without one all six must be there.
            coalesce(summed.missing_items is null or summed.highest_iaqi > scale.good_up_to, false) as is_judged,
            coalesce(summed.missing_items is null or summed.highest_iaqi_2026 > scale_2026.good_up_to, false) as is_judged_2026,
            scale.aqi_min,
            scale.good_up_to,
            scale_2026.aqi_min as aqi_min_2026
        from summed
        left join scale on summed.standard_code = scale.standard_code
        left join scale as scale_2026 on scale_2026.standard_code = 'HJ 633-2026'
    )

    select
        {{ keys | join(", ") }},
        business_date,
        {%- for pollutant in air_pollutants() %}
            iaqi_{{ pollutant.id }},
        {%- endfor %}
        standard_code,
        is_judged,
        case when is_judged then greatest(highest_iaqi, aqi_min) end as aqi,
        case when is_judged then highest_items end as primary_pollutants,
        coalesce(is_judged and highest_iaqi <= good_up_to, false) as is_good,
        case when is_judged_2026 then greatest(highest_iaqi_2026, aqi_min_2026) end as aqi_2026_basis,
        missing_items
    from judged
{% endmacro %}
