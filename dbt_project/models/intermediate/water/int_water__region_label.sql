-- Rivers and lakes of a region as a whole (环办〔2011〕22号): with five sections and more rivers by the ratio of classes;
-- fewer, and lakes always, by the class of the items' means over the sections.
with section as (
    select * from {{ ref("int_water__assessed_section") }}
),

item as (
    select
        section.region_code,
        section.period_kind,
        section.period_start_date,
        section.body_kind,
        section.day,
        item.item_id,
        {{ exact_mean("item.value", "decimal(24, 10)") }} as value,
        {{ exact_mean("item.saturation_pct", "decimal(12, 4)") }} as saturation_pct
    from section
    inner join {{ ref("int_water__period_item") }} as item
        on
            section.point_code = item.point_code
            and section.period_kind = item.period_kind
            and section.period_start_date = item.period_start_date
            and item.sample_kind = 'section'
            and item.surface_role = 'single_factor'
    group by all
),

classed as (
    {{ classed_water_items("item", ["region_code", "period_kind", "period_start_date"]) }}
),

mean_class as (
    select
        region_code,
        period_kind,
        period_start_date,
        body_kind,
        max(class_no) as class_no
    from classed
    group by region_code, period_kind, period_start_date, body_kind
),

counted as (
    select
        region_code,
        period_kind,
        period_start_date,
        body_kind,
        max(day) as day,
        count(*)::integer as section_count,
        {{ percent_of("count(*) filter (where is_good)", "count(*)") }} as good_pct,
        {{ percent_of("count(*) filter (where is_worse)", "count(*)") }} as worse_pct
    from section
    group by region_code, period_kind, period_start_date, body_kind
),

chosen as (
    select
        counted.*,
        mean_class.class_no,
        if(
            counted.body_kind = 'river' and counted.section_count >= {{ water_rule("ratio_min_sections", "counted.day") }},
            'ratio', 'mean'
        ) as method
    from counted
    left join mean_class
        on
            counted.region_code = mean_class.region_code
            and counted.period_kind = mean_class.period_kind
            and counted.period_start_date = mean_class.period_start_date
            and counted.body_kind = mean_class.body_kind
)

select
    chosen.region_code,
    chosen.period_kind,
    chosen.period_start_date,
    chosen.body_kind,
    chosen.section_count,
    chosen.method,
    chosen.class_no as mean_class_no,
    if(chosen.method = 'ratio', ratio.label_zh, label.label_zh) as label_zh,
    if(chosen.method = 'ratio', ratio.label_en, label.label_en) as label_en
from chosen
left join {{ ref("water_class_label") }} as label
    on chosen.class_no = label.class_no and {{ in_force("label", "chosen.day") }}
left join {{ ref("water_ratio_label") }} as ratio
    on
        chosen.method = 'ratio'
        and {{ in_force("ratio", "chosen.day") }}
        and (ratio.good_from_pct is null or chosen.good_pct >= ratio.good_from_pct)
        and (ratio.good_below_pct is null or chosen.good_pct < ratio.good_below_pct)
        and (ratio.worse_from_pct is null or chosen.worse_pct >= ratio.worse_from_pct)
        and (ratio.worse_below_pct is null or chosen.worse_pct < ratio.worse_below_pct)
