# Pub/Sub itself writes the tables, and moves what it cannot deliver.
resource "google_bigquery_dataset_access" "pubsub" {
  dataset_id    = google_bigquery_dataset.rows.dataset_id
  role          = "roles/bigquery.dataEditor"
  user_by_email = local.pubsub_agent
}

resource "google_pubsub_topic_iam_member" "undelivered" {
  topic  = google_pubsub_topic.undelivered.name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:${local.pubsub_agent}"
}

resource "google_pubsub_subscription_iam_member" "moves" {
  for_each = toset([
    for one in concat(
      values(google_pubsub_subscription.input),
      values(google_pubsub_subscription.controller),
      values(google_pubsub_subscription.table),
    ) : one.name
  ])

  subscription = each.key
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:${local.pubsub_agent}"
}

# People and systems, each by topic: who may publish events may not publish commands.
resource "google_pubsub_topic_iam_member" "publishers" {
  for_each = var.publishers

  topic  = google_pubsub_topic.input["events"].name
  role   = "roles/pubsub.publisher"
  member = each.key
}

resource "google_pubsub_topic_iam_member" "commanders" {
  for_each = var.commanders

  topic  = google_pubsub_topic.input["commands"].name
  role   = "roles/pubsub.publisher"
  member = each.key
}

resource "google_bigquery_dataset_iam_member" "analysts" {
  for_each = var.analysts

  dataset_id = google_bigquery_dataset.views.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.key
}
