-- The difference of two shares with Newcombe's hybrid score interval, 95 %.
with entered as (
    select
        flow,
        count(distinct case when not in_holdout then user_id end) as treated_users,
        count(distinct case when in_holdout then user_id end) as holdout_users
    from {{ ref('fct_transition') }}
    where what = 'entered'
    group by flow
),
reached as (
    select
        flow,
        goal,
        count(distinct case when not in_holdout then user_id end) as treated_converted,
        count(distinct case when in_holdout then user_id end) as holdout_converted
    from {{ ref('fct_conversion') }}
    group by flow, goal
),
rates as (
    select
        flow, goal, treated_users, treated_converted, holdout_users, holdout_converted,
        {{ share('treated_converted', 'treated_users') }} as treated_rate,
        {{ wilson('treated_converted', 'treated_users', 'low') }} as treated_low,
        {{ wilson('treated_converted', 'treated_users', 'high') }} as treated_high,
        {{ share('holdout_converted', 'holdout_users') }} as holdout_rate,
        {{ wilson('holdout_converted', 'holdout_users', 'low') }} as holdout_low,
        {{ wilson('holdout_converted', 'holdout_users', 'high') }} as holdout_high
    from entered
    inner join reached using (flow)
    where treated_users > 0 and holdout_users > 0
)
select
    flow,
    goal,
    treated_users,
    treated_converted,
    treated_rate,
    holdout_users,
    holdout_converted,
    holdout_rate,
    treated_rate - holdout_rate as lift,
    treated_rate - holdout_rate - sqrt(
        power(treated_rate - treated_low, 2) + power(holdout_high - holdout_rate, 2)
    ) as lift_low,
    treated_rate - holdout_rate + sqrt(
        power(treated_high - treated_rate, 2) + power(holdout_rate - holdout_low, 2)
    ) as lift_high
from rates
