# The log of the job: every message that it may read, from which states can be rebuilt. Files of Avro
# keep its body, whatever its encoding is, its attributes and its publish time; text would not.
resource "google_storage_bucket" "archive" {
  for_each = toset(var.archive ? ["archive"] : [])

  name                        = "${var.project}-${var.prefix}towpath-${each.key}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    action {
      type          = "SetStorageClass"
      storage_class = "NEARLINE"
    }
    condition {
      age = 30
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_pubsub_subscription" "archive" {
  for_each = var.archive ? local.inputs : {}

  name                       = "${var.prefix}archive-${each.key}"
  topic                      = google_pubsub_topic.input[each.key].id
  message_retention_duration = "604800s"

  cloud_storage_config {
    bucket          = google_storage_bucket.archive["archive"].name
    filename_prefix = "${each.key}/"
    filename_suffix = ".avro"
    max_duration    = "300s"
    max_bytes       = 268435456

    avro_config {
      write_metadata = true
    }
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_storage_bucket_iam_member.archive]
}

resource "google_storage_bucket_iam_member" "archive" {
  for_each = toset(var.archive ? ["roles/storage.legacyBucketReader", "roles/storage.objectCreator"] : [])

  bucket = google_storage_bucket.archive["archive"].name
  role   = each.key
  member = "serviceAccount:${local.pubsub_agent}"
}
