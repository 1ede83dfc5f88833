# What the job reads. Dataflow takes each message until it has its result, and makes dead letters of
# records itself: the dead-letter policy is for messages that no worker can take at all.
resource "google_pubsub_subscription" "input" {
  for_each = local.inputs

  name                       = "${var.prefix}${each.key}"
  topic                      = google_pubsub_topic.input[each.key].id
  enable_message_ordering    = true
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 100
  }

  depends_on = [google_pubsub_topic_iam_member.undelivered]
}

# What the controller reads: who is where in a flow, who converted, and what people received.
resource "google_pubsub_subscription" "controller" {
  for_each = toset(["audience_update", "communication", "conversion", "erased", "transition"])

  name                       = "${var.prefix}controller-${each.key}"
  topic                      = google_pubsub_topic.output[each.key].id
  enable_message_ordering    = true
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 20
  }

  depends_on = [google_pubsub_topic_iam_member.undelivered]
}
