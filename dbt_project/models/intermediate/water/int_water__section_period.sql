{{ config(materialized="table") }}

-- Single-factor evaluation of sections by month, quarter and year (环办〔2011〕22号): the worst item is the class; total
-- nitrogen, coliforms and temperature take no part. Trophic state of lakes beside it.
with item as (
    select * from {{ ref("int_water__period_item") }}
    where sample_kind = 'section'
),

basic as (
    select * from {{ ref("water_item") }}
    where surface_role = 'single_factor'
),

ranked as (
    select
        item.*,
        case when item.has_multiple then {{ water_multiple("item.value", "item.third_limit") }} end as multiple,
        max(item.surface_class_no) over (partition by item.point_code, item.period_kind, item.period_start_date) as worst_class_no
    from item
    where item.surface_role = 'single_factor' and item.surface_class_no is not null
),

main as (
    select
        *,
        row_number() over (
            partition by point_code, period_kind, period_start_date
            order by surface_class_no desc, multiple desc nulls last, sort_no asc
        ) as place
    from ranked
    where surface_class_no > {{ water_rule("pollutant_above_class", "day") }}
),

main_text as (
    select
        point_code,
        period_kind,
        period_start_date,
        string_agg(
            name_zh || if(multiple is null, '', '（' || {{ plain_number("multiple") }} || '）'), '、' order by place
        ) as main_pollutants
    from main
    where place <= {{ water_rule("main_pollutant_count", "day") }}
    group by point_code, period_kind, period_start_date
),

missing as (
    select
        found.point_code,
        found.period_kind,
        found.period_start_date,
        string_agg(basic.name_zh, '、' order by basic.sort_no) as missing_items
    from (select distinct
        point_code,
        period_kind,
        period_start_date
    from item) as found
    inner join basic on {{ in_force("basic", "found.period_start_date") }}
    left join ranked
        on
            found.point_code = ranked.point_code
            and found.period_kind = ranked.period_kind
            and found.period_start_date = ranked.period_start_date
            and basic.item_id = ranked.item_id
    where ranked.item_id is null
    group by found.point_code, found.period_kind, found.period_start_date
),

-- All items of the index or none: its weights add up to one only together.
trophic as (
    select
        item.point_code,
        item.period_kind,
        item.period_start_date,
        case
            when
                count(*) = (
                    select count(*) from {{ ref("water_tli") }} as due
                    where {{ in_force("due", "max(item.day)") }}
                )
                then round_even(sum(tli.weight * 10 * (tli.constant + tli.slope * ln(item.value)))::decimal(18, 8), 2)
        end::decimal(8, 2) as tli
    from item
    inner join {{ ref("water_tli") }} as tli on item.item_id = tli.item_id and {{ in_force("tli", "item.day") }}
    where item.body_kind = 'lake' and item.value > 0
    group by item.point_code, item.period_kind, item.period_start_date
),

-- The highest state whose lower bound the index has passed.
state as (
    select
        trophic.*,
        bound.state_zh,
        bound.state_en
    from trophic
    left join {{ ref("water_trophic_state") }} as bound
        on
            {{ in_force("bound", "trophic.period_start_date") }}
            and (bound.tli_from is null or trophic.tli > bound.tli_from or (bound.includes_lower and trophic.tli = bound.tli_from))
    where trophic.tli is not null
    qualify
        row_number() over (
            partition by trophic.point_code, trophic.period_kind, trophic.period_start_date order by bound.state_no desc
        ) = 1
),

summed as (
    select
        point_code,
        period_kind,
        period_start_date,
        max(day) as day,
        max(body_kind) as body_kind,
        case when min(method) = max(method) then min(method) else 'mixed' end as method,
        max(month_count) as month_count,
        max(sample_count) as sample_count,
        max(surface_class_no) filter (where surface_role = 'single_factor') as class_no,
        count(*) filter (where surface_role = 'single_factor' and surface_class_no is not null)::integer as item_count,
        max(surface_class_no) filter (where item_id = 'tn') as tn_class_no,
        max(surface_class_no) filter (where item_id = 'coliform') as coliform_class_no,
        {%- for item_id, name in water_columns().items() %}
            max(value) filter (where item_id = '{{ item_id }}') as {{ name }},
        {%- endfor %}
        '{' || string_agg('"' || item_id || '": ' || rtrim(rtrim(value::varchar, '0'), '.'), ', ' order by sort_no) || '}' as items_json,
        {{ basis_of_group("data_basis") }} as data_basis
    from item
    group by point_code, period_kind, period_start_date
),

deciding as (
    select
        point_code,
        period_kind,
        period_start_date,
        string_agg(name_zh, '、' order by sort_no) as deciding_items
    from ranked
    where surface_class_no = worst_class_no
    group by point_code, period_kind, period_start_date
)

select
    summed.*,
    deciding.deciding_items,
    main_text.main_pollutants,
    missing.missing_items,
    state.tli,
    state.state_zh as trophic_state_zh,
    state.state_en as trophic_state_en
from summed
left join deciding
    on
        summed.point_code = deciding.point_code
        and summed.period_kind = deciding.period_kind
        and summed.period_start_date = deciding.period_start_date
left join main_text
    on
        summed.point_code = main_text.point_code
        and summed.period_kind = main_text.period_kind
        and summed.period_start_date = main_text.period_start_date
left join missing
    on
        summed.point_code = missing.point_code
        and summed.period_kind = missing.period_kind
        and summed.period_start_date = missing.period_start_date
left join state
    on
        summed.point_code = state.point_code
        and summed.period_kind = state.period_kind
        and summed.period_start_date = state.period_start_date
