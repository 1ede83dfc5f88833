-- "Now" is the newest transition: results may be of any time.
with newest as (
    select max(happened_at) as at_last from {{ ref('fct_transition') }}
),
here as (
    select
        flow, version, step, in_holdout,
        {{ days_between('step_reached_at', 'at_last') }} as days
    from {{ ref('fct_session') }}
    cross join newest
    where ended_at is null
)
select
    flow,
    version,
    step,
    in_holdout,
    count(*) as sessions,
    {{ quantile('days', 50) }} as days_median,
    max(days) as days_longest
from here
group by flow, version, step, in_holdout
