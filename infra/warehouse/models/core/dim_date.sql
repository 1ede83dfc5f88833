with days as (
    select distinct {{ period('day', 'happened_at') }} as day from {{ ref('fct_transition') }}
    union distinct
    select distinct {{ period('day', 'happened_at') }} from {{ ref('fct_conversion') }}
    union distinct
    select distinct {{ period('day', 'happened_at') }} from {{ ref('fct_rejection') }}
)
select
    day,
    {{ period('week', 'day') }} as week,
    {{ period('month', 'day') }} as month
from days
