with messages as (

    select * from {{ ref('stg_messages') }}

),

insights as (

    select * from {{ ref('stg_message_insights') }}

),

final as (

    select
        messages.message_id,
        messages.conversation_id,
        messages.date,
        messages.position,
        messages.role,
        messages.user_id,
        messages.agent_id,
        messages.model,
        messages.channel,
        messages.sent_at,
        messages.time_source,
        messages.language,
        messages.character_count,
        messages.word_count,
        messages.text_token_count,
        messages.code_block_count,
        messages.response_seconds,
        insights.sentiment,
        insights.sentiment_confidence,
        insights.intent,
        insights.intent_confidence,
        coalesce(insights.topics[1], case when insights.message_id is not null then 'other' end) as primary_topic,
        insights.topics,
        insights.insight_tier
    from messages
    left join insights
        on
            messages.conversation_id = insights.conversation_id
            and messages.message_id = insights.message_id

)

select * from final
order by date, conversation_id, position
