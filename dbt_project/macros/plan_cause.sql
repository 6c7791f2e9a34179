{#
  The one cause of a status (domain rule: is it due, is there a value, enough of it, a dated target in the same unit, and only
  then: is it met). For rows of indicators and of commitments alike; each reads its status and sentence from the seed
  assessment_cause. Nothing reaches `target_met` without a value, its coverage and a dated numeric target with a document.
#}
{% macro plan_cause() -%}
    case
        when due_date > as_of then 'not_due'
        when stated_as = 'not_assessed' then 'plan_did_not_assess'
        when value is null and coalesce(stated_as, '') != 'word' then coalesce(missing_cause, 'data_missing')
        when point_kind = 'after_due' then 'after_due'
        when year > end_year then 'after_plan'
        when not coalesce(is_sufficient, false) then 'data_insufficient'
        when point_kind = 'baseline' then 'baseline'
        when stated_as = 'word' then 'stated_by_word'
        when kind = 'Q' and guard_state = 'failed' then 'guard_failed'
        when kind = 'Q' and guard_state = 'unknown' then 'guard_unknown'
        when kind = 'Q' then 'guard_passed'
        when kind = 'W' then 'promised_by_word'
        when target_value is null or target_issued_date is null or target_doc_no is null then 'target_missing'
        when not coalesce(is_same_unit, false) then 'target_unit'
        when is_met is null then 'target_missing'
        else
            case
                when compared_with = 'ongoing' and is_met then 'ongoing_met'
                when compared_with = 'ongoing' then 'ongoing_not_met'
                when point_kind = 'final' and is_met then 'target_met'
                when point_kind = 'final' then 'target_not_met'
                when compared_with = 'interim' and is_met then 'interim_met'
                when compared_with = 'interim' then 'interim_not_met'
                when compared_with = 'path' and is_met then 'path_met'
                when compared_with = 'path' then 'path_not_met'
                when is_met then 'final_met_early'
                else 'final_not_yet'
            end
            -- A county's share of the city's target is no order of its own, and the sentence says so.
            || case when target_origin = 'split' and coalesce(compared_with, '') != 'ongoing' then '_split' else '' end
    end
{%- endmacro %}

{# Both spellings of the micro sign, and tonnes in words, are the same unit. #}
{% macro same_unit_text(unit) -%}
    replace(replace(replace({{ unit }}, 'μ', 'u'), 'µ', 'u'), '吨', 't')
{%- endmacro %}

{# What a sentence adds to its reason: how many inputs, by which standard, and whether any of it is invented. #}
{% macro plan_grounds_zh(coverage_n, coverage_required, standard_code, data_basis) -%}
    coalesce('有效输入 ' || {{ coverage_n }} || coalesce('，最低 ' || {{ plain_number_or_null(coverage_required) }}, '') || '。', '')
    || coalesce('依据 ' || {{ standard_code }} || '。', '')
    || case {{ data_basis }} when 'synthetic' then '合成数据，非实测。' when 'mixed' then '含合成数据。' else '' end
{%- endmacro %}

{% macro plan_grounds_en(coverage_n, coverage_required, standard_code, data_basis) -%}
    coalesce(' Valid inputs: ' || {{ coverage_n }} || coalesce(' of at least ' || {{ plain_number_or_null(coverage_required) }}, '') || '.', '')
    || coalesce(' Standard: ' || {{ standard_code }} || '.', '')
    || case {{ data_basis }} when 'synthetic' then ' Synthetic data.' when 'mixed' then ' Partly synthetic data.' else '' end
{%- endmacro %}

{% macro plain_number_or_null(value) -%}
    nullif({{ plain_number(value) }}, '')
{%- endmacro %}
