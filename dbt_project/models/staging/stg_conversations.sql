with source as (

    select * from {{ lake_files(source('lake', 'conversations')) }}

),

failed as (

    select conversation_id from {{ lake_files(source('lake', 'processing_errors')) }}

),

renamed as (

    select
        conversation_id,
        date,
        user_id,
        agent_id,
        model,
        channel,
        language,
        started_at,
        ended_at,
        time_source,
        duration_seconds,
        message_count,
        user_message_count,
        agent_message_count,
        turn_count,
        answer_count,
        first_response_seconds,
        response_seconds_p50,
        response_seconds_p90,
        agent_talk_ratio,
        token_count as text_token_count,
        rating,
        outcome,
        resolved as is_resolved,
        closed as is_closed,
        quality_score,
        variant,
        tokens as llm_token_count,
        cost as llm_cost_usd,
        cost_source as llm_cost_source
    from source
    where conversation_id not in (select failed.conversation_id from failed)

)

select * from renamed
