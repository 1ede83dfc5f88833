# Records of publishers are JSON or Avro, so these topics have no schema: the job checks each record.
resource "google_pubsub_topic" "input" {
  for_each = local.inputs

  name                       = "${var.prefix}${each.key}"
  message_retention_duration = "604800s"
}

# The job with --encoding avro publishes the bare record, which Pub/Sub checks and BigQuery reads.
resource "google_pubsub_schema" "output" {
  for_each = local.outputs

  name       = "${var.prefix}${each.key}"
  type       = "AVRO"
  definition = file("${local.schemas}/${each.key}.avsc")
}

resource "google_pubsub_topic" "output" {
  for_each = local.outputs

  name                       = "${var.prefix}${each.key}"
  message_retention_duration = "604800s"

  schema_settings {
    schema   = google_pubsub_schema.output[each.key].id
    encoding = "BINARY"
  }
}

# What a subscription could not deliver, for a week.
resource "google_pubsub_topic" "undelivered" {
  name                       = "${var.prefix}undelivered"
  message_retention_duration = "604800s"
}

resource "google_pubsub_subscription" "undelivered" {
  name                       = "${var.prefix}undelivered"
  topic                      = google_pubsub_topic.undelivered.id
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}
