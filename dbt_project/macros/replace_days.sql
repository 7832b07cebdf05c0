{% macro get_incremental_replace_days_sql(arg_dict) -%}
{# Incremental strategy `replace_days`: whatever the table has of the days being built goes, also when a restated day
   is empty now, which a strategy that deletes by the new rows' keys would leave standing. So does what another day
   has under the same key: a conversation that starts on another day now is taken from the day it was on, whichever
   of the two is built first. One transaction with the insert, which dbt commits. #}
{%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
{%- set unique_key = arg_dict['unique_key'] -%}
{%- set key = unique_key if unique_key is string else '(' ~ unique_key | join(', ') ~ ')' -%}
delete from {{ arg_dict['target_relation'] }}
where date in ({{ days() }})
    or {{ key }} in (select {{ key }} from {{ arg_dict['temp_relation'] }});

insert into {{ arg_dict['target_relation'] }} ({{ columns }})
select {{ columns }}
from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
