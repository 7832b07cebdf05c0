{% macro labels(topics) -%}
{# The labels of a list of (label, confidence), most confident first. #}
list_transform({{ topics }}, lambda topic : topic['label'])
{%- endmacro %}
