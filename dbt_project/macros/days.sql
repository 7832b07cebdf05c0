{% macro days() -%}
{# The days being built, as SQL literals: `date '2006-05-15', date '2006-05-16'`. #}
{%- if execute and not var('days') -%}
    {{ exceptions.raise_compiler_error("say which days to build, e.g. --vars '{days: [\"2006-05-15\"]}'") }}
{%- endif -%}
{%- for day in var('days') -%}
    date '{{ day }}'{{ ', ' if not loop.last }}
{%- endfor -%}
{%- endmacro %}
