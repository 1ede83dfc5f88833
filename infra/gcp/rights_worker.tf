# A worker reads its subscriptions, publishes to the job's topics, and uses the job's buckets.
resource "google_project_iam_member" "worker" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.worker.member
}

resource "google_pubsub_subscription_iam_member" "worker" {
  for_each = google_pubsub_subscription.input

  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = google_service_account.worker.member
}

# Dataflow looks at the subscription before it reads it.
resource "google_pubsub_subscription_iam_member" "worker_looks" {
  for_each = google_pubsub_subscription.input

  subscription = each.value.name
  role         = "roles/pubsub.viewer"
  member       = google_service_account.worker.member
}

resource "google_pubsub_topic_iam_member" "worker" {
  for_each = google_pubsub_topic.output

  topic  = each.value.name
  role   = "roles/pubsub.publisher"
  member = google_service_account.worker.member
}

# Events that flows emit, and the states that one key hands over to another.
resource "google_pubsub_topic_iam_member" "worker_loops" {
  for_each = toset(["events", "handovers"])

  topic  = google_pubsub_topic.input[each.key].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.worker.member
}

resource "google_storage_bucket_iam_member" "worker_staging" {
  bucket = google_storage_bucket.staging.name
  role   = "roles/storage.objectUser"
  member = google_service_account.worker.member
}

resource "google_storage_bucket_iam_member" "worker_control" {
  bucket = google_storage_bucket.control.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.worker.member
}

resource "google_storage_bucket_iam_member" "worker_tables" {
  for_each = google_storage_bucket.tables

  bucket = each.value.name
  role   = "roles/storage.objectUser"
  member = google_service_account.worker.member
}

resource "google_artifact_registry_repository_iam_member" "worker" {
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.worker.member
}
