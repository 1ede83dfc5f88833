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
),
-- A row for every week until the last one in which anybody converted, if that week has begun.
newest as (
    select max({{ period('week', 'happened_at') }}) as last_week from {{ ref('fct_transition') }}
),
grid as (
    select sizes.flow, sizes.entry_week, weeks.goal, weeks.week
    from sizes
    inner join (select distinct flow, goal, week from converted) as weeks using (flow)
    cross join newest
    where weeks.week <= {{ weeks_between('sizes.entry_week', 'newest.last_week') }}
)
select
    grid.flow,
    grid.entry_week,
    grid.goal,
    grid.week,
    sizes.users,
    coalesce(converted.new_users, 0) as new_users,
    cast(sum(coalesce(converted.new_users, 0)) over weeks as {{ whole_type() }}) as converted,
    {{ share('sum(coalesce(converted.new_users, 0)) over weeks', 'sizes.users') }} as conversion_rate
from grid
inner join sizes using (flow, entry_week)
left join converted using (flow, entry_week, goal, week)
window weeks as (
    partition by grid.flow, grid.entry_week, grid.goal
    order by grid.week
    rows between unbounded preceding and current row
)
