-- Its test compares it with the platform's own count, which has to be there before; a test alone orders nothing.
-- depends_on: {{ ref('stg_daily_metrics') }}
with built_days as (

    select unnest([{{ days() }}]) as date

),

conversations as (

    select * from {{ ref('fct_conversation') }}
    where date in ({{ days() }})

),

messages as (

    select * from {{ ref('fct_message') }}
    where date in ({{ days() }})

),

conversations_by_day as (

    select
        date,
        count(*) as conversation_count,
        count(distinct user_id) as user_count,
        count(distinct agent_id) as agent_count,
        count(*) filter (where is_answered) as answered_count,
        count(*) filter (where time_source = 'message') as timed_count,
        count(is_resolved) as outcome_count,
        count(*) filter (where is_resolved) as resolved_count,
        count(*) filter (where is_closed) as closed_count,
        count(rating) as rated_count,
        count(*) filter (where sentiment_label = 'negative') as negative_count,
        count(*) filter (where sentiment_label = 'positive') as positive_count,
        round(avg(is_answered::int), 9) as answered_rate,
        round(avg(is_resolved::int), 9) as resolved_rate,
        round(avg(duration_seconds), 9) as duration_seconds_mean,
        round(quantile_cont(first_response_seconds, 0.5), 9) as first_response_seconds_p50,
        round(quantile_cont(first_response_seconds, 0.9), 9) as first_response_seconds_p90,
        round(avg(rating), 9) as rating_mean,
        round(avg(quality_score), 9) as quality_score_mean,
        round(avg(sentiment), 9) as sentiment_mean,
        sum(llm_token_count)::bigint as llm_token_count,
        round(sum(llm_cost_usd), 9) as llm_cost_usd
    from conversations
    group by date

),

topics_by_day as (

    select
        date,
        primary_topic,
        row_number() over (partition by date order by count(*) desc, primary_topic asc) as topic_rank
    from conversations
    group by date, primary_topic

),

messages_by_day as (

    select
        date,
        count(*) as message_count,
        count(*) filter (where role = 'user') as user_message_count,
        count(*) filter (where role in ('agent', 'assistant')) as agent_message_count,
        sum(text_token_count)::bigint as text_token_count
    from messages
    group by date

),

final as (

    select
        built_days.date,
        coalesce(conversations_by_day.conversation_count, 0) as conversation_count,
        coalesce(messages_by_day.message_count, 0) as message_count,
        coalesce(messages_by_day.user_message_count, 0) as user_message_count,
        coalesce(messages_by_day.agent_message_count, 0) as agent_message_count,
        coalesce(messages_by_day.text_token_count, 0) as text_token_count,
        coalesce(conversations_by_day.user_count, 0) as user_count,
        coalesce(conversations_by_day.agent_count, 0) as agent_count,
        coalesce(conversations_by_day.answered_count, 0) as answered_count,
        coalesce(conversations_by_day.timed_count, 0) as timed_count,
        coalesce(conversations_by_day.outcome_count, 0) as outcome_count,
        coalesce(conversations_by_day.resolved_count, 0) as resolved_count,
        coalesce(conversations_by_day.closed_count, 0) as closed_count,
        coalesce(conversations_by_day.rated_count, 0) as rated_count,
        coalesce(conversations_by_day.negative_count, 0) as negative_count,
        coalesce(conversations_by_day.positive_count, 0) as positive_count,
        conversations_by_day.answered_rate,
        conversations_by_day.resolved_rate,
        conversations_by_day.duration_seconds_mean,
        conversations_by_day.first_response_seconds_p50,
        conversations_by_day.first_response_seconds_p90,
        conversations_by_day.rating_mean,
        conversations_by_day.quality_score_mean,
        conversations_by_day.sentiment_mean,
        topics_by_day.primary_topic as top_topic,
        conversations_by_day.llm_token_count,
        conversations_by_day.llm_cost_usd
    from built_days
    left join conversations_by_day
        on built_days.date = conversations_by_day.date
    left join messages_by_day
        on built_days.date = messages_by_day.date
    left join topics_by_day
        on
            built_days.date = topics_by_day.date
            and topics_by_day.topic_rank = 1

)

select * from final
order by date
