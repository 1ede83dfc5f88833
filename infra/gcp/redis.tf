# Flow states for web pages. It holds what the topic flow_state says, so it can be rebuilt.
# It has no password: only the network of the job reaches it.
resource "google_redis_instance" "states" {
  count = var.redis > 0 ? 1 : 0

  name               = "${var.prefix}towpath-states"
  region             = var.region
  tier               = "STANDARD_HA"
  memory_size_gb     = var.redis
  redis_version      = "REDIS_7_2"
  authorized_network = var.network
  connect_mode       = "PRIVATE_SERVICE_ACCESS"

  # A full Redis must refuse writes, not forget users.
  redis_configs = {
    maxmemory-policy = "noeviction"
  }

  depends_on = [google_project_service.used]
}
