{% macro get_incremental_replace_days_sql(arg_dict) -%}
{# Incremental strategy `replace_days`: whatever the table has of the days being built goes, also when a restated day
   is empty now, which a strategy that deletes by the new rows' keys would leave standing. One transaction with the
   insert, which dbt commits. #}
{%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
delete from {{ arg_dict['target_relation'] }}
where date in ({{ days() }});

insert into {{ arg_dict['target_relation'] }} ({{ columns }})
select {{ columns }}
from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
