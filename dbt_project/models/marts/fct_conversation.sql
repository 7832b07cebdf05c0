with conversations as (

    select * from {{ ref('stg_conversations') }}

),

insights as (

    select * from {{ ref('stg_conversation_insights') }}

),

discovered as (

    select * from {{ ref('stg_conversation_topics') }}

),

final as (

    select
        conversations.conversation_id,
        conversations.date,
        conversations.user_id,
        conversations.agent_id,
        conversations.model,
        conversations.channel,
        conversations.language,
        conversations.variant,
        conversations.started_at,
        conversations.ended_at,
        conversations.time_source,
        case
            when conversations.time_source in ('message', 'conversation')
                then extract(hour from conversations.started_at at time zone 'UTC')
        end as started_hour,
        conversations.duration_seconds,
        conversations.message_count,
        conversations.user_message_count,
        conversations.agent_message_count,
        conversations.turn_count,
        conversations.text_token_count,
        conversations.agent_talk_ratio,
        conversations.answer_count,
        conversations.first_response_seconds,
        conversations.response_seconds_p50,
        conversations.response_seconds_p90,
        conversations.answer_count > 0 as is_answered,
        conversations.outcome,
        conversations.is_resolved,
        conversations.is_closed,
        conversations.rating,
        conversations.quality_score,
        conversations.llm_token_count,
        conversations.llm_cost_usd,
        conversations.llm_cost_source,
        insights.primary_topic,
        insights.topics,
        insights.intent,
        insights.intent_confidence,
        insights.sentiment,
        insights.sentiment_confidence,
        insights.urgency,
        insights.urgency_confidence,
        insights.resolution,
        insights.resolution_confidence,
        case
            when insights.sentiment < -0.25 then 'negative'
            when insights.sentiment > 0.25 then 'positive'
            when insights.sentiment is not null then 'neutral'
        end as sentiment_label,
        insights.insight_confidence,
        insights.insight_tier,
        insights.taxonomy_version,
        discovered.discovered_topic_id,
        discovered.discovered_topic,
        discovered.discovered_parent_id,
        discovered.discovered_parent,
        discovered.discovered_topic_confidence
    from conversations
    left join insights
        on conversations.conversation_id = insights.conversation_id
    left join discovered
        on conversations.conversation_id = discovered.conversation_id

)

select * from final
order by date, conversation_id
