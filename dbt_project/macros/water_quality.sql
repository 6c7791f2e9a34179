{#
  Class of every row of `relation` by the dated limits of a standard (GB 3838-2002 table 1, GB/T 14848-2017 table 1): the
  best class whose limits hold, so that equal limits of neighbouring classes give the better one; one worse than the last
  if none does. `relation` has `columns`, item_id, body_kind, value, saturation_pct, day. No value, a negative one and an
  item without limits for this kind of water have no class. The single-factor method then takes the worst item.
#}
{% macro classed_water_items(relation, columns, limits="water_limit") %}
    select
        {%- for column in columns %}
        item.{{ column }},
        {%- endfor %}
        item.item_id,
        item.body_kind,
        item.value,
        min(bound.standard_code) as standard_code,
        case
            when item.value < 0 or max(bound.class_no) is null then null
            else coalesce(min(bound.class_no) filter (where {{ within_water_limit("item", "bound", limits) }}), max(bound.class_no) + 1)
        end::integer as class_no
    from {{ relation }} as item
    left join {{ ref(limits) }} as bound
        on
            item.item_id = bound.item_id
            and bound.bound <> 'narrative'
            and {{ in_force("bound", "item.day") }}
            {%- if limits == "water_limit" %}
            and (bound.body_kind = 'any' or bound.body_kind = item.body_kind)
            {%- endif %}
    where item.value is not null
    group by {% for column in columns %}item.{{ column }}, {% endfor %}item.item_id, item.body_kind, item.value
{% endmacro %}

{# GB 3838-2002 gives dissolved oxygen of class Ⅰ a second way in: 90 % of saturation. #}
{% macro within_water_limit(item, bound, limits="water_limit") -%}
    (
        ({{ bound }}.lower_limit is null or {{ item }}.value >= {{ bound }}.lower_limit)
        and ({{ bound }}.upper_limit is null or {{ item }}.value <= {{ bound }}.upper_limit)
        {%- if limits == "water_limit" %}
        or {{ item }}.saturation_pct >= {{ bound }}.alternative_saturation_pct
        {%- endif %}
    )
{%- endmacro %}

{# A number of the seed water_rule in force on `day`, as a scalar. #}
{% macro water_rule(rule_id, day, column="value") -%}
    (
        select max(rule.{{ column }}) from {{ ref("water_rule") }} as rule
        where rule.rule_id = '{{ rule_id }}' and {{ in_force("rule", day) }}
    )
{%- endmacro %}

{# Saturation of dissolved oxygen in percent: DO × (31.6 + T) / 468 × 100; NULL without a temperature. #}
{% macro oxygen_saturation(do_mg_l, water_temp_c, day) -%}
    cast(
        {{ do_mg_l }} * 100 * ({{ water_rule("do_saturation_offset", day) }} + {{ water_temp_c }})
        / {{ water_rule("do_saturation_dividend", day) }} as decimal(12, 4)
    )
{%- endmacro %}

{#
  Level of a black-odorous body: 0 none, 1 light, 2 heavy, the worst item decides; NULL without any value. `relation` has
  `columns`, day, transparency_cm, do_mg_l, orp_mv, nh3n_mg_l, depth_cm and is_clear_to_bottom. A negative transparency,
  oxygen or ammonia was not measured. In shallow water the limit of transparency follows the depth (表1注); seen to the
  bottom, transparency is only the depth and says nothing.
#}
{% macro black_water_level(relation, columns) %}
    with item as (
        select
            body.*,
            unnest([
                {'item_id': 'transparency', 'value': if(coalesce(body.is_clear_to_bottom, false), null, body.transparency_cm)},
                {'item_id': 'do', 'value': body.do_mg_l},
                {'item_id': 'orp', 'value': body.orp_mv},
                {'item_id': 'nh3n', 'value': body.nh3n_mg_l}
            ], recursive := true)
        from {{ relation }} as body
    ),

    bounded as (
        select
            item.*,
            bound.level,
            bound.standard_code,
            case
                when item.item_id = 'transparency' and item.depth_cm > 0 and item.depth_cm < {{ water_rule("shallow_depth_cm", "item.day") }}
                    then least(bound.below_limit, item.depth_cm * {{ water_rule("shallow_share_pct", "item.day") }} / 100)
                else bound.below_limit
            end as below_limit,
            bound.above_limit
        from item
        left join {{ ref("black_water_limit") }} as bound
            on item.item_id = bound.item_id and {{ in_force("bound", "item.day") }}
        where item.value >= 0 or item.item_id = 'orp'
    )

    select
        {%- for column in columns %}
        {{ column }},
        {%- endfor %}
        min(standard_code) as standard_code,
        case
            when count(value) = 0 then null
            when coalesce(bool_or((value < below_limit or value > above_limit) and level = 'heavy'), false) then 2
            when coalesce(bool_or((value < below_limit or value > above_limit) and level = 'light'), false) then 1
            else 0
        end::integer as level_no
    from bounded
    group by all
{% endmacro %}

{# How far a value lies above a limit, as a multiple (C / S − 1) with two places, half to even. #}
{% macro water_multiple(value, limit) -%}
    round_even(cast({{ value }} / nullif({{ limit }}, 0) - 1 as decimal(24, 8)), 2)::decimal(12, 2)
{%- endmacro %}

{# Items with a column of their own in fct_water_section_month, and the suffix of their unit. #}
{% macro water_columns() %}
    {{- return({
        "water_temp": "water_temp_c", "ph": "ph", "do": "do_mg_l", "codmn": "codmn_mg_l", "cod": "cod_mg_l",
        "bod5": "bod5_mg_l", "nh3n": "nh3n_mg_l", "tp": "tp_mg_l", "tn": "tn_mg_l", "coliform": "coliform_n_l",
        "chla": "chla_ug_l", "sd": "transparency_m",
    }) -}}
{% endmacro %}

{# Measures of int_water__region_count and the stem of their columns in mart_water_period. #}
{% macro water_measures() %}
    {{- return({
        "section_good_ratio": "section_good", "section_worse_v_ratio": "section_worse_v",
        "section_target_ratio": "section_target", "city_source_count_ratio": "city_source",
        "city_source_volume_ratio": "city_volume", "county_source_count_ratio": "county_source",
        "county_source_volume_ratio": "county_volume", "county_source_ratio": "county_source_year",
        "groundwater_v_ratio": "groundwater_v", "city_black_body_eliminated": "city_black",
        "county_black_body_eliminated": "county_black",
    }) -}}
{% endmacro %}
