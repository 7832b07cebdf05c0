{% macro lake_files(table) -%}
{# The lake's files of a table on the days being built; no others are opened. Rendered when a model runs, not when the
   project is parsed, so that one parsed project serves every build. #}
{%- set lake = var('lake', env_var('ANALYTICS_DBT_LAKE', '.analytics/lake')) -%}
read_parquet([
{%- for day in var('days') -%}
'{{ lake | replace("'", "''") }}/{{ table.identifier }}/date={{ day }}/data.parquet'{{ ', ' if not loop.last }}
{%- endfor -%}
], hive_partitioning = false)
{%- endmacro %}
