{{ config(materialized='incremental', unique_key='id') }}
{{ fact_of('stg_conversion') }}
