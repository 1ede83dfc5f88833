-- What happened to each user, in order: `where user_id = '…' order by place`.
with rows_of_users as (
    select
        user_id, happened_at, sequence, flow, version, session, step,
        in_holdout, what, coalesce(variant, reason) as detail, cast(null as {{ 'float64' if dialect() == 'bigquery' else 'double' }}) as value
    from {{ ref('fct_transition') }}
    union all
    select
        user_id, happened_at, cast(null as {{ whole_type() }}), flow, version, session, step,
        in_holdout, concat('message ', status), coalesce(reason, template), cost
    from {{ ref('fct_communication') }}
    union all
    select
        user_id, happened_at, cast(null as {{ whole_type() }}), flow, version, session, step,
        in_holdout, 'converted', goal, value
    from {{ ref('fct_conversion') }}
    union all
    select
        user_id, happened_at, cast(null as {{ whole_type() }}), flow, null, null, step,
        null, 'refused', reason, null
    from {{ ref('fct_rejection') }}
)
select
    *,
    row_number() over (
        partition by user_id
        order by
            happened_at, case when sequence is null then 1 else 0 end, coalesce(sequence, 0),
            coalesce(flow, ''), coalesce(step, ''), what, coalesce(detail, '')
    ) as place
from rows_of_users
