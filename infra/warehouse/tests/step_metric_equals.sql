-- The facts give the same numbers as the job's own metrics of steps, by day and reason.
{{ config(enabled=(target.type == 'duckdb')) }}
with prefixed as (
    select *, case when in_holdout then 'holdout_' else '' end as apart
    from {{ ref('fct_transition') }}
),
facts as (
    select {{ period('day', 'happened_at') }} as day, flow, version, step,
           apart || case what when 'reached' then 'arrivals' else 'left' end as metric,
           '' as reason, count(*)::double as value
    from prefixed where what in ('reached', 'left') group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, step, apart || 'first_arrivals', '', count(*)
    from prefixed where what = 'reached' and first_arrival group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, step, 'messages', '', count(*)
    from (
        select happened_at, flow, version, step from {{ ref('fct_message') }}
        union all
        select happened_at, flow, version, step from {{ ref('fct_call') }} where kind = 'api'
    ) group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, step, 'suppressed', reason, count(*)
    from {{ ref('fct_communication') }}
    where status in ('skipped', 'expired', 'canceled') and reason is not null group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, place,
           case when in_holdout then 'holdout_' else '' end || 'conversions', goal, count(*)
    from (
        select distinct id, happened_at, flow, version, in_holdout, goal, unnest(steps) as place
        from {{ ref('fct_conversion') }}
    ) group by all
),
metrics as (
    select start::date as day, flow, version, step, metric, reason, value
    from {{ source('towpath', 'step_metric_day') }}
    where replace(metric, 'holdout_', '') in
        ('arrivals', 'left', 'first_arrivals', 'messages', 'suppressed', 'conversions')
)
(select * from facts except select * from metrics)
union all
(select * from metrics except select * from facts)
