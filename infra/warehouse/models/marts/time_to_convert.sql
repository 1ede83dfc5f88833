with waits as (
    select
        flow, version, goal, in_holdout,
        {{ days_between('entered', 'happened_at') }} as days
    from {{ ref('fct_conversion') }}
)
select
    flow,
    version,
    goal,
    in_holdout,
    count(*) as conversions,
    {{ quantile('days', 25) }} as days_25,
    {{ quantile('days', 50) }} as days_median,
    {{ quantile('days', 75) }} as days_75,
    {{ quantile('days', 90) }} as days_90,
    avg(days) as days_mean
from waits
group by flow, version, goal, in_holdout
