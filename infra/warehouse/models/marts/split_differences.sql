-- Each pair of branches once, with Newcombe's hybrid score interval, 95 %.
with pairs as (
    select
        one.flow, one.step, one.goal, one.variant, other.variant as compared_with,
        one.conversion_rate as rate, one.rate_low, one.rate_high,
        other.conversion_rate as other_rate, other.rate_low as other_low, other.rate_high as other_high
    from {{ ref('split_tests') }} as one
    inner join {{ ref('split_tests') }} as other
        on other.flow = one.flow and other.step = one.step and other.goal = one.goal
        and other.variant < one.variant
)
select
    flow,
    step,
    goal,
    variant,
    compared_with,
    rate,
    other_rate,
    rate - other_rate as difference,
    rate - other_rate - sqrt(power(rate - rate_low, 2) + power(other_high - other_rate, 2)) as difference_low,
    rate - other_rate + sqrt(power(rate_high - rate, 2) + power(other_rate - other_low, 2)) as difference_high
from pairs
