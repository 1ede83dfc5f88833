locals {
  job_metric = "dataflow_googleapis_com:job"
  of_job     = "job_name=\"${var.job}\""

  charts = [
    ["Watermark behind, s", "max(${local.job_metric}_data_watermark_age{${local.of_job}})"],
    ["System lag, s", "max(${local.job_metric}_system_lag{${local.of_job}})"],
    ["Oldest message that waits, s, by subscription", "max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{subscription_id=~\"${var.prefix}.+\"})"],
    ["Messages that wait, by subscription", "max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{subscription_id=~\"${var.prefix}.+\"})"],
    ["Outputs per second, by topic", "sum by (topic_id) (rate(pubsub_googleapis_com:topic_send_message_operation_count{topic_id=~\"${var.prefix}(${join("|", local.outputs)})\"}[5m]))"],
    ["Counters of the job, in five minutes", "sum by (metric_name) (delta(${local.job_metric}_user_counter{monitored_resource=\"dataflow_job\",${local.of_job}}[5m]))"],
    ["Workers' vCPUs", "max(${local.job_metric}_current_num_vcpus{${local.of_job}})"],
    ["Redis memory, share", "max(redis_googleapis_com:stats_memory_usage_ratio{instance_id=~\".*towpath-states\"})"],
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "Towpath ${var.job}"
    mosaicLayout = {
      columns = 48
      tiles = [
        for index, chart in local.charts : {
          xPos   = index % 2 * 24
          yPos   = floor(index / 2) * 16
          width  = 24
          height = 16
          widget = {
            title = chart[0]
            xyChart = {
              dataSets = [{
                plotType        = "LINE"
                timeSeriesQuery = { prometheusQuery = chart[1] }
              }]
            }
          }
        }
      ]
    }
  })
}
