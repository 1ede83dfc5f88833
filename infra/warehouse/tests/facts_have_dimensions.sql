-- Each step of a fact is a row of dim_step, and each day one of dim_date.
with facts as (
{%- for fact in ('transition', 'communication', 'message', 'conversion', 'call') %}
    select distinct '{{ fact }}' as fact, flow, version, step, day from {{ ref('fct_' ~ fact) }}
    {{- ' union all' if not loop.last }}
{%- endfor %}
)
select facts.fact, facts.flow, facts.version, facts.step, facts.day
from facts
left join {{ ref('dim_step') }} as dim_step using (flow, version, step)
left join {{ ref('dim_date') }} as dim_date using (day)
where dim_date.day is null or dim_step.position is null
