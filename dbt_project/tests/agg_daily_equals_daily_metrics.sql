-- Two ways to count the same day, SQL over the facts and the platform's own daily_metrics, agree for each day built.
with aggregated as (

    select
        date,
        conversation_count,
        message_count,
        user_count,
        agent_count,
        answered_count,
        outcome_count,
        resolved_count,
        rated_count,
        negative_count,
        positive_count
    from {{ ref('agg_daily') }}
    where date in ({{ days() }}) and conversation_count > 0

),

measured as (

    select
        date,
        conversation_count,
        message_count,
        user_count,
        agent_count,
        answered_count,
        outcome_count,
        resolved_count,
        rated_count,
        negative_count,
        positive_count
    from {{ ref('stg_daily_metrics') }}
    where conversation_count > 0

),

only_aggregated as (

    select * from aggregated
    except
    select * from measured

),

only_measured as (

    select * from measured
    except
    select * from aggregated

)

select
    'agg_daily' as counted_by,
    only_aggregated.*
from only_aggregated
union all
select
    'daily_metrics' as counted_by,
    only_measured.*
from only_measured
