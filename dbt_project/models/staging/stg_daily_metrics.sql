with source as (

    select * from {{ lake_files(source('lake', 'daily_metrics')) }}

),

renamed as (

    select
        date,
        conversation_count,
        message_count,
        user_count,
        agent_count,
        answered_count,
        timed_count,
        outcome_count,
        resolved_count,
        closed_count,
        rated_count,
        negative_count,
        positive_count
    from source

)

select * from renamed
