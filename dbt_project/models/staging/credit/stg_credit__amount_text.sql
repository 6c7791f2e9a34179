{#
  The amount that a text says without doubt, else NULL: digits with 元, 万元, 亿元 or ¥, numerals spelled out with 元, or
  several of these if they agree (叁万元整（￥30000）). A bare number counts only in the unit declared beside it.
  `parse_amount_cny` in include/tanhuan/formats/enterprise_text.py reads the same; a test holds the two together.
#}
{% set number = '(?:[0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,12})(?:[.][0-9]{1,6})?' %}
{% set digit = '[壹贰叁肆伍陆柒捌玖]' %}
{% set section = '(?:零?' ~ digit ~ '仟)?(?:零?' ~ digit ~ '佰)?(?:零?' ~ digit ~ '?拾)?(?:零?' ~ digit ~ ')?' %}
{% set spelled = '(?:' ~ section ~ '亿)?(?:' ~ section ~ '万)?' ~ section ~ '元(?:零?' ~ digit ~ '角)?(?:零?' ~ digit ~ '分)?' %}
{% set amount = '(?:¥' ~ number ~ '[万亿]?元?|' ~ number ~ '(?:[万亿]元?|元)|' ~ spelled ~ ')[整正]?' %}

with written as (
    select distinct
        amount_text,
        amount_unit
    from {{ ref('stg_credit__penalty') }}
    where amount_text is not null
),

plain as (
    select
        amount_text,
        amount_unit,
        regexp_replace(
            translate(
                amount_text,
                '０１２３４５６７８９．，￥圆〇一二两三四五六七八九十百千',
                '0123456789.,¥元零壹贰贰叁肆伍陆柒捌玖拾佰仟'
            ),
            '人民币|大写|小写|(处以|处)?罚款|[\s()（）:：]', '', 'g'
        ) as plain_text
    from written
),

-- one row for each amount of a text that says nothing but amounts
single as (
    select
        amount_text,
        amount_unit,
        unnest(regexp_extract_all(plain_text, '{{ amount }}')) as said
    from plain
    where regexp_full_match(plain_text, '(?:{{ amount }})+')
),

valued as (
    select
        amount_text,
        amount_unit,
        case
            when regexp_matches(said, '[0-9]')
                then
                    replace(regexp_extract(said, '{{ number }}'), ',', '')::decimal(32, 6)
                    * case when contains(said, '亿') then 100000000 when contains(said, '万') then 10000 else 1 end
            when regexp_matches(said, '{{ digit }}') then {{ read_spelled_amount('said') }}
        end as amount_cny
    from single
    union all
    select
        amount_text,
        amount_unit,
        replace(plain_text, ',', '')::decimal(32, 6) * case amount_unit when '元' then 1 when '万元' then 10000 end as amount_cny
    from plain
    where regexp_full_match(plain_text, '{{ number }}')
)

select
    written.amount_text,
    written.amount_unit,
    -- Fractions of a fen are no amount of money, nor is what no column of money holds.
    case
        when
            count(valued.amount_cny) = count(valued.amount_text)
            and min(valued.amount_cny) = max(valued.amount_cny)
            and min(valued.amount_cny) = round(min(valued.amount_cny), 2)
            then try_cast(min(valued.amount_cny) as decimal(18, 2))
    end as amount_cny
from written
left join valued
    on written.amount_text = valued.amount_text and written.amount_unit is not distinct from valued.amount_unit
group by written.amount_text, written.amount_unit
