{{ config(materialized='incremental', unique_key='id', partition_by=by_day(), cluster_by=by_user()) }}
{{ fact_of('stg_transition') }}
