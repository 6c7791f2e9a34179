{% set places = [
    ('stg_permits__permit', 'uscc'), ('stg_permits__permit', 'permit_no'), ('stg_permits__permit', 'previous_permit_no'),
    ('stg_permits__permit_outlet', 'permit_no'), ('stg_permits__permit_limit', 'permit_no'),
    ('stg_permits__permit_annual_limit', 'permit_no'), ('stg_permits__device_binding', 'permit_no'),
    ('stg_permits__execution_report', 'permit_no'), ('stg_credit__credit_evaluation', 'uscc'),
    ('stg_credit__credit_repair', 'uscc'), ('stg_credit__penalty', 'uscc'), ('stg_credit__penalty', 'permit_no'),
    ('stg_credit__blacklist', 'uscc'), ('stg_returns__hazardous_waste_balance', 'uscc'),
    ('stg_returns__emission_base', 'source_code'), ('stg_returns__reduction_project', 'source_code')
] %}

with written as (
    {% for model, column in places %}
        select
            '{{ model.split("__")[1] }}.{{ column }}' as place,
            {{ column }} as code,
            data_basis
        from {{ ref(model) }}
        where {{ column }} is not null and not starts_with({{ column }}, 'AREA-')
        {{ "union all" if not loop.last }}
    {% endfor %}
),

code as (
    select
        code,
        {{ read_o_as_zero('code') }} as zero_reading,
        string_agg(distinct place, ', ' order by place) as places,
        count(*)::integer as row_count,
        {{ basis_of_group('data_basis') }} as data_basis
    from written
    group by code
),

judged as (
    select
        *,
        case when length(code) = 22 then 'permit_no' else 'uscc' end as code_kind,
        unnest(list_filter([
            case when zero_reading <> code then 'letter_o_for_zero' end,
            case when zero_reading = code and {{ uscc_check_fails('left(code, 18)') }} then 'check_digit_failed' end,
            -- HJ 608-2017 lists no letters; these are the ones seen.
            case when length(code) = 22 and right(code, 1) not in ('P', 'Q', 'R', 'U', 'V', 'W', 'X', 'Y', 'Z') then 'unusual_letter' end
        ], lambda finding: finding is not null)) as finding
    from code
)

select
    judged.code_kind,
    judged.code,
    judged.finding,
    judged.places,
    judged.row_count,
    case when judged.finding = 'letter_o_for_zero' then judged.zero_reading end as zero_reading,
    case when judged.finding = 'letter_o_for_zero' then not {{ uscc_check_fails('left(judged.zero_reading, 18)') }} end as is_zero_reading_valid,
    twin.places as zero_reading_places,
    judged.data_basis,
    night.as_of as as_of_date
from judged
cross join {{ source('raw', 'night') }} as night
left join code as twin on judged.finding = 'letter_o_for_zero' and judged.zero_reading = twin.code
