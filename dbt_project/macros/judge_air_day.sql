{#
  Sub-indices, AQI and judgement of air days and hours (HJ 633, HJ 663).

  `judge_air` takes a long relation: its `keys`, business_date, pollutant_id, and what the edition of the day looks up
  (averaging, concentration) beside what HJ 633-2026 would (averaging_2026, concentration_2026). Concentrations are rounded
  as HJ 663-2013 table 3 asks, or NULL. An item may have several rows: the highest index counts. Gives one row per key and day.
  `report` is day or hour: aqi_breakpoint and aqi_report_rule say what each of them does.
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

{% macro within_breakpoint(report, item, breakpoint, suffix="") -%}
    {{ breakpoint }}.is_{{ report }}_item
    and {{ breakpoint }}.pollutant_id = {{ item }}.pollutant_id
    and {{ breakpoint }}.averaging = {{ item }}.averaging{{ suffix }}
    and {{ item }}.concentration{{ suffix }} >= {{ breakpoint }}.bp_lo
    and ({{ item }}.concentration{{ suffix }} > {{ breakpoint }}.bp_lo or {{ breakpoint }}.bp_lo = 0)
    and ({{ breakpoint }}.bp_hi is null or {{ item }}.concentration{{ suffix }} <= {{ breakpoint }}.bp_hi)
{%- endmacro %}

{# The rules of one report that hold for all items or for one: one row per edition, one column per rule. #}
{% macro aqi_report_rules(report, rule_ids) %}
    select
        standard_code,
        valid_from,
        valid_to
        {%- for rule_id in rule_ids %},
            max(value) filter (where rule_id = '{{ rule_id }}') as {{ rule_id }}
        {%- endfor %}
    from {{ ref("aqi_report_rule") }}
    where report = '{{ report }}'
    group by standard_code, valid_from, valid_to
{% endmacro %}

{% macro judge_air(relation, keys, report) %}
    with scale as (
        select
            category.standard_code,
            min(category.aqi_lo) as aqi_min,
            min(category.aqi_hi) as primary_above,
            max(category.aqi_hi) filter (where category.is_good) as good_up_to,
            any_value(rule.value) as missing_item_aqi_from
        from {{ ref("aqi_category") }} as category
        left join {{ ref("aqi_report_rule") }} as rule
            on category.standard_code = rule.standard_code and rule.report = '{{ report }}' and rule.rule_id = 'missing_item_aqi_from'
        group by category.standard_code
    ),

    looked_up as (
        select
            {%- for key in keys %}
            reading.{{ key }},
            {%- endfor %}
            reading.business_date,
            reading.pollutant_id,
            edition.standard_code,
            {{ iaqi("reading.concentration", "own") }} as iaqi,
            {{ iaqi("reading.concentration_2026", "next_edition") }} as iaqi_2026
        from {{ relation }} as reading
        left join {{ ref("standard_version") }} as edition
            on edition.domain = 'aqi' and {{ in_force("edition", "reading.business_date") }}
        left join {{ ref("aqi_breakpoint") }} as own
            on edition.standard_code = own.standard_code and {{ within_breakpoint(report, "reading", "own") }}
        left join {{ ref("aqi_breakpoint") }} as next_edition
            on next_edition.standard_code = 'HJ 633-2026' and {{ within_breakpoint(report, "reading", "next_edition", "_2026") }}
    ),

    item as (
        select
            {{ keys | join(", ") }},
            business_date,
            pollutant_id,
            max(standard_code) as standard_code,
            max(iaqi) as iaqi,
            max(iaqi_2026) as iaqi_2026
        from looked_up
        group by {{ keys | join(", ") }}, business_date, pollutant_id
    ),

    ranked as (
        select
            item.*,
            pollutant.symbol,
            pollutant.sort_no,
            max(item.iaqi) over (partition by {{ keys | join(", ") }}, item.business_date) as highest_iaqi
        from item
        inner join {{ ref("pollutant") }} as pollutant on item.pollutant_id = pollutant.pollutant_id
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
            bool_or(ranked.iaqi_2026 is null) as is_short_2026,
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
            -- HJ 663-2013 6.2: an exceedance counts even if another item is missing; else what is due must be there.
            coalesce(summed.missing_items is null or summed.highest_iaqi >= scale.missing_item_aqi_from, false)
            and summed.highest_iaqi is not null as is_judged,
            coalesce(not summed.is_short_2026 or summed.highest_iaqi_2026 >= scale_2026.missing_item_aqi_from, false)
            and summed.highest_iaqi_2026 is not null as is_judged_2026,
            greatest(summed.highest_iaqi, scale.aqi_min) as whole_aqi,
            greatest(summed.highest_iaqi_2026, scale_2026.aqi_min) as whole_aqi_2026
        from summed
        left join scale on summed.standard_code = scale.standard_code
        left join scale as scale_2026 on scale_2026.standard_code = 'HJ 633-2026'
    )

    select
        {{ keys | join(", ") }},
        judged.business_date,
        {%- for pollutant in air_pollutants() %}
            judged.iaqi_{{ pollutant.id }},
        {%- endfor %}
        judged.standard_code,
        judged.is_judged,
        judged.missing_items,
        case when judged.is_judged then judged.whole_aqi end as aqi,
        case when judged.is_judged then judged.highest_items end as primary_pollutants,
        category.level as category_level,
        category.category_zh,
        category.category_en,
        category.colour as category_colour,
        coalesce(category.is_good, false) as is_good,
        coalesce(category.is_heavy, false) as is_heavy,
        case when judged.is_judged_2026 then judged.whole_aqi_2026 end as aqi_2026_basis,
        category_2026.level as category_level_2026_basis,
        category_2026.category_zh as category_zh_2026_basis,
        category_2026.category_en as category_en_2026_basis,
        category_2026.colour as category_colour_2026_basis,
        coalesce(category_2026.is_good, false) as is_good_2026_basis
    from judged
    left join {{ ref("aqi_category") }} as category
        on
            judged.is_judged
            and judged.standard_code = category.standard_code
            and judged.whole_aqi between category.aqi_lo and category.aqi_hi
    left join {{ ref("aqi_category") }} as category_2026
        on
            judged.is_judged_2026
            and category_2026.standard_code = 'HJ 633-2026'
            and judged.whole_aqi_2026 between category_2026.aqi_lo and category_2026.aqi_hi
{% endmacro %}

{#
  The daily report. `relation` is long: `keys`, business_date, pollutant_id, concentration (24 hours, ozone 8 hours) and hour_max,
  the highest 1-hour value of ozone: its index counts above the 8-hour table (HJ 633-2012 table 1, note 3), and always if the
  rule o3_1h_in_daily_2012 says so.
#}
{% macro judge_air_day(relation, keys) %}
    with rules as (
        {{ aqi_report_rules("day", ["o3_1h_in_daily_2012", "o3_8h_beyond"]) }}
    ),

    day_item as (
        select
            {{ keys | join(", ") }},
            business_date,
            pollutant_id,
            case when pollutant_id = 'o3' then '8h' else '24h' end as averaging,
            concentration,
            averaging as averaging_2026,
            concentration as concentration_2026
        from {{ relation }}
        union all
        select
            {%- for key in keys %}
            day.{{ key }},
            {%- endfor %}
            day.business_date,
            day.pollutant_id,
            '1h' as averaging,
            day.hour_max as concentration,
            null as averaging_2026,
            null as concentration_2026
        from {{ relation }} as day
        inner join rules
            on
                day.pollutant_id = 'o3'
                and {{ in_force("rules", "day.business_date") }}
                and (rules.o3_1h_in_daily_2012 = 1 or day.concentration > rules.o3_8h_beyond)
    )

    select *
    from ({{ judge_air("day_item", keys, "day") }})
{% endmacro %}
