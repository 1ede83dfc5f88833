# What analysts and dbt read: the rows with times as TIMESTAMP and the space as a column, and without
# what Pub/Sub adds.
resource "google_bigquery_dataset" "views" {
  dataset_id                 = replace("${var.prefix}towpath", "-", "_")
  location                   = var.region
  description                = "Outputs of the streaming job. A row may be there twice: its id is unique."
  delete_contents_on_destroy = true
}

locals {
  view_columns = {
    for kind, fields in local.record_fields : kind => [
      for field in fields : (
        try(local.field_types[kind][field.name].logicalType, "") == "timestamp-millis"
        ? "TIMESTAMP_MILLIS(`${field.name}`) AS `${field.name}`"
        : "`${field.name}`"
      )
    ]
  }

  view_queries = {
    for kind, columns in local.view_columns : kind => join("", [
      "SELECT ${join(", ", columns)}, JSON_VALUE(attributes.space) AS space, publish_time ",
      "FROM `${var.project}.${replace("${var.prefix}towpath_rows", "-", "_")}.${kind}`",
    ])
  }
}

resource "google_bigquery_table" "view" {
  for_each = local.tables

  dataset_id          = google_bigquery_dataset.views.dataset_id
  table_id            = each.key
  description         = google_bigquery_table.rows[each.key].description
  deletion_protection = false

  view {
    query          = local.view_queries[each.key]
    use_legacy_sql = false
  }
}

# The views may read the rows; who reads the views needs no right on the rows.
resource "google_bigquery_dataset_access" "views" {
  dataset_id = google_bigquery_dataset.rows.dataset_id

  dataset {
    target_types = ["VIEWS"]

    dataset {
      project_id = var.project
      dataset_id = google_bigquery_dataset.views.dataset_id
    }
  }
}
