# The rows as they arrive; analysts read the views in views.tf.
resource "google_bigquery_dataset" "rows" {
  dataset_id                      = replace("${var.prefix}towpath_rows", "-", "_")
  location                        = var.region
  description                     = "Rows of the streaming job as they arrived, one table for each kind."
  default_partition_expiration_ms = var.table_days > 0 ? var.table_days * 86400000 : null
  delete_contents_on_destroy      = !var.protect
}

locals {
  # Pub/Sub's subscriptions know no timestamp-millis: such a column has the number of milliseconds.
  column_types = {
    boolean          = "BOOLEAN"
    double           = "FLOAT"
    float            = "FLOAT"
    int              = "INTEGER"
    long             = "INTEGER"
    string           = "STRING"
    bytes            = "BYTES"
    timestamp-micros = "TIMESTAMP"
    timestamp-millis = "INTEGER"
  }

  record_fields = {
    for kind in local.tables : kind => jsondecode(file("${local.schemas}/${kind}.avsc")).fields
  }

  # The type of a field without its union with null.
  field_types = {
    for kind, fields in local.record_fields : kind => {
      for field in fields : field.name => try([for type in field.type : type if can(field.type[0]) && type != "null"][0], field.type)
    }
  }

  columns = {
    for kind, fields in local.record_fields : kind => [
      for field in fields : {
        name        = field.name
        description = try(field.doc, "")
        # Nullable also where the schema has a default: a table cannot get another required column.
        mode = try(field.type.type, "") == "array" ? "REPEATED" : "NULLABLE"
        type = local.column_types[try(
          local.field_types[kind][field.name].items,
          local.field_types[kind][field.name].logicalType,
          local.field_types[kind][field.name].type,
          local.field_types[kind][field.name],
        )]
      }
    ]
  }

  # What Pub/Sub adds to each row. The space of a row is in the attributes.
  metadata_columns = [
    { name = "subscription_name", type = "STRING", mode = "NULLABLE", description = "The subscription that wrote the row." },
    { name = "message_id", type = "STRING", mode = "NULLABLE", description = "Pub/Sub's id of the message." },
    { name = "publish_time", type = "TIMESTAMP", mode = "NULLABLE", description = "When the job published the row." },
    { name = "attributes", type = "JSON", mode = "NULLABLE", description = "Attributes of the message: id, space, kind, flow and others." },
  ]
}

resource "google_bigquery_table" "rows" {
  for_each = local.tables

  dataset_id          = google_bigquery_dataset.rows.dataset_id
  table_id            = each.key
  description         = jsondecode(file("${local.schemas}/${each.key}.avsc")).doc
  deletion_protection = var.protect
  schema              = jsonencode(concat(local.columns[each.key], local.metadata_columns))
  clustering          = [for name in ["flow", "user"] : name if contains(keys(local.field_types[each.key]), name)]

  time_partitioning {
    type  = "DAY"
    field = "publish_time"
  }
}

resource "google_pubsub_subscription" "table" {
  for_each = local.tables

  name                       = "${var.prefix}table-${each.key}"
  topic                      = google_pubsub_topic.output[each.key].id
  message_retention_duration = "604800s"

  bigquery_config {
    table               = "${var.project}.${google_bigquery_dataset.rows.dataset_id}.${google_bigquery_table.rows[each.key].table_id}"
    use_topic_schema    = true
    write_metadata      = true
    drop_unknown_fields = false
  }

  expiration_policy {
    ttl = ""
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.undelivered.id
    max_delivery_attempts = 20
  }

  depends_on = [
    google_bigquery_dataset_access.pubsub,
    google_pubsub_topic_iam_member.undelivered,
  ]
}
