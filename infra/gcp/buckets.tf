# Staged files and the template: nothing that is needed later.
resource "google_storage_bucket" "staging" {
  name                        = "${var.project}-${var.prefix}towpath-staging"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 30
      matches_prefix = ["temp/", "staging/"]
    }
  }
}

# Control logs. Each change is a version, so an earlier log can be read again.
resource "google_storage_bucket" "control" {
  name                        = "${var.project}-${var.prefix}towpath-control"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  # The versions are enough.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  # The instant until which a log is complete is written every two seconds.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 7
      matches_suffix             = [".head"]
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_storage_bucket" "tables" {
  for_each = toset(var.parquet ? ["tables"] : [])

  name                        = "${var.project}-${var.prefix}towpath-${each.key}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
}

resource "google_artifact_registry_repository" "images" {
  repository_id = "${var.prefix}towpath"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the Towpath job."
}
