select
    concat(flow, '@', cast(version as {{ text_type() }})) as flow_version,
    flow,
    version,
    min(happened_at) as first_seen_at,
    max(happened_at) as last_seen_at
from {{ ref('fct_transition') }}
group by flow, version
