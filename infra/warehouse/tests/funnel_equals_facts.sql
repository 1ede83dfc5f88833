-- The funnel counts every arrival and every message once.
select flow, total, funnel from (
    select flow, count(*) as total from {{ ref('fct_transition') }} where what = 'reached' group by flow
) as facts
full outer join (
    select flow, sum(arrivals) as funnel from {{ ref('funnel') }} group by flow
) as marts using (flow)
where total is null or funnel is null or total <> funnel
union all
select flow, total, funnel from (
    select flow, count(*) as total from {{ ref('fct_message') }} group by flow
) as facts
full outer join (
    select flow, sum(messages) as funnel from {{ ref('funnel') }} group by flow
) as marts using (flow)
where total is null or coalesce(funnel, 0) <> total
