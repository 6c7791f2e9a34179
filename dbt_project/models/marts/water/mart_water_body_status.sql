-- Black-odorous bodies by half-year (建城〔2015〕130号): the newest check decides. Eliminated = treated, no item black,
-- residents satisfied; a treated body with a black item has relapsed, since the first such check of the present run.
with check_row as (
    select
        *,
        checked_date as day
    from {{ ref("stg_returns__water_body_check") }}
),

levelled as (
    {{ black_water_level("check_row", ["body_code", "checked_date"]) }}
),

checked as (
    select
        check_row.*,
        levelled.level_no,
        coalesce(levelled.standard_code, '建城〔2015〕130号') as standard_code,
        coalesce(check_row.checked_date > check_row.treated_date, false) as is_treated,
        (date_trunc('year', check_row.checked_date) + if(month(check_row.checked_date) > 6, interval 6 month, interval 0 month))::date
            as half_start_date
    from check_row
    left join levelled on check_row.body_code = levelled.body_code and check_row.checked_date = levelled.checked_date
),

run as (
    select
        *,
        last_value(satisfaction_pct ignore nulls) over past as satisfaction_known_pct,
        max(checked_date) filter (where not (is_treated and level_no > 0)) over past as last_clean_date
    from checked
    window past as (partition by body_code order by checked_date rows between unbounded preceding and current row)
),

relapse as (
    select
        run.body_code,
        run.checked_date,
        min(earlier.checked_date) as relapse_since_date
    from run
    inner join run as earlier
        on
            run.body_code = earlier.body_code
            and earlier.is_treated
            and earlier.level_no > 0
            and run.checked_date >= earlier.checked_date
            and earlier.checked_date > coalesce(run.last_clean_date, '1900-01-01')
    where run.is_treated and run.level_no > 0
    group by run.body_code, run.checked_date
),

newest as (
    select
        *,
        count(*) over (partition by body_code, half_start_date)::integer as check_count,
        bool_or(is_treated and level_no > 0) over (partition by body_code, half_start_date) as relapsed_in_half
    from run
    qualify row_number() over (partition by body_code, half_start_date order by checked_date desc) = 1
),

known as (
    select
        body_code,
        min(identified_date) as identified_date
    from checked
    group by body_code
),

halves as (
    select unnest(generate_series(min(half_start_date), max(half_start_date), interval 6 month))::date as half_start_date
    from checked
),

-- A body on the list stays due in every half-year, whether anybody looked or not.
due as (
    select
        known.body_code,
        known.identified_date,
        halves.half_start_date,
        max(newest.half_start_date) as facts_half
    from known
    inner join halves on known.identified_date < halves.half_start_date + interval 6 month
    inner join newest on known.body_code = newest.body_code
    where newest.half_start_date <= halves.half_start_date
    group by known.body_code, known.identified_date, halves.half_start_date
),

stated as (
    select
        due.body_code,
        facts.body_name,
        facts.county_code,
        facts.built_up_kind,
        due.identified_date,
        facts.treated_date,
        due.half_start_date,
        newest.checked_date,
        coalesce(newest.check_count, 0)::integer as check_count,
        newest.transparency_cm,
        newest.do_mg_l,
        newest.orp_mv,
        newest.nh3n_mg_l,
        newest.depth_cm,
        newest.is_clear_to_bottom,
        newest.satisfaction_known_pct as satisfaction_pct,
        newest.level_no,
        coalesce(newest.relapsed_in_half, false) as relapsed_in_half,
        relapse.relapse_since_date,
        case
            when newest.body_code is null then 'not_checked'
            when not newest.is_treated then 'untreated'
            when newest.level_no is null then 'not_measured'
            when newest.level_no = 2 then 'relapsed_heavy'
            when newest.level_no = 1 then 'relapsed_light'
            when newest.satisfaction_known_pct is null then 'not_surveyed'
            when newest.satisfaction_known_pct < {{ water_rule("satisfaction_min_pct", "newest.checked_date") }} then 'not_satisfied'
            else 'eliminated'
        end as state,
        facts.standard_code,
        coalesce(newest.data_basis, facts.data_basis) as data_basis
    from due
    inner join newest as facts on due.body_code = facts.body_code and due.facts_half = facts.half_start_date
    left join newest on due.body_code = newest.body_code and due.half_start_date = newest.half_start_date
    left join relapse on newest.body_code = relapse.body_code and newest.checked_date = relapse.checked_date
)

select
    body_code,
    body_name,
    county_code,
    built_up_kind,
    identified_date,
    treated_date,
    half_start_date,
    checked_date,
    check_count,
    transparency_cm,
    do_mg_l,
    orp_mv,
    nh3n_mg_l,
    depth_cm,
    is_clear_to_bottom,
    satisfaction_pct,
    level_no,
    state,
    case state
        when 'eliminated' then '消除'
        when 'untreated' then '未整治'
        when 'relapsed_light' then '返黑返臭（轻度）'
        when 'relapsed_heavy' then '返黑返臭（重度）'
        when 'not_checked' then '本半年未检查'
        when 'not_measured' then '有检查无监测数据'
        when 'not_surveyed' then '未做公众评议'
        when 'not_satisfied' then '公众满意度不足'
    end as state_zh,
    state = 'eliminated' as is_eliminated,
    relapsed_in_half as is_relapsed,
    relapse_since_date,
    standard_code,
    data_basis
from stated
