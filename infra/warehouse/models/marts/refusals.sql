-- Entries and other signals that were refused, and messages that were not sent, with the reason, by day.
select
    'signal' as what,
    {{ period('day', 'happened_at') }} as day,
    coalesce(flow, '') as flow,
    coalesce(step, '') as step,
    reason,
    count(*) as refused,
    count(distinct user_id) as users
from {{ ref('fct_rejection') }}
group by 2, 3, 4, 5
union all
select
    'message',
    {{ period('day', 'happened_at') }},
    flow,
    step,
    reason,
    count(*),
    count(distinct user_id)
from {{ ref('fct_communication') }}
where status in ('skipped', 'expired', 'canceled') and reason is not null
group by 2, 3, 4, 5
