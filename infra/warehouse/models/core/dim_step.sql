-- The position is the order in which sessions reach the steps, on average.
with arrivals as (
    select
        flow, version, step, happened_at,
        row_number() over (partition by session order by sequence) as place
    from {{ ref('fct_transition') }}
    where what = 'reached'
),
steps as (
    select flow, version, step, avg(place) as place, min(happened_at) as first_reached_at
    from arrivals
    group by flow, version, step
)
select
    concat(flow, '@', cast(version as {{ text_type() }}), '/', step) as flow_version_step,
    concat(flow, '@', cast(version as {{ text_type() }})) as flow_version,
    flow,
    version,
    step,
    row_number() over (partition by flow, version order by place, step) as position,
    first_reached_at
from steps
