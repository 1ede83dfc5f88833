with sessions as (
    select
        session,
        flow,
        max_by(user_id, sequence) as user_id,
        max_by(version, sequence) as version,
        max_by(key, sequence) as key,
        max_by(in_holdout, sequence) as in_holdout,
        min(happened_at) as entered_at,
        max(case when what = 'ended' then happened_at end) as ended_at,
        max_by(
            case when what = 'ended' then coalesce(reason, 'completed') end,
            case when what = 'ended' then sequence end
        ) as end_reason,
        max_by(step, sequence) as step,
        max(case when what = 'reached' then happened_at end) as step_reached_at
    from {{ ref('fct_transition') }}
    group by session, flow
),
sent as (
    select session, count(*) as messages
    from {{ ref('fct_message') }}
    group by session
),
converted as (
    select session, count(*) as conversions, {{ money('value') }} as revenue
    from {{ ref('fct_conversion') }}
    group by session
)
select
    sessions.*,
    {{ period('day', 'entered_at') }} as day,
    coalesce(sent.messages, 0) as messages,
    coalesce(converted.conversions, 0) as conversions,
    coalesce(converted.revenue, 0) as revenue
from sessions
left join sent on sent.session = sessions.session
left join converted on converted.session = sessions.session
