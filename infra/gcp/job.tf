locals {
  log     = var.control_log == "" ? "${var.space}.jsonl" : var.control_log
  control = "gs://${google_storage_bucket.control.name}/${local.log}"

  subscriptions = [
    # The events topic is first: the options of a gateway are for it.
    for name in concat(["events"], sort(setsubtract(keys(local.inputs), ["events"]))) : join("=", compact([
      google_pubsub_subscription.input[name].id,
      join(",", local.inputs[name]),
    ]))
  ]

  parameters = merge(
    {
      subscription = join(" ", local.subscriptions)
      control      = local.control
      space        = var.space
      topics       = var.project
      topic_prefix = var.prefix
      encoding     = "avro"
    },
    { for redis in google_redis_instance.states : "states" => "redis://${redis.host}:${redis.port}/0" },
    { for bucket in google_storage_bucket.tables : "tables" => "gs://${bucket.name}/tables" },
    var.options,
  )
}

# The container spec, which gcloud dataflow flex-template build would write.
resource "google_storage_bucket_object" "template" {
  bucket       = google_storage_bucket.staging.name
  name         = "template/${var.job}.json"
  content_type = "application/json"

  content = jsonencode({
    image    = var.image
    sdkInfo  = { language = "PYTHON" }
    metadata = jsondecode(file("${path.module}/metadata.json"))
  })
}

# A change of the image or of parameters updates the running job: it keeps the states of users.
resource "google_dataflow_flex_template_job" "stream" {
  provider = google-beta
  count    = var.image == "" ? 0 : 1

  name                    = var.job
  region                  = var.region
  container_spec_gcs_path = "gs://${google_storage_bucket.staging.name}/${google_storage_bucket_object.template.name}"
  parameters              = { for name, value in local.parameters : name => value if value != "" }
  sdk_container_image     = var.image
  transform_name_mapping  = var.renamed_steps

  service_account_email   = google_service_account.worker.email
  staging_location        = "gs://${google_storage_bucket.staging.name}/staging"
  temp_location           = "gs://${google_storage_bucket.staging.name}/temp"
  subnetwork              = var.subnetwork
  ip_configuration        = "WORKER_IP_PRIVATE"
  enable_streaming_engine = true
  autoscaling_algorithm   = "THROUGHPUT_BASED"
  num_workers             = var.workers.first
  max_workers             = var.workers.most
  machine_type            = var.workers.machine
  labels                  = { job = var.job }

  # Never drain: a drain ends all waits of all users at once.
  on_delete                    = "cancel"
  skip_wait_on_job_termination = false

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [
    google_project_iam_member.worker,
    google_pubsub_subscription_iam_member.worker,
    google_pubsub_subscription_iam_member.worker_looks,
    google_pubsub_topic_iam_member.worker,
    google_pubsub_topic_iam_member.worker_loops,
    google_storage_bucket_iam_member.worker_control,
    google_storage_bucket_iam_member.worker_staging,
    google_storage_bucket_iam_member.worker_tables,
  ]
}
