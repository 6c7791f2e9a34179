{#
  One row per place, period, basis and series from `int_air__period_item` and `int_air__period_day`, for regions and for stations
  alike: what HJ 663-2013 asks of a year (5.1.2, annex A, annex C), and the ranking indices. `scope` is region or station.
#}
{% macro air_period(scope, code_column) %}
    with items as (
        select *
        from {{ ref("int_air__period_item") }}
        where scope = '{{ scope }}'
    ),

    ranking as (
        select
            items.scope_code,
            items.basis,
            items.series,
            items.period_kind,
            items.period_start_date,
            weight.rule_id,
            case when count(items.item_id) = {{ air_pollutants() | length }} and count(
                case when weight.statistic = 'mean' then items.mean_ratio else items.percentile_ratio end
            ) = {{ air_pollutants() | length }}
                then {{ round_half_even("sum(weight.weight * case when weight.statistic = 'mean' then items.mean_ratio else items.percentile_ratio end)",
                    "any_value(weight.decimals)") }}
            end as index_value
        from items
        inner join {{ ref("air_index_weight") }} as weight
            on items.item_id = weight.pollutant_id and {{ in_force("weight", "items.period_end_date") }}
        group by all
    ),

    ranked as (
        select
            scope_code,
            basis,
            series,
            period_kind,
            period_start_date,
            max(index_value) filter (where rule_id = 'ranking') as ranking_index,
            max(index_value) filter (where rule_id = 'weighted') as weighted_index
        from ranking
        group by all
    ),

    wide as (
        select
            items.scope_code,
            any_value(items.region_level) as region_level,
            items.basis,
            items.series,
            items.period_kind,
            items.period_start_date,
            items.period_end_date,
            items.standard_code,
            max(items.limit_standard_code) as limit_standard_code,
            {%- for pollutant in air_pollutants() %}
                max(items.valid_days) filter (where items.item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_valid_days,
                max(items.mean) filter (where items.item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_mean_{{ pollutant.unit }},
                max(items.percentile) filter (where items.item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_percentile_{{ pollutant.unit }},
                max(items.full_months) filter (where items.item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_full_months,
                bool_or(items.is_sufficient) filter (where items.item_id = '{{ pollutant.id }}') as {{ pollutant.id }}_is_sufficient,
            {%- endfor %}
            max(items.required_days) as required_days,
            max(items.valid_days) filter (where items.item_id = 'judged') as judged_days,
            max(items.full_months) filter (where items.item_id = 'judged') as judged_full_months,
            bool_and(items.is_sufficient) as is_sufficient,
            bool_or(items.is_sufficient) filter (where items.item_id = 'judged') as judged_is_sufficient,
            string_agg(items.item_id, '、' order by items.item_id) filter (where not items.is_sufficient) as insufficient_items,
            max(items.single_index) as max_index,
            case when count(items.single_index) = {{ air_pollutants() | length }} then sum(items.single_index) end as composite_index,
            -- HJ 663-2013 6.2: without an item the whole is not compliant, and names it; a running period has no verdict yet.
            case when any_value(items.is_over) and items.period_kind = 'year'
                then bool_and(coalesce(items.is_compliant, false)) filter (where items.item_id != 'judged') end as is_compliant,
            string_agg(pollutant.symbol, '、' order by coalesce(items.highest_multiple, 0) desc, pollutant.sort_no)
                filter (where not items.is_compliant and items.item_id != 'judged') as non_compliant_items,
            string_agg(pollutant.symbol, '、' order by pollutant.sort_no)
                filter (where not items.is_sufficient and items.item_id != 'judged') as invalid_items
        from items
        left join {{ ref("pollutant") }} as pollutant on items.item_id = pollutant.pollutant_id
        group by
            items.scope_code, items.basis, items.series, items.period_kind, items.period_start_date, items.period_end_date,
            items.standard_code
    ),

    days as (
        select
            days.scope_code,
            days.basis,
            days.series,
            period.period_kind,
            cast(date_trunc(period.period_kind, days.business_date) as date) as period_start_date,
            count(distinct days.business_date) as observed_days,
            sum(days.is_good::integer) filter (where days.item_id = 'judged') as good_days,
            sum(days.is_heavy::integer) filter (where days.item_id = 'judged') as heavy_days,
            count(days.is_compliant) filter (where days.item_id = 'judged') as evaluated_days,
            count(*) filter (where days.is_compliant and days.item_id = 'judged') as compliant_days,
            count(days.is_good_2026_basis) filter (where days.item_id = 'judged') as judged_days_2026_basis,
            count(*) filter (where days.is_good_2026_basis and days.item_id = 'judged') as good_days_2026_basis,
            count(*) filter (where days.is_left_out and days.item_id = 'judged') as event_days,
            count(*) filter (where days.is_confirmed and days.item_id = 'judged') as confirmed_days,
            {{ basis_of_group("days.data_basis") }} as data_basis,
            md5(string_agg(cast(days as varchar), ';' order by days.business_date, days.item_id)) as inputs_hash
        from {{ ref("int_air__period_day") }} as days
        cross join (values ('month'), ('year')) as period (period_kind)
        where days.scope = '{{ scope }}'
        group by all
    ),

    rules as (
        {{ air_rules(["rate_decimals"]) }}
    )

    select
        wide.scope_code as {{ code_column }},
        {%- if scope == "region" %}
        wide.region_level,
        {%- endif %}
        wide.period_kind,
        wide.period_start_date,
        wide.period_end_date,
        year(wide.period_start_date) as year,
        case when wide.period_kind = 'month' then month(wide.period_start_date) end as month,
        wide.basis,
        wide.series,
        date_diff('day', wide.period_start_date, wide.period_end_date) + 1 as calendar_days,
        days.observed_days,
        wide.judged_days,
        cast(days.good_days as bigint) as good_days,
        cast({{ round_half_even("100.0 * days.good_days / nullif(wide.judged_days, 0)", "rules.rate_decimals") }} as decimal(5, 1)) as good_ratio_pct,
        cast(days.heavy_days as bigint) as heavy_days,
        wide.judged_full_months,
        days.evaluated_days,
        days.compliant_days,
        cast({{ round_half_even("100.0 * days.compliant_days / nullif(days.evaluated_days, 0)", "rules.rate_decimals") }} as decimal(5, 1))
            as compliant_ratio_pct,
        days.judged_days_2026_basis,
        days.good_days_2026_basis,
        cast({{ round_half_even("100.0 * days.good_days_2026_basis / nullif(days.judged_days_2026_basis, 0)", "rules.rate_decimals") }}
            as decimal(5, 1)) as good_ratio_2026_basis_pct,
        days.event_days,
        days.confirmed_days,
        days.observed_days - days.confirmed_days as preliminary_days,
        days.observed_days = days.confirmed_days as is_confirmed,
        {%- for pollutant in air_pollutants() %}
            wide.{{ pollutant.id }}_valid_days,
            wide.{{ pollutant.id }}_mean_{{ pollutant.unit }},
            wide.{{ pollutant.id }}_percentile_{{ pollutant.unit }},
            wide.{{ pollutant.id }}_full_months,
            wide.{{ pollutant.id }}_is_sufficient,
        {%- endfor %}
        cast(round_even(wide.composite_index, 3) as decimal(9, 3)) as composite_index,
        cast(round_even(wide.max_index, 3) as decimal(9, 3)) as max_index,
        cast(ranked.ranking_index as decimal(9, 3)) as ranking_index,
        cast(ranked.weighted_index as decimal(9, 3)) as weighted_index,
        wide.is_compliant,
        wide.non_compliant_items,
        wide.invalid_items,
        wide.required_days,
        wide.judged_is_sufficient,
        wide.is_sufficient,
        case
            when not wide.is_sufficient
                then
                    '判定 ' || wide.judged_days || ' 天，最低 ' || cast(wide.required_days as integer) || ' 天'
                    || coalesce('；12 个月中 ' || wide.judged_full_months || ' 个月达到每月最低天数', '')
                    || '；不足项目：' || replace(wide.insufficient_items, 'judged', '判定日')
        end as insufficient_reason_zh,
        case
            when not wide.is_sufficient
                then
                    wide.judged_days || ' judged days of at least ' || cast(wide.required_days as integer)
                    || coalesce('; ' || wide.judged_full_months || ' of 12 months have their minimum of days', '')
                    || '; short: ' || replace(replace(wide.insufficient_items, 'judged', 'judged days'), '、', ', ')
        end as insufficient_reason_en,
        wide.standard_code,
        wide.limit_standard_code,
        days.data_basis,
        days.inputs_hash
    from wide
    inner join days
        on
            wide.scope_code = days.scope_code
            and wide.basis = days.basis
            and wide.series = days.series
            and wide.period_kind = days.period_kind
            and wide.period_start_date = days.period_start_date
    left join ranked
        on
            wide.scope_code = ranked.scope_code
            and wide.basis = ranked.basis
            and wide.series = ranked.series
            and wide.period_kind = ranked.period_kind
            and wide.period_start_date = ranked.period_start_date
    left join rules on {{ in_force("rules", "wide.period_end_date") }}
    order by wide.scope_code, wide.period_kind, wide.period_start_date, wide.basis, wide.series
{% endmacro %}
