# One account for each program, each with the rights of its file below, and no keys.
resource "google_service_account" "launcher" {
  account_id   = "${var.prefix}towpath-launcher"
  display_name = "Deploys the Towpath job"
}

resource "google_service_account" "worker" {
  account_id   = "${var.prefix}towpath-worker"
  display_name = "Workers of the Towpath job"
}

resource "google_service_account" "controller" {
  account_id   = "${var.prefix}towpath-controller"
  display_name = "Controller of the Towpath job"
}

locals {
  pubsub_agent = "service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

# Operators act as the launcher; no other account can.
resource "google_service_account_iam_member" "operators" {
  for_each = var.operators

  service_account_id = google_service_account.launcher.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = each.key
}
