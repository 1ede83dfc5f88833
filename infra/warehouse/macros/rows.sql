{# The rows of a table of outputs, each id once, without columns of personal data: users are known by
   their key only. DuckDB's views have these names already. #}
{% macro rows_of(kind, holdout=true, without=[]) %}
{%- if dialect() == 'bigquery' -%}
select * except (`at`, `user`{{ ', silent' if holdout }}{% for name in without %}, {{ name }}{% endfor %}),
       `at` as happened_at, `user` as user_id{{ ', silent as in_holdout' if holdout }}
from {{ source('towpath', kind) }}
{%- else -%}
select *{% if without %} exclude ({{ without | join(', ') }}){% endif %} from {{ source('towpath', kind) }}
{%- endif %}
where {{ "space = '" ~ var('space') ~ "'" if dialect() == 'bigquery' and var('space') else 'true' }}
qualify row_number() over (partition by id order by id) = 1
{% endmacro %}

{# A fact: rows of a staging model, of which a later run reads the newest days only. #}
{% macro fact_of(model) %}
select *, {{ period('day', 'happened_at') }} as day from {{ ref(model) }}
{%- if is_incremental() %}
where happened_at >= (select {{ days_before(var('late_days'), 'max(happened_at)') }} from {{ this }})
{%- endif %}
{% endmacro %}

{% macro count_if(condition) %}count(case when {{ condition }} then 1 end){% endmacro %}

{% macro share(part, whole) %}{{ part }} / nullif(cast({{ whole }} as {{ 'float64' if dialect() == 'bigquery' else 'double' }}), 0){% endmacro %}

{# Wilson's score interval of a share, without continuity correction. #}
{% macro wilson(part, whole, side) %}
(({{ share(part, whole) }} + {{ var('z') }} * {{ var('z') }} / (2 * {{ whole }}))
 {{ '-' if side == 'low' else '+' }} {{ var('z') }} * sqrt(
    {{ share(part, whole) }} * (1 - {{ share(part, whole) }}) / {{ whole }}
    + {{ var('z') }} * {{ var('z') }} / (4 * {{ whole }} * {{ whole }})))
/ (1 + {{ var('z') }} * {{ var('z') }} / {{ whole }})
{% endmacro %}

{# The exact sum of amounts of money. #}
{% macro money(column) %}
{%- if dialect() == 'bigquery' -%}
coalesce(cast(sum(cast({{ column }} as numeric)) as float64), 0)
{%- else -%}
coalesce(cast(sum(cast({{ column }} as decimal(38, 4))) as double), 0)
{%- endif -%}
{% endmacro %}

{# How BigQuery stores a fact; DuckDB has no such thing. #}
{% macro by_day() %}
{{- return({'field': 'day', 'data_type': 'date'} if target.type == 'bigquery' else none) -}}
{% endmacro %}

{% macro by_user() %}{{ return(['flow', 'user_id'] if target.type == 'bigquery' else none) }}{% endmacro %}
