-- Users are assigned to branches, so they are what is counted: sessions of one user are alike.
with assigned as (
    select distinct flow, step, variant, user_id
    from {{ ref('fct_transition') }}
    where what = 'left' and variant is not null and not in_holdout
),
branches as (
    select flow, step, variant, count(*) as users
    from assigned
    group by flow, step, variant
),
reached as (
    select flow, variant, goal, count(distinct user_id) as converted, {{ money('value') }} as revenue
    from {{ ref('fct_conversion') }}, {{ elements('variants', 'variant') }}
    where not in_holdout
    group by flow, variant, goal
),
goals as (
    select distinct flow, goal from {{ ref('fct_conversion') }}
),
counted as (
    select
        branches.flow,
        branches.step,
        branches.variant,
        goals.goal,
        branches.users,
        coalesce(reached.converted, 0) as converted,
        coalesce(reached.revenue, 0) as revenue
    from branches
    inner join goals using (flow)
    left join reached using (flow, variant, goal)
)
select
    *,
    {{ share('converted', 'users') }} as conversion_rate,
    {{ wilson('converted', 'users', 'low') }} as rate_low,
    {{ wilson('converted', 'users', 'high') }} as rate_high
from counted
