with source as (

    select * from {{ lake_files(source('lake', 'message_insights')) }}

),

renamed as (

    select
        conversation_id,
        message_id,
        date,
        sentiment,
        sentiment_confidence,
        intent,
        intent_confidence,
        {{ labels('topics') }} as topics,
        tier as insight_tier
    from source

)

select * from renamed
