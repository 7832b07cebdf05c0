with source as (

    select * from {{ lake_files(source('lake', 'conversation_insights')) }}

),

renamed as (

    select
        conversation_id,
        date,
        primary_topic,
        {{ labels('topics') }} as topics,
        intent,
        intent_confidence,
        sentiment,
        sentiment_confidence,
        urgency,
        urgency_confidence,
        resolution,
        resolution_confidence,
        confidence as insight_confidence,
        tier as insight_tier,
        taxonomy_version
    from source

)

select * from renamed
