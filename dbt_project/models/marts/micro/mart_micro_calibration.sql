with month_pair as (
    select * from {{ ref('int_micro__pair_month') }}
),

rules as (
    {{ micro_rules('month_pair', [
        'calibration_min_pairs', 'calibration_slope_min', 'calibration_slope_max', 'calibration_r_min', 'drift_slope_pct', 'drift_bias_pct'
    ], day='month_date') }}
),

fitted as (
    select
        *,
        case when spread_xx > 0 then (spread_xy / spread_xx)::decimal(18, 6) end as slope,
        case when spread_xx > 0 then ((sum_y * spread_xx - spread_xy * sum_x) / (pair_count * spread_xx))::decimal(18, 6) end
            as intercept,
        case
            when spread_xx > 0 and spread_yy > 0 then ((spread_xy * spread_xy) / (spread_xx * spread_yy))::decimal(18, 12)
        end as r_squared,
        case
            when spread_xx > 0
                then (sqrt(greatest(spread_yy - (spread_xy * spread_xy) / spread_xx, 0)) / pair_count)::decimal(18, 4)
        end as rmse,
        ((sum_x - sum_y) / nullif(pair_count, 0))::decimal(18, 4) as bias,
        (100 * (sum_x - sum_y) / nullif(sum_y, 0))::decimal(18, 4) as bias_pct
    from month_pair
),

judged as (
    select
        fitted.*,
        rules.* exclude (month_date, pollutant_id),
        case
            when fitted.pair_count < rules.calibration_min_pairs or fitted.r_squared is null then 'insufficient'
            when
                fitted.slope between rules.calibration_slope_min and rules.calibration_slope_max
                and fitted.spread_xy > 0
                -- Squares, so that a correlation at the limit is not lost in a root.
                and fitted.r_squared >= rules.calibration_r_min * rules.calibration_r_min
                then 'ok'
            else 'suspect'
        end as calibration_status
    from fitted
    inner join rules on fitted.month_date = rules.month_date and fitted.pollutant_id = rules.pollutant_id
),

-- Only months that follow each other, at the same reference, both with enough pairs, can be compared.
compared as (
    select
        this_month.*,
        last_month.slope as previous_slope,
        last_month.bias_pct as previous_bias_pct,
        (100 * (this_month.slope - last_month.slope) / nullif(abs(last_month.slope), 0))::decimal(18, 2) as slope_change_pct,
        (this_month.bias_pct - last_month.bias_pct)::decimal(18, 2) as bias_change_pct
    from judged as this_month
    left join judged as last_month
        on
            this_month.device_code = last_month.device_code
            and this_month.pollutant_id = last_month.pollutant_id
            and this_month.reference_station_code = last_month.reference_station_code
            and last_month.month_date = this_month.month_date - interval 1 month
            and this_month.calibration_status <> 'insufficient'
            and last_month.calibration_status <> 'insufficient'
)

select
    compared.device_code,
    compared.pollutant_id,
    compared.month_date,
    compared.county_code,
    compared.reference_station_code,
    coalesce(station.is_control_point, false) as reference_is_control_point,
    compared.pair_count,
    compared.calibration_min_pairs::integer as required_pairs,
    compared.slope,
    compared.intercept,
    (sign(compared.spread_xy) * sqrt(compared.r_squared))::decimal(9, 6) as r,
    compared.rmse,
    compared.bias,
    compared.bias_pct,
    pollutant.ambient_unit as concentration_unit,
    compared.calibration_status,
    case
        when compared.calibration_status = 'ok' then (compared.month_date + interval 1 month)::date
    end as applies_to_month_date,
    case
        when compared.pair_count = 0 then '没有与国控站同时有效的小时'
        when compared.pair_count < compared.calibration_min_pairs
            then '有效对数' || compared.pair_count || '，少于' || {{ plain_number('compared.calibration_min_pairs') }}
        when compared.r_squared is null then '数值不变，无法拟合'
        when compared.calibration_status = 'suspect'
            then
                '斜率' || {{ plain_number('compared.slope') }} || '（允许' || {{ plain_number('compared.calibration_slope_min') }}
                || '–' || {{ plain_number('compared.calibration_slope_max') }} || '），相关系数'
                || {{ plain_number('sign(compared.spread_xy) * sqrt(compared.r_squared)') }} || '（不小于'
                || {{ plain_number('compared.calibration_r_min') }} || '）'
    end as reason_zh,
    case
        when compared.pair_count = 0 then 'no hour that is valid here and at the national station'
        when compared.pair_count < compared.calibration_min_pairs
            then compared.pair_count || ' valid pairs, fewer than ' || {{ plain_number('compared.calibration_min_pairs') }}
        when compared.r_squared is null then 'the values do not vary, nothing can be fitted'
        when compared.calibration_status = 'suspect'
            then
                'slope ' || {{ plain_number('compared.slope') }} || ' (allowed ' || {{ plain_number('compared.calibration_slope_min') }}
                || ' to ' || {{ plain_number('compared.calibration_slope_max') }} || '), r '
                || {{ plain_number('sign(compared.spread_xy) * sqrt(compared.r_squared)') }} || ' (at least '
                || {{ plain_number('compared.calibration_r_min') }} || ')'
    end as reason_en,
    compared.previous_slope,
    compared.previous_bias_pct,
    compared.slope_change_pct,
    compared.bias_change_pct,
    abs(compared.slope_change_pct) > compared.drift_slope_pct or abs(compared.bias_change_pct) > compared.drift_bias_pct
        as is_drifting,
    true as is_indicative,
    '仅供参考' as usage_zh,
    {{ basis_of_row(['compared.device_basis', 'compared.reference_basis']) }} as data_basis
from compared
left join {{ ref('station') }} as station
    on compared.reference_station_code = station.station_code and {{ in_force('station', 'compared.month_date') }}
left join {{ ref('pollutant') }} as pollutant on compared.pollutant_id = pollutant.pollutant_id
order by compared.month_date, compared.device_code, compared.pollutant_id
