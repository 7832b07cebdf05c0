-- Two ways to count the same day, SQL over the facts and the platform's own daily_metrics, agree for each day built.
{%- set counts = [
    'conversation_count', 'message_count', 'user_count', 'agent_count', 'answered_count', 'timed_count',
    'outcome_count', 'resolved_count', 'closed_count', 'rated_count', 'negative_count', 'positive_count'
] %}
with aggregated as (

    select * from {{ ref('agg_daily') }}
    where date in ({{ days() }})

),

measured as (

    select * from {{ ref('stg_daily_metrics') }}

),

compared as (

    select
        coalesce(aggregated.date, measured.date) as date,
        aggregated.date is null or measured.date is null as is_day_missing,
        unnest([
            {%- for name in counts %}
            {
                'column_name': '{{ name }}',
                'aggregated_value': aggregated.{{ name }},
                'measured_value': measured.{{ name }}
            }{{ ',' if not loop.last }}
            {%- endfor %}
        ]) as counted
    from aggregated
    full outer join measured
        on aggregated.date = measured.date

)

select
    date,
    concat(
        counted.column_name, ' is ', coalesce(counted.aggregated_value::varchar, 'missing'), ' in agg_daily and ',
        coalesce(counted.measured_value::varchar, 'missing'), ' in daily_metrics'
    ) as explanation
from compared
where
    counted.aggregated_value is distinct from counted.measured_value
    and (not is_day_missing or counted.column_name = 'conversation_count')
order by date
