with conversations as (

    select * from {{ ref('fct_conversation') }}
    where model is not null

),

final as (

    select
        model,
        min(date) as first_date,
        max(date) as last_date,
        count(distinct date) as active_day_count,
        count(*) as conversation_count,
        count(distinct user_id) as user_count
    from conversations
    group by model

)

select * from final
order by model
