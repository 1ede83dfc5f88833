with moves as (
    select
        flow, version, step, in_holdout,
        {{ count_if("what = 'reached'") }} as arrivals,
        {{ count_if("what = 'reached' and first_arrival") }} as users,
        {{ count_if("what = 'left'") }} as departures,
        avg(case when what = 'left' then {{ days_between('since', 'happened_at') }} end) as days_in_step
    from {{ ref('fct_transition') }}
    where what in ('reached', 'left')
    group by flow, version, step, in_holdout
),
here as (
    select flow, version, step, in_holdout, count(*) as waiting
    from {{ ref('fct_session') }}
    where ended_at is null
    group by flow, version, step, in_holdout
),
sent as (
    select flow, version, step, count(*) as messages
    from {{ ref('fct_message') }}
    group by flow, version, step
),
reached as (
    select distinct id, flow, version, in_holdout, place, value
    from {{ ref('fct_conversion') }}, {{ elements('steps', 'place') }}
),
converted as (
    select flow, version, place as step, in_holdout, count(*) as conversions, {{ money('value') }} as revenue
    from reached
    group by flow, version, place, in_holdout
),
entered as (
    select flow, version, in_holdout, count(*) as entries
    from {{ ref('fct_transition') }}
    where what = 'entered'
    group by flow, version, in_holdout
)
select
    moves.flow,
    moves.version,
    dim_step.position,
    moves.step,
    moves.in_holdout,
    moves.arrivals,
    moves.users,
    {{ share('moves.arrivals', 'entered.entries') }} as share_of_entries,
    moves.departures,
    moves.days_in_step,
    coalesce(here.waiting, 0) as waiting,
    case when moves.in_holdout then 0 else coalesce(sent.messages, 0) end as messages,
    coalesce(converted.conversions, 0) as conversions,
    {{ share('coalesce(converted.conversions, 0)', 'moves.arrivals') }} as conversion_rate,
    coalesce(converted.revenue, 0) as revenue
from moves
left join {{ ref('dim_step') }} as dim_step using (flow, version, step)
left join here using (flow, version, step, in_holdout)
left join sent using (flow, version, step)
left join converted using (flow, version, step, in_holdout)
left join entered using (flow, version, in_holdout)
