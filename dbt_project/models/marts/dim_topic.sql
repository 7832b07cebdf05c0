with conversations as (

    select * from {{ ref('fct_conversation') }}
    where primary_topic is not null

),

messages as (

    select * from {{ ref('fct_message') }}
    where primary_topic is not null

),

mentions as (

    select
        date,
        conversation_id,
        unnest(list_distinct(list_append(topics, primary_topic))) as topic,
        primary_topic
    from conversations

),

conversations_by_topic as (

    select
        topic,
        count(*) as conversation_count,
        count(*) filter (where topic = primary_topic) as primary_conversation_count,
        min(date) as first_date,
        max(date) as last_date
    from mentions
    group by topic

),

messages_by_topic as (

    select
        primary_topic as topic,
        count(*) as primary_message_count,
        min(date) as first_date,
        max(date) as last_date
    from messages
    group by primary_topic

),

final as (

    select
        coalesce(conversations_by_topic.topic, messages_by_topic.topic) as topic,
        coalesce(conversations_by_topic.conversation_count, 0) as conversation_count,
        coalesce(conversations_by_topic.primary_conversation_count, 0) as primary_conversation_count,
        coalesce(messages_by_topic.primary_message_count, 0) as primary_message_count,
        least(conversations_by_topic.first_date, messages_by_topic.first_date) as first_date,
        greatest(conversations_by_topic.last_date, messages_by_topic.last_date) as last_date
    from conversations_by_topic
    full outer join messages_by_topic
        on conversations_by_topic.topic = messages_by_topic.topic

)

select * from final
order by topic
