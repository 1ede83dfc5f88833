select
    flow,
    min(entered_at) as first_entry_at,
    max(entered_at) as last_entry_at,
    max(version) as newest_version,
    count(*) as sessions,
    count(distinct user_id) as users
from {{ ref('fct_session') }}
group by flow
