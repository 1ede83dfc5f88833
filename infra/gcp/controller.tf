# The controller: one process that declares the control log complete, and decides what concerns many
# users. It runs on a small machine, since its index of sessions is a file that must last; a second
# controller is refused by the log.
resource "google_compute_disk" "index" {
  count = var.image == "" ? 0 : 1

  name = "${var.prefix}towpath-index"
  zone = var.zone
  type = "pd-balanced"
  size = var.index_gb

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_compute_instance" "controller" {
  count = var.image == "" ? 0 : 1

  name                      = "${var.prefix}towpath-controller"
  zone                      = var.zone
  machine_type              = "e2-medium"
  allow_stopping_for_update = true

  boot_disk {
    initialize_params {
      image = "cos-cloud/cos-stable"
    }
  }

  attached_disk {
    source      = google_compute_disk.index[0].id
    device_name = "index"
  }

  # Without an access_config it has no public address.
  network_interface {
    subnetwork = var.subnetwork
  }

  service_account {
    email  = google_service_account.controller.email
    scopes = ["cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot = true
  }

  # A change of it takes effect when the machine starts again.
  metadata = {
    google-logging-enabled = "true"
    user-data = templatefile("${path.module}/controller.yaml.tftpl", {
      image     = var.image
      registry  = split("/", var.image)[0]
      arguments = join(" ", local.serve)
    })
  }
}

locals {
  serve = concat(
    ["flows", "serve", "--control=${local.control}", "--index=/index/${var.space}.db"],
    ["--publish=${google_pubsub_topic.input["commands"].id}"],
    [for name, value in var.options : "--timestamp-attribute=${value}" if name == "timestamp_attribute"],
    [for subscription in google_pubsub_subscription.controller : "--outputs=${subscription.id}"],
  )
}
