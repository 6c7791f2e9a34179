{# The CNY that capital numerals say: sections of four places before 亿, 万 and 元, then 角 and 分. #}
{% macro read_spelled_amount(text) -%}
    (
        {{ read_spelled_section("regexp_extract(" ~ text ~ ", '^([^亿]*)亿', 1)") }} * 100000000
        + {{ read_spelled_section("regexp_extract(" ~ text ~ ", '([^亿万]*)万', 1)") }} * 10000
        + {{ read_spelled_section("regexp_extract(" ~ text ~ ", '([^亿万]*)元', 1)") }}
        + {{ read_numeral("regexp_extract(" ~ text ~ ", '(.)角', 1)") }} * 0.1
        + {{ read_numeral("regexp_extract(" ~ text ~ ", '(.)分', 1)") }} * 0.01
    )::decimal(24, 6)
{%- endmacro %}

{# The number below ten thousand that a section says; 拾 without a numeral before it is ten. #}
{% macro read_spelled_section(section) -%}
    (
        {{ read_numeral("regexp_extract(" ~ section ~ ", '(.)仟', 1)") }} * 1000
        + {{ read_numeral("regexp_extract(" ~ section ~ ", '(.)佰', 1)") }} * 100
        + case
            when contains({{ section }}, '拾')
                then greatest({{ read_numeral("regexp_extract(" ~ section ~ ", '(.?)拾', 1)") }}, 1) * 10
            else 0
        end
        + {{ read_numeral("right(" ~ section ~ ", 1)") }}
    )
{%- endmacro %}

{# The digit that a numeral is; 0 for any other text and for none. #}
{% macro read_numeral(character) -%}
    case when {{ character }} <> '' then strpos('壹贰叁肆伍陆柒捌玖', {{ character }}) else 0 end
{%- endmacro %}
