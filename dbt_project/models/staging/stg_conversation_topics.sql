with source as (

    select * from {{ lake_files(source('lake', 'conversation_topics')) }}

),

renamed as (

    select
        conversation_id,
        date,
        topic_id as discovered_topic_id,
        topic_name as discovered_topic,
        parent_id as discovered_parent_id,
        parent_name as discovered_parent,
        topic_confidence as discovered_topic_confidence
    from source

)

select * from renamed
