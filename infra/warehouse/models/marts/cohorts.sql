-- A user belongs to the week of the first entry into the flow, and converts once, with the first
-- conversion of the goal.
with users as (
    select flow, user_id, {{ period('week', 'min(entered_at)') }} as entry_week
    from {{ ref('fct_session') }}
    where not in_holdout
    group by flow, user_id
),
sizes as (
    select flow, entry_week, count(*) as users
    from users
    group by flow, entry_week
),
firsts as (
    select flow, user_id, goal, min(happened_at) as converted_at
    from {{ ref('fct_conversion') }}
    where not in_holdout
    group by flow, user_id, goal
),
converted as (
    select
        users.flow,
        users.entry_week,
        firsts.goal,
        {{ weeks_between('users.entry_week', period('week', 'firsts.converted_at')) }} as week,
        count(*) as new_users
    from users
    inner join firsts using (flow, user_id)
    group by 1, 2, 3, 4
)
select
    sizes.flow,
    sizes.entry_week,
    converted.goal,
    converted.week,
    sizes.users,
    converted.new_users,
    cast(sum(converted.new_users) over weeks as {{ whole_type() }}) as converted,
    {{ share('sum(converted.new_users) over weeks', 'sizes.users') }} as conversion_rate
from sizes
inner join converted using (flow, entry_week)
window weeks as (
    partition by sizes.flow, sizes.entry_week, converted.goal
    order by converted.week
    rows between unbounded preceding and current row
)
