{#
  Whether a source or project (with county_code and zone_code) lies in `region` (with region_code, county_codes).
  A county is itself and the city is its counties, so that the counties make the city. A zone overlaps counties: it is
  found by its own code and is a memo line, part of no sum.
#}
{% macro lies_in_region(fact, region='region') -%}
    (list_contains({{ region }}.county_codes, {{ fact }}.county_code) or {{ region }}.region_code = {{ fact }}.zone_code)
{%- endmacro %}
