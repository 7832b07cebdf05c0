-- The facts hold exactly the conversations and messages that the lake holds for each day built, without those that
-- could not be processed.
with lake as (

    select
        'fct_conversation' as fact,
        date,
        count(*) as row_count
    from {{ ref('stg_conversations') }}
    group by date
    union all
    select
        'fct_message' as fact,
        date,
        count(*) as row_count
    from {{ ref('stg_messages') }}
    group by date

),

facts as (

    select
        'fct_conversation' as fact,
        date,
        count(*) as row_count
    from {{ ref('fct_conversation') }}
    where date in ({{ days() }})
    group by date
    union all
    select
        'fct_message' as fact,
        date,
        count(*) as row_count
    from {{ ref('fct_message') }}
    where date in ({{ days() }})
    group by date

)

select
    coalesce(lake.date, facts.date) as date,
    concat(
        coalesce(lake.fact, facts.fact), ' has ', coalesce(facts.row_count, 0), ' rows and the lake ',
        coalesce(lake.row_count, 0)
    ) as explanation
from lake
full outer join facts
    on lake.fact = facts.fact and lake.date = facts.date
where lake.row_count is distinct from facts.row_count
