-- The position is the order in which sessions reach the steps, on average; what is never reached,
-- such as a message on exit, comes last.
with arrivals as (
    select
        flow, version, step, happened_at,
        row_number() over (partition by session order by sequence) as place
    from {{ ref('fct_transition') }}
    where what = 'reached'
),
known as (
    select flow, version, step, avg(place) as place, min(happened_at) as first_reached_at
    from arrivals
    group by flow, version, step
),
named as (
{%- for fact in ('transition', 'communication', 'message', 'conversion', 'call') %}
    select flow, version, step from {{ ref('fct_' ~ fact) }}
    {{- ' union distinct' if not loop.last }}
{%- endfor %}
)
select
    concat(named.flow, '@', cast(named.version as {{ text_type() }}), '/', named.step) as flow_version_step,
    concat(named.flow, '@', cast(named.version as {{ text_type() }})) as flow_version,
    named.flow,
    named.version,
    named.step,
    row_number() over (
        partition by named.flow, named.version
        order by case when known.place is null then 1 else 0 end, known.place, named.step
    ) as position,
    known.first_reached_at
from named
left join known on known.flow = named.flow and known.version = named.version and known.step = named.step
