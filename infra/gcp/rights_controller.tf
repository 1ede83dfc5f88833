# The controller alone writes the control log, with the operators; it reads outputs and wakes users.
resource "google_storage_bucket_iam_member" "controller" {
  bucket = google_storage_bucket.control.name
  role   = "roles/storage.objectUser"
  member = google_service_account.controller.member
}

resource "google_storage_bucket_iam_member" "operators" {
  for_each = var.operators

  bucket = google_storage_bucket.control.name
  role   = "roles/storage.objectUser"
  member = each.key
}

resource "google_pubsub_subscription_iam_member" "controller" {
  for_each = google_pubsub_subscription.controller

  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.controller.member
}

# It wakes users by commands.
resource "google_pubsub_topic_iam_member" "controller" {
  topic  = google_pubsub_topic.input["commands"].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.controller.member
}

resource "google_project_iam_member" "controller_metrics" {
  project = var.project
  role    = "roles/monitoring.metricWriter"
  member  = google_service_account.controller.member
}

resource "google_project_iam_member" "controller_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.controller.member
}

resource "google_artifact_registry_repository_iam_member" "controller" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.controller.member
}
