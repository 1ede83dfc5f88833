with sent as (
    select flow, version, {{ period('month', 'happened_at') }} as month, channel, count(*) as messages
    from {{ ref('fct_message') }}
    group by 1, 2, 3, 4
),
priced as (
    select
        flow, version, {{ period('month', 'happened_at') }} as month, channel,
        coalesce(cast(sum(parts) as {{ whole_type() }}), 0) as parts,
        {{ money('cost') }} as cost, {{ money('reported_cost') }} as reported_cost
    from {{ ref('fct_communication') }}
    group by 1, 2, 3, 4
)
select
    flow,
    version,
    month,
    channel,
    coalesce(sent.messages, 0) as messages,
    coalesce(priced.parts, 0) as parts,
    coalesce(priced.cost, 0) as cost,
    coalesce(priced.reported_cost, 0) as reported_cost
from sent
full outer join priced using (flow, version, month, channel)
