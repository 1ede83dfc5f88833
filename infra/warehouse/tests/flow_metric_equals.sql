-- The facts give the same numbers as the job's own metrics of flows, by day and reason.
{{ config(enabled=(target.type == 'duckdb')) }}
with prefixed as (
    select *, case when in_holdout then 'holdout_' else '' end as apart
    from {{ ref('fct_transition') }}
),
goals as (
    select *, case when in_holdout then 'holdout_' else '' end as apart
    from {{ ref('fct_conversion') }}
),
facts as (
    select {{ period('day', 'happened_at') }} as day, flow, version, apart || 'entries' as metric,
           '' as reason, count(*)::double as value
    from prefixed where what = 'entered' group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, apart || 'exits',
           coalesce(nullif(reason, ''), 'completed'), count(*)
    from prefixed where what = 'ended' group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, apart || 'goals', goal, count(*)
    from goals group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, apart || 'first_goals', goal, count(*)
    from goals where first_conversion group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, apart || 'revenue', goal,
           sum(value::decimal(38, 4))::double
    from goals where value <> 0 group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, version, 'messages', '', count(*)
    from (
        select happened_at, flow, version from {{ ref('fct_message') }}
        union all
        select happened_at, flow, version from {{ ref('fct_call') }} where kind = 'api'
    ) group by all
    union all
    select {{ period('day', 'happened_at') }}, flow, null, 'refusals', reason, count(*)
    from {{ ref('fct_rejection') }} where flow is not null group by all
),
metrics as (
    select start::date as day, flow, version, metric, reason, value
    from {{ source('towpath', 'flow_metric_day') }}
    where replace(metric, 'holdout_', '') in
        ('entries', 'exits', 'goals', 'first_goals', 'revenue', 'messages', 'refusals')
      and flow <> ''
)
(select * from facts except select * from metrics)
union all
(select * from metrics except select * from facts)
