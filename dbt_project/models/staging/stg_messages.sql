with source as (

    select * from {{ source('lake', 'messages') }}

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
        language,
        character_count,
        word_count,
        token_count as text_token_count,
        len(code) as code_block_count,
        response_seconds
    from source

)

select * from renamed
