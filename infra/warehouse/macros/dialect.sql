{# What DuckDB and BigQuery write in different ways. The variable "dialect" compiles the models for the other one. #}

{% macro dialect() %}{{ return(var('dialect', target.type)) }}{% endmacro %}

{# The Monday, first day of the month, or day of an instant. #}
{% macro period(unit, instant) %}
{%- if dialect() == 'bigquery' -%}
date_trunc(date({{ instant }}), {{ 'isoweek' if unit == 'week' else unit }})
{%- else -%}
cast(date_trunc('{{ unit }}', {{ instant }}) as date)
{%- endif -%}
{% endmacro %}

{% macro days_between(earlier, later) %}
{%- if dialect() == 'bigquery' -%}
timestamp_diff({{ later }}, {{ earlier }}, millisecond) / 86400000
{%- else -%}
(epoch_ms({{ later }}) - epoch_ms({{ earlier }})) / 86400000
{%- endif -%}
{% endmacro %}

{% macro weeks_between(earlier, later) %}
{%- if dialect() == 'bigquery' -%}
date_diff({{ later }}, {{ earlier }}, isoweek)
{%- else -%}
date_diff('week', {{ earlier }}, {{ later }})
{%- endif -%}
{% endmacro %}

{% macro days_before(days, instant) %}
{%- if dialect() == 'bigquery' -%}
timestamp_sub({{ instant }}, interval {{ days }} day)
{%- else -%}
{{ instant }} - interval {{ days }} day
{%- endif -%}
{% endmacro %}

{# A quantile of a column; approximate on BigQuery. #}
{% macro quantile(column, percent) %}
{%- if dialect() == 'bigquery' -%}
approx_quantiles({{ column }}, 100)[offset({{ percent }})]
{%- else -%}
quantile_cont({{ column }}, {{ percent / 100 }})
{%- endif -%}
{% endmacro %}

{# A relation with a row for each element of an array column, named "name". #}
{% macro elements(array, name) %}
{%- if dialect() == 'bigquery' -%}
unnest({{ array }}) as {{ name }}
{%- else -%}
unnest({{ array }}) as elements_of({{ name }})
{%- endif -%}
{% endmacro %}

{# The list of all days from one to another. #}
{% macro day_list(first, last) %}
{%- if dialect() == 'bigquery' -%}
generate_date_array({{ first }}, {{ last }})
{%- else -%}
generate_series({{ first }}, {{ last }}, interval 1 day)
{%- endif -%}
{% endmacro %}

{% macro text_type() %}{{ 'string' if dialect() == 'bigquery' else 'varchar' }}{% endmacro %}

{% macro whole_type() %}{{ 'int64' if dialect() == 'bigquery' else 'bigint' }}{% endmacro %}
