with tonnes as (
    select * from {{ ref('int_reduction__region_tonnes') }}
),

-- E_y = E_(y−1) + new growth − reduction, from the base; one year of unknown growth leaves it unknown from then on.
accumulated as (
    select
        *,
        (verified_t - lag(verified_t, 1, 0) over by_year)::decimal(18, 6) as verified_new_t,
        case when count(*) over so_far = count(new_growth_t) over so_far then sum(new_growth_t) over so_far end::decimal(18, 6)
            as growth_cum_t,
        min(case when new_growth_t is null then year end) over so_far as first_gap_year
    from tonnes
    window
        by_year as (partition by region_code, pollutant_id order by year),
        so_far as (partition by region_code, pollutant_id order by year rows unbounded preceding)
),

account as (
    select
        * exclude (growth_cum_t),
        case when has_begun then growth_cum_t end as growth_cum_t,
        case when has_begun then base_t + growth_cum_t - verified_t end::decimal(18, 6) as account_emission_t,
        case when has_begun then verified_t - growth_cum_t end::decimal(18, 6) as net_t
    from accumulated
)

select
    *,
    {{ percent_of('verified_t', 'base_t') }} as rate_a_pct,
    {{ percent_of('(base_t - account_emission_t)', 'base_t') }} as rate_b_pct,
    {{ percent_of('(comparable_base_t - comparable_emission_t)', 'comparable_base_t') }} as measured_rate_b_pct,
    {{ percent_of('coalesce(comparable_base_t, 0)', 'base_t') }} as measured_rate_b_base_share_pct,
    {% for language, not_begun, no_base, zone, gap in [
        ('zh', '该年度尚未开始', '无基准年排放量', '功能区不报新增量', '自该年起新增量不明：'),
        ('en', 'The year has not begun', 'No base-year emission', 'No growth is reported for zones', 'New growth is not known from: ')
    ] -%}
        case
            when rate_b_pct is not null then null
            when not has_begun then '{{ not_begun }}'
            when region_level = 'zone' then '{{ zone }}'
            when base_t is null or base_t = 0 then '{{ no_base }}'
            else '{{ gap }}' || first_gap_year::varchar
        end as rate_b_reason_{{ language }},
    {% endfor -%}
    case
        when measured_rate_b_pct is not null then null
        when not has_ended then '该年度未结束'
        else '无可比排放源：须有基准年排放量、全年监测完整且监测覆盖全部排放'
    end as measured_rate_b_reason_zh,
    case
        when measured_rate_b_pct is not null then null
        when not has_ended then 'The year has not ended'
        else 'No source to compare: one with a base, measured all year, and measured as a whole'
    end as measured_rate_b_reason_en
from account
