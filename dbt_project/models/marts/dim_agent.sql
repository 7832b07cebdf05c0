with conversations as (

    select * from {{ ref('fct_conversation') }}
    where agent_id is not null

),

final as (

    select
        agent_id,
        case when count(model) > 0 then 'assistant' else 'person' end as agent_kind,
        min(date) as first_date,
        max(date) as last_date,
        count(distinct date) as active_day_count,
        count(*) as conversation_count,
        count(distinct user_id) as user_count
    from conversations
    group by agent_id

)

select * from final
order by agent_id
