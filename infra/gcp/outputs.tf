output "images" {
  description = "Repository of the image: docker push <this>/towpath:VERSION."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "control" {
  description = "The control log, for towpath flows … --control <this>."
  value       = local.control
}

output "events" {
  description = "The topic to which events are published."
  value       = google_pubsub_topic.input["events"].id
}

output "dataset" {
  description = "The data set of the views, for dbt: TOWPATH_OUTPUTS=<this>."
  value       = google_bigquery_dataset.views.dataset_id
}

output "states" {
  description = "Redis with the flow states of users; null without Redis."
  value       = one([for redis in google_redis_instance.states : "redis://${redis.host}:${redis.port}/0"])
}

output "job" {
  description = "Id of the Dataflow job; null before there is an image."
  value       = one(google_dataflow_flex_template_job.stream[*].job_id)
}

output "launcher" {
  description = "Account to deploy with: gcloud config set auth/impersonate_service_account <this>."
  value       = google_service_account.launcher.email
}
