with conversations as (

    select * from {{ ref('fct_conversation') }}
    where user_id is not null

),

final as (

    select
        user_id,
        min(started_at) as first_seen_at,
        max(ended_at) as last_seen_at,
        min(date) as first_date,
        max(date) as last_date,
        count(distinct date) as active_day_count,
        count(*) as conversation_count,
        sum(message_count)::bigint as message_count,
        count(distinct date) > 1 as is_returning
    from conversations
    group by user_id

)

select * from final
order by user_id
