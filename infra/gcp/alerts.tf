# The alerts of the job by its own counters, from the file that the rules for Prometheus are made
# from, too; and those of the services around it.
locals {
  job_alerts = [
    for alert in yamldecode(file(
      var.alerts == "" ? "${path.module}/../monitoring/alerts.yaml" : var.alerts
    )).alerts : alert if try(alert.runner, "") != "flink"
  ]

  # Dataflow names a counter METRIC, or METRIC.VALUE if the metric has a label.
  counters = {
    for alert in local.job_alerts : alert.name => join("", [
      "dataflow_googleapis_com:job_user_counter{monitored_resource=\"dataflow_job\",job_name=\"${var.job}\",",
      "metric_name=~\"${alert.metric}",
      try("\\\\.(${join("|", alert.values)})", "(\\\\..+)?"),
      "\"}",
    ])
  }

  job_queries = {
    for alert in local.job_alerts : alert.name => (
      alert.condition.kind == "absence"
      ? "(sum(delta(${local.counters[alert.name]}[${alert.condition.window}s])) or vector(0)) <= ${alert.condition.above}"
      : "sum(delta(${local.counters[alert.name]}[${alert.condition.window}s])) > ${alert.condition.above}"
    )
  }

  page = "docs/how-to/deploy-on-dataflow.md"

  service_alerts = {
    job-failed = {
      query    = "max(dataflow_googleapis_com:job_is_failed{job_name=\"${var.job}\"}) > 0"
      for      = 0
      severity = "page"
      summary  = "The Dataflow job has failed"
    }
    watermark-old = {
      query    = "max(dataflow_googleapis_com:job_data_watermark_age{job_name=\"${var.job}\"}) > 300"
      for      = 600
      severity = "page"
      summary  = "The watermark is more than five minutes behind, so waits end late"
    }
    backlog-old = {
      query    = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=~\"${var.prefix}(${join("|", keys(local.inputs))})\"}) > 600"
      for      = 300
      severity = "page"
      summary  = "Messages wait for the job for more than ten minutes"
    }
    undelivered = {
      query    = "max(pubsub_googleapis_com:subscription_num_undelivered_messages{subscription_id=\"${var.prefix}undelivered\"}) > 0"
      for      = 0
      severity = "ticket"
      summary  = "Pub/Sub could not deliver messages to the job or to a table"
    }
    tables-behind = {
      query    = "max(pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=~\"${var.prefix}table-.+\"}) > 3600"
      for      = 600
      severity = "ticket"
      summary  = "Rows are not written to BigQuery"
    }
  }

  policies = merge(
    {
      for alert in local.job_alerts : alert.name => {
        query    = local.job_queries[alert.name]
        for      = alert.for
        severity = alert.severity
        summary  = alert.summary
        page     = alert.page
      }
    },
    { for name, alert in local.service_alerts : name => merge(alert, { page = "${local.page}#${name}" }) },
  )
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.policies

  display_name          = "${var.job}: ${each.value.summary}"
  combiner              = "OR"
  severity              = each.value.severity == "page" ? "CRITICAL" : "WARNING"
  notification_channels = lookup(var.notify, each.value.severity, [])

  conditions {
    display_name = each.key

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${each.value.for}s"
      evaluation_interval = "60s"
      # A counter exists once it has counted, so a new job has none yet.
      disable_metric_validation = true
    }
  }

  documentation {
    subject   = "${var.job}: ${each.key}"
    content   = "${each.value.summary}. What it means, how to check it and what to do: ${each.value.page}"
    mime_type = "text/markdown"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}
