with source as (

    select * from {{ lake_files(source('lake', 'messages')) }}

),

failed as (

    select conversation_id from {{ lake_files(source('lake', 'processing_errors')) }}

),

renamed as (

    select
        message_id,
        conversation_id,
        date,
        position,
        role,
        user_id,
        agent_id,
        model,
        channel,
        sent_at,
        time_source,
        language,
        character_count,
        word_count,
        token_count as text_token_count,
        len(code) as code_block_count,
        response_seconds
    from source
    where conversation_id not in (select failed.conversation_id from failed)

)

select * from renamed
