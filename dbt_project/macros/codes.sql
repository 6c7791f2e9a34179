{#
  The code as a gate would have to read it if every O before the class letter stood for a zero (GB 32100 has no letter O):
  evidence for a person, never a key. A USCC has no class letter; a permit number has it at the 22nd place.
#}
{% macro read_o_as_zero(code) -%}
    replace(left({{ code }}, 21), 'O', '0') || substr({{ code }}, 22)
{%- endmacro %}

{# Whether the check character of a well-formed USCC does not fit (GB 32100-2015: sum of value times 3^i, modulo 31). #}
{% macro uscc_check_fails(uscc) -%}
    list_sum([
        (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr({{ uscc }}, place + 1, 1)) - 1) * pow(3, place % 17)::bigint
        for place in range(18)
    ]) % 31 <> 0
{%- endmacro %}

{#
  A document number as it is compared: half-width, without blanks, one kind of bracket around the year. The number itself
  is kept as received.
#}
{% macro normalise_case_no(case_no) -%}
    regexp_replace(
        upper(translate({{ case_no }}, '０１２３４５６７８９【】[]［］()（）', '0123456789〔〕〔〕〔〕〔〕〔〕')), '\s', '', 'g'
    )
{%- endmacro %}
