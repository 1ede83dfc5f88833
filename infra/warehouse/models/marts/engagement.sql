-- Users are counted once in each period, so they do not add up over periods.
with arrivals as (
    select flow, version, step, user_id, happened_at
    from {{ ref('fct_transition') }}
    where what = 'reached' and not in_holdout
)
{% for unit in ('day', 'week', 'month') %}
select
    '{{ unit }}' as period,
    {{ period(unit, 'happened_at') }} as starts_on,
    flow,
    version,
    step,
    count(*) as total,
    count(distinct user_id) as users
from arrivals
group by starts_on, flow, version, step
{{ 'union all' if not loop.last }}
{% endfor %}
