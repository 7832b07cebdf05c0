-- A message is identified by its conversation and its id, and has one row, also when its conversation changes the day.
select
    max(date) as date,
    concat(
        'fct_message has ', count(*), ' rows of message ', message_id, ' of conversation ', conversation_id
    ) as explanation
from {{ ref('fct_message') }}
group by conversation_id, message_id
having count(*) > 1
order by date
