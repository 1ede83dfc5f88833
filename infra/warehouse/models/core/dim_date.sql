-- Every day from the first row to the last one, also days without rows.
with seen as (
{%- for fact in ('transition', 'communication', 'message', 'conversion', 'rejection', 'call') %}
    select min(day) as first_day, max(day) as last_day from {{ ref('fct_' ~ fact) }}
    {{- ' union all' if not loop.last }}
{%- endfor %}
),
range_of_days as (
    select min(first_day) as first_day, max(last_day) as last_day from seen
),
days as (
    select cast(each_day as date) as day
    from range_of_days, {{ elements(day_list('first_day', 'last_day'), 'each_day') }}
)
select
    day,
    {{ period('week', 'day') }} as week,
    {{ period('month', 'day') }} as month
from days
